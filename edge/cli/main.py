"""The command line: `python -m edge run | check | cameras | config | forget | bench | schema`."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from edge.errors import CameraError, ConfigError, EdgeError, MissingDependencyError, OutputError
from edge.system import remedies
from edge.system.journal import start_logging
from edge.system.platform import detect_platform
from edge.system.signals import StopSignals
from edge.system.stdio import print_message

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from edge.detection.haar import HaarDetector
    from edge.inference.classifier import FaceReader
    from edge.labels import Task
    from edge.output.mqtt.settings import MqttSettings
    from edge.output.prometheus.sink import MetricsSink
    from edge.output.sink import Sink
    from edge.pipeline.loop import Stages
    from edge.settings.settings import Settings
    from edge.sources.camera import Camera

_BROKER_S = 10.0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit code; errors are one line on standard error."""
    try:
        control: StopSignals[Settings] = StopSignals()
        with control:
            return _command(argv, control)
    except BrokenPipeError:
        return 0  # whoever read the output has seen enough
    except KeyboardInterrupt:
        return 128 + signal.SIGINT  # as a shell says it of a program that the signal ended
    except EdgeError as error:
        print_message(f"error: {' '.join(str(error).split())}", logging.ERROR)
        return error.exit_code


def _command(argv: Sequence[str] | None, control: StopSignals[Settings]) -> int:
    if sys.version_info < (3, 10):  # noqa: UP036 (of what follows it could not even import all)
        raise MissingDependencyError(remedies.python(detect_platform()))
    try:
        import cv2  # noqa: F401 (the commonest mishap: it, or a library of the system it needs, is absent)
    except ImportError as error:
        said = " ".join(str(error).split())
        raise MissingDependencyError(
            f"OpenCV: {said}; fix: {remedies.opencv(error, detect_platform())}"
        ) from error
    from edge.cli.parser import parser
    from edge.output.jsonl import SCHEMA_PATH
    from edge.settings.loader import settings_of
    from edge.system.stdio import write_text

    arguments = parser().parse_args(argv)
    if arguments.command not in ("run", "check"):
        control.restore()
    if arguments.command == "schema":
        write_text(sys.stdout, SCHEMA_PATH.read_text())
        return 0
    if arguments.command == "bench":
        from edge.cli.bench import bench

        bench(arguments)
        return 0
    if arguments.command == "config":
        _show_config(arguments)
        return 0
    if arguments.command == "cameras":
        start_logging(arguments.log_level)
        _show_cameras()
        return 0
    settings = settings_of(arguments)
    start_logging(settings.log_level)
    if arguments.command == "check":
        return _check(settings, control)
    if arguments.command == "forget":
        _forget(settings.mqtt)
    else:
        _run(settings, control, lambda: settings_of(arguments))
    return 0


def _run(settings: Settings | None, control: StopSignals[Settings], renew: Callable[[], Settings]) -> None:
    """Runs, and again as often as there are new settings that can be had.

    Args:
        settings: of the first run.
        control: ends a run.
        renew: reads new settings.
    """
    import cv2

    from edge.output.systemd import open_notify
    from edge.pipeline.loop import run

    with ExitStack() as whole:
        notify = open_notify(os.environ)
        if notify is not None:
            whole.callback(notify.close)
        reading = Event()  # of all runs: what somebody switched off stays off with new settings
        reading.set()
        while settings is not None:
            if not settings.mqtt.host:
                reading.set()  # since nobody could switch it on again
            start_logging(settings.log_level)
            cv2.setNumThreads(settings.detect_threads)
            control.arm(partial(_tried, renew, settings))
            with ExitStack() as stack:
                stages = _open(settings, stack, [notify] if notify is not None else [], reading)
                summary = run(stages, control, settings.max_frames)
            print_message(str(summary))
            settings = control.new_settings


def _tried(renew: Callable[[], Settings], now: Settings) -> Settings:
    """New settings, if all that a run refuses at its beginning can be had with them.

    Args:
        renew: reads them.
        now: those that hold, whose port is open.

    Raises:
        EdgeError: something cannot be had.
    """
    from edge.output.prometheus.server import check_port
    from edge.output.video import open_annotation
    from edge.sources.factory import check_source

    settings = renew()
    _open_reader(settings)
    check_source(settings.source, settings.picture, reconnect=settings.reconnect)
    if settings.mqtt.host:
        _try_mqtt(settings.mqtt)
    if settings.annotate is not None:
        if now.annotate is not None and settings.annotate.resolve() == now.annotate.resolve():
            # It appears when this run ends, and the next one would not write over it.
            raise ConfigError(f"annotation {settings.annotate}: this run writes it; choose another name")
        open_annotation(settings.annotate).close()
    wanted, has = settings.metrics, now.metrics
    if wanted.port:
        _metrics_sink()
        # The port that this process has cannot be tried, but another address can.
        check_port(replace(wanted, port=0) if wanted.port == has.port else wanted)
    return settings


def _try_mqtt(settings: MqttSettings) -> None:
    try:
        from edge.output.mqtt.client import make_client
    except ImportError as error:
        raise _no_paho(error) from error
    make_client(settings)


def _no_paho(error: ImportError) -> MissingDependencyError:
    return MissingDependencyError(f"{error}: pip install 'paho-mqtt>=2,<3'")


def _open_reader(settings: Settings) -> tuple[FaceReader, HaarDetector]:
    from edge.detection.haar import HaarDetector
    from edge.inference.classifier import Classifier, FaceReader
    from edge.inference.contract import MODELS_FOLDER, find_model

    def network(path: Path | None, task: Task) -> Classifier:
        return Classifier(path or find_model(MODELS_FOLDER, task), task, settings.threads)

    reader = FaceReader(network(settings.emotion_model, "emotion"), network(settings.gender_model, "gender"))
    return reader, HaarDetector(settings.detector, settings.cascade)


