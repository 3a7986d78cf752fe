"""The command line: `python -m edge run | check | config | bench | schema`."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from threading import Event
from typing import TYPE_CHECKING

from edge.control import Control
from edge.errors import EdgeError, MissingDependencyError, OutputError
from edge.journal import say, start_logging

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from edge.camera import Camera
    from edge.classifier import FaceReader
    from edge.config import Settings
    from edge.faces import HaarDetector
    from edge.labels import Task
    from edge.loop import Stages
    from edge.mqtt.settings import MqttSettings
    from edge.sinks import Sink


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit code; errors are one line on standard error."""
    try:
        control: Control[Settings] = Control()
        with control:
            return _command(argv, control)
    except BrokenPipeError:
        return 0  # whoever read the output has seen enough
    except EdgeError as error:
        say(f"error: {' '.join(str(error).split())}", logging.ERROR)
        return error.exit_code


def _command(argv: Sequence[str] | None, control: Control[Settings]) -> int:
    try:
        import cv2  # the commonest mishap is that it, or a library of the system it needs, is absent
    except ImportError as error:
        raise MissingDependencyError(
            f"{error}: pip install 'opencv-python-headless>=4.10,<5' (opencv-python needs a desktop)"
        ) from error
    from edge.config import parser, settings_of
    from edge.sinks import SCHEMA_PATH, write_now

    arguments = parser().parse_args(argv)
    if arguments.command == "schema":
        write_now(sys.stdout, SCHEMA_PATH.read_text())
        return 0
    if arguments.command == "bench":
        from edge.bench.command import bench

        bench(arguments)
        return 0
    if arguments.command == "config":
        _show_config(arguments)
        return 0
    settings = settings_of(arguments)
    start_logging(settings.log_level)
    cv2.setNumThreads(settings.detect_threads)
    if arguments.command == "check":
        return _check(settings, control)
    _run(settings, control, lambda: _tried(settings_of(arguments)))
    return 0


def _run(settings: Settings | None, control: Control[Settings], renew: Callable[[], Settings]) -> None:
    """Runs, and again as often as the settings are renewed."""
    from edge.loop import run
    from edge.notify import open_notify

    with ExitStack() as whole:
        notify = open_notify(os.environ)
        if notify is not None:
            whole.callback(notify.close)
        while settings is not None:
            control.begin(renew)
            with ExitStack() as stack:
                stages = _open(settings, stack, [notify] if notify is not None else [])
                summary = run(stages, control, settings.max_frames)
            say(str(summary))
            settings = control.renewed


def _tried(settings: Settings) -> Settings:
    """The settings, if networks and cascade can be opened with them.

    Raises:
        EdgeError: they cannot.
    """
    _open_reader(settings)
    return settings


def _open_reader(settings: Settings) -> tuple[FaceReader, HaarDetector]:
    from edge.classifier import Classifier, FaceReader
    from edge.contract import MODELS_FOLDER, find_model
    from edge.faces import HaarDetector

    def network(path: Path | None, task: Task) -> Classifier:
        return Classifier(path or find_model(MODELS_FOLDER, task), task, settings.threads)

    reader = FaceReader(network(settings.emotion_model, "emotion"), network(settings.gender_model, "gender"))
    return reader, HaarDetector(settings.detector, settings.cascade)


def _open(settings: Settings, stack: ExitStack, more_sinks: Sequence[Sink]) -> Stages:
    """Opens all that a run needs, the source last; the stack closes it in reverse.

    Args:
        settings: of the run.
        stack: closes it.
        more_sinks: outlive the run.
    """
    from edge.annotate import open_annotation
    from edge.board import Board
    from edge.budget import Budget
    from edge.loop import Stages
    from edge.meter import Meter
    from edge.patience import PatientCamera
    from edge.readings import Readings
    from edge.sinks import ConsoleSink, JsonLinesSink
    from edge.source import open_source
    from edge.tracks import Follower

    sinks: list[Sink] = [JsonLinesSink(sys.stdout) if settings.output == "jsonl" else ConsoleSink(sys.stdout)]
    if settings.annotate is not None:
        sinks.append(open_annotation(settings.annotate))

    reader, detector = _open_reader(settings)
    follower = Follower(detector, settings.follow)
    readings = Readings(reader, settings.read, settings.steady)
    reading = Event()
    reading.set()
    if settings.mqtt.host:
        sinks.append(_open_mqtt(settings.mqtt, reading))
    for sink in sinks:
        stack.callback(sink.close)
    sinks += more_sinks

    def open_camera() -> Camera:
        return open_source(settings.source, settings.picture, fast=settings.fast)

    camera = stack.enter_context(
        PatientCamera(settings.source, open_camera) if settings.patient else open_camera()
    )
    return Stages(camera, follower, readings, Meter(), Budget(settings.budget, Board()), sinks, reading)


def _open_mqtt(settings: MqttSettings, reading: Event) -> Sink:
    try:
        from edge.mqtt.sink import MqttSink
    except ImportError as error:
        raise MissingDependencyError(f"{error}: pip install 'paho-mqtt>=2,<3'") from error
    return MqttSink(settings, lambda on: reading.set() if on else reading.clear())


def _show_config(arguments: argparse.Namespace) -> None:
    """Prints the settings that hold, as a file would give them, or writes such a file."""
    from edge.config import Settings, build, gather, values_of
    from edge.settings_file import file_text
    from edge.sinks import write_now

    if arguments.write is not None:
        text = "\n".join([*file_text(values_of(Settings())), ""])
        try:
            with arguments.write.open("x", encoding="utf-8") as file:
                file.write("# Settings of emotiny. What is commented holds anyway.\n" + text)
        except OSError as error:
            raise OutputError(f"cannot write {arguments.write}: {error.strerror}") from error
        return
    values, origins = gather(arguments, os.environ)
    settings = build(values, origins)
    write_now(sys.stdout, "\n".join([*file_text(values_of(settings), origins), ""]))


def _check(settings: Settings, control: Control[Settings]) -> int:
    """Says what was found, one line each; gives the exit code of the first thing that is wrong."""
    from edge.doctor import examine
    from edge.sinks import write_now

    code = 0
    for finding in examine(settings, control):
        write_now(sys.stdout, f"{'wrong' if finding.error else 'ok':5}  {finding.name}: {finding.text}\n")
        code = code or (finding.error.exit_code if finding.error else 0)
    return code


if __name__ == "__main__":
    sys.exit(main())
