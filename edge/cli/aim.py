"""`aim`: shows on a page what the camera sees, until it is aimed; nothing is stored."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from dataclasses import replace
from threading import Event

import cv2

from edge.aim.deadline import Deadline
from edge.aim.options import AimOptions
from edge.aim.sink import AimSink
from edge.diagnostics.machine import service_state
from edge.errors import CameraError, ConfigError
from edge.output.prometheus.settings import MetricsSettings
from edge.pipeline.assembly import open_sinks
from edge.pipeline.loop import Pipeline, Stop
from edge.settings.loader import settings_of
from edge.settings.settings import Settings
from edge.sources.factory import open_source
from edge.system.journal import start_logging
from edge.system.signals import StopSignals
from edge.system.stdio import print_message, write_text

_MINUTE_S = 60.0


def run(arguments: argparse.Namespace, stop: StopSignals[Settings]) -> int:
    """Serves the page until its time is over, a signal comes, or the source ends.

    Raises:
        EdgeError: an option cannot be used, the port is taken, the camera is busy or breaks.
    """
    options = AimOptions(
        arguments.address, arguments.port, arguments.minutes, arguments.lens, arguments.show_picture
    )
    # Nothing is stored.
    settings = replace(settings_of(arguments), annotate=None)
    start_logging(settings.log_level)
    cv2.setNumThreads(settings.detector.threads)
    deadline = Deadline(stop, _MINUTE_S * options.minutes)
    is_turned = settings.picture.rotate in (90, 270)
    try:
        # It listens from here on, so that a taken port is reported at once.
        with AimSink(options, settings.detector.min_face, deadline.left_s, is_turned=is_turned) as page:
            _show(settings, options, page, deadline)
    except CameraError as error:
        if service_state() != "active":
            raise
        raise CameraError(
            f"{error}; fix: the service has the camera while it runs, `sudo systemctl stop emotiny`"
        ) from error
    if not stop.is_set() and deadline.is_set():
        print_message(f"aim: ended after {_minutes(options)}, as --minutes says")
    return 0


def _show(settings: Settings, options: AimOptions, page: AimSink, deadline: Deadline) -> None:
    enabled = Event()
    enabled.set()
    # A camera that another program has must be refused, neither waited for nor replaced by the demo.
    source = open_source(settings.source, settings.picture, fast=settings.fast, demo=False)
    with ExitStack() as stack:
        camera = stack.enter_context(source)
        if camera.yields_stills:
            raise ConfigError(f"source {settings.source}: pictures; expected a camera, a stream or a video")
        loop_only = replace(settings, mqtt=replace(settings.mqtt, host=""), metrics=MetricsSettings())
        pipeline = stack.enter_context(Pipeline.from_settings(loop_only, camera=camera, enabled=enabled))
        # Only now: a second client of this device's name would end the service's connection to the broker,
        # and the service may have the camera.
        if not _delivers(pipeline, deadline):
            return
        outputs = open_sinks(settings, enabled, stack, aiming=True)
        pipeline.sinks = [page, *outputs]
        stack.callback(page.close)  # before the broker is told so
        page.start(lambda: pipeline.tracker.possible_boxes)
        write_text(sys.stdout, _invitation(options, page))
        pipeline.run(deadline)


def _delivers(pipeline: Pipeline, stop: Stop) -> bool:
    """Returns whether a first frame came; False if the run must end or the source has ended."""
    return any(True for _ in pipeline.reports(stop, max_frames=1))


def _invitation(options: AimOptions, page: AimSink) -> str:
    shows = "the picture itself" if options.show_picture else "lines instead of the picture"
    lines = [f"open {page.url}"]
    if options.is_local:
        lines.append(
            f"from another machine: ssh -L {page.port}:{_literal(options)}:{page.port} USER@THIS_DEVICE, "
            f"and then open http://127.0.0.1:{page.port}/ there"
        )
    else:
        lines.append(
            "other machines can connect, and the connection is not encrypted: who has the whole address "
            "sees this page"
        )
    lines.append(f"it shows {shows}, to one viewer, and ends after {_minutes(options)}, or at Ctrl-C")
    return "".join(f"{line}\n" for line in lines)


def _minutes(options: AimOptions) -> str:
    return f"{options.minutes} minute{'s' if options.minutes > 1 else ''}"


def _literal(options: AimOptions) -> str:
    return f"[{options.address}]" if options.ipv6 else options.address