def _open(settings: Settings, stack: ExitStack, more_sinks: Sequence[Sink], reading: Event) -> Stages:
    """Opens all that a run needs, the source last; the stack closes it in reverse.

    Args:
        settings: of the run.
        stack: closes it.
        more_sinks: outlive the run.
        reading: set while faces are to be read; outlives the run, too.
    """
    from edge.output.console import ConsoleSink
    from edge.output.jsonl import JsonLinesSink
    from edge.output.video import open_annotation
    from edge.pipeline.fps import FpsMeter
    from edge.pipeline.governor import Governor
    from edge.pipeline.loop import Stages
    from edge.pipeline.scheduler import ReadingScheduler
    from edge.sources.factory import open_source
    from edge.sources.reconnect import ReconnectingCamera
    from edge.system.thermal import ThermalSensors
    from edge.tracking.tracker import FaceTracker

    sinks: list[Sink] = []

    def add(sink: Sink) -> None:
        stack.callback(sink.close)
        sinks.append(sink)

    add(JsonLinesSink(sys.stdout) if settings.output == "jsonl" else ConsoleSink(sys.stdout))
    if settings.annotate is not None:
        add(open_annotation(settings.annotate))

    reader, detector = _open_reader(settings)
    follower = FaceTracker(detector, settings.follow)
    readings = ReadingScheduler(reader, settings.read, settings.labels)
    if settings.metrics.port:
        add(_metrics_sink()(settings.metrics))
    if settings.mqtt.host:
        add(_open_mqtt(settings.mqtt, reading))
    sinks += more_sinks

    def open_camera() -> Camera:
        return open_source(settings.source, settings.picture, fast=settings.fast, demo=not settings.reconnect)

    camera = stack.enter_context(
        ReconnectingCamera(settings.source, open_camera, settings.picture.frozen_s)
        if settings.reconnect
        else open_camera()
    )
    return Stages(
        camera,
        follower,
        readings,
        FpsMeter(),
        Governor(settings.budget, ThermalSensors()),
        sinks,
        reading=reading,
    )


def _open_mqtt(settings: MqttSettings, reading: Event) -> Sink:
    try:
        from edge.output.mqtt.sink import MqttSink
    except ImportError as error:
        raise _no_paho(error) from error
    return MqttSink(settings, lambda on: reading.set() if on else reading.clear(), reading=reading.is_set())


def _forget(settings: MqttSettings) -> None:
    """Has the broker forget the device, and says what it no longer keeps."""
    from edge.system.stdio import write_text

    if not settings.host:
        write_text(sys.stdout, "no broker is set (mqtt.host); there is nothing to forget\n")
        return
    try:
        from edge.output.mqtt.forget import forget
    except ImportError as error:
        raise _no_paho(error) from error
    for line in forget(settings, _BROKER_S):
        write_text(sys.stdout, f"{line}\n")


def _metrics_sink() -> type[MetricsSink]:
    try:
        from edge.output.prometheus.sink import MetricsSink
    except ImportError as error:
        raise MissingDependencyError(f"metrics.port: {error}; fix: {remedies.prometheus()}") from error
    return MetricsSink


def _show_config(arguments: argparse.Namespace) -> None:
    """Prints the settings that hold, as a file would give them, or writes such a file."""
    from edge.settings.loader import collect
    from edge.settings.settings import Settings, build, values_of
    from edge.settings.template import render_toml
    from edge.system.stdio import write_text

    if arguments.write is not None:
        # What each machine decides for itself is left open: the file may be copied to the next one.
        values = values_of(Settings()) | dict.fromkeys(("mqtt.device", "detector.threads"))
        text = "\n".join([*render_toml(values), ""])
        try:
            file = arguments.write.open("x", encoding="utf-8")
            try:
                with file:
                    file.write("# Settings of emotiny. What is commented holds anyway.\n" + text)
            except OSError:  # half a file would pass for settings, and be in the way of the next try
                arguments.write.unlink()
                raise
        except OSError as error:
            raise OutputError(f"cannot write {arguments.write}: {error.strerror}") from error
        return
    values, origins = collect(arguments, os.environ)
    settings = build(values, origins)
    write_text(sys.stdout, "\n".join([*render_toml(values_of(settings), origins), ""]))


def _show_cameras() -> None:
    """Prints a line for each camera.

    Raises:
        CameraError: there is none, or none that can be used.
    """
    from edge.sources.discovery import find_cameras, no_camera_error
    from edge.system.stdio import write_text

    system = detect_platform()
    usable = 0
    unusable = []
    for found in find_cameras(system):
        usable += found.error is None
        if found.error is None:
            write_text(sys.stdout, f"--source {found.source}  {found.text}\n")
        else:
            unusable.append(f"{found.source}: {found.text}")
    for line in unusable:
        write_text(sys.stdout, f"cannot be used: {line}\n")
    if not usable:
        raise CameraError("no camera can be used; see above") if unusable else no_camera_error(system)


def _check(settings: Settings, control: StopSignals[Settings]) -> int:
    """Says what was found, one line each; gives the exit code of the first thing that is wrong."""
    from edge.diagnostics.check import run_checks
    from edge.system.stdio import write_text

    code = 0
    for finding in run_checks(settings, control):
        write_text(sys.stdout, f"{'wrong' if finding.error else 'ok':5}  {finding.name}: {finding.text}\n")
        code = code or (finding.error.exit_code if finding.error else 0)
    return code
