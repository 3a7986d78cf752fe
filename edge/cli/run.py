"""`run`: reads faces until the source ends or a signal comes; SIGHUP begins again with new settings."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from threading import Event

import cv2

from edge.errors import ConfigError
from edge.output.console import ConsoleSink
from edge.output.jsonl import JsonLinesSink
from edge.output.mqtt.settings import MqttSettings
from edge.output.sink import Sink
from edge.output.systemd import open_notify
from edge.output.video import open_annotation
from edge.pipeline.assembly import metrics_sink, missing_paho, open_detector, open_reader, try_networks
from edge.pipeline.loop import Pipeline
from edge.settings.loader import settings_of
from edge.settings.settings import Settings
from edge.sources.factory import check_source
from edge.system.journal import start_logging
from edge.system.signals import StopSignals
from edge.system.stdio import print_message


def run(arguments: argparse.Namespace, stop: StopSignals[Settings]) -> int:
    """Runs the pipeline, and again as often as a reload brings new settings.

    Raises:
        EdgeError: the first settings cannot be used, or a run broke.
    """
    settings: Settings | None = settings_of(arguments)
    with ExitStack() as stack:
        notify = open_notify(os.environ)
        if notify is not None:
            stack.callback(notify.close)
        # Shared by all runs: reading that was switched off stays off after a reload.
        enabled = Event()
        enabled.set()
        while settings is not None:
            if not settings.mqtt.host:
                enabled.set()  # without a broker nobody could switch it on again
            start_logging(settings.log_level)
            cv2.setNumThreads(settings.detector.threads)
            stop.arm(partial(reload_settings, partial(settings_of, arguments), settings))
            with ExitStack() as outputs:
                output = _open_output(settings)
                sinks: list[Sink] = [outputs.enter_context(output)] if output is not None else []
                sinks += [notify] if notify is not None else []
                with Pipeline.from_settings(settings, sinks=sinks, enabled=enabled) as pipeline:
                    summary = pipeline.run(stop, settings.max_frames)
            print_message(str(summary))
            settings = stop.new_settings
    return 0


def reload_settings(read: Callable[[], Settings], current: Settings) -> Settings:
    """Reads new settings and tries all that a run could refuse at its beginning.

    Args:
        read: Reads the new settings.
        current: Settings of the run that goes on meanwhile, whose port and files are open.

    Returns:
        The new settings.

    Raises:
        EdgeError: a run could not begin with them.
    """
    settings = read()
    try_networks(settings)
    open_reader(settings)
    open_detector(settings)
    check_source(settings.source, settings.picture, reconnect=settings.reconnect)
    if settings.mqtt.host:
        _check_mqtt(settings.mqtt)
    if settings.annotate is not None:
        if current.annotate is not None and settings.annotate.resolve() == current.annotate.resolve():
            # The file appears when the current run ends, and the next run would refuse to overwrite it.
            raise ConfigError(f"annotation {settings.annotate}: this run writes it; choose another name")
        open_annotation(settings.annotate).close()
    if settings.metrics.port:
        from edge.output.prometheus.server import check_port  # imports an HTTP server

        metrics_sink()
        # This process listens on its own port already; at another address the port can be tried.
        same_port = settings.metrics.port == current.metrics.port
        check_port(replace(settings.metrics, port=0) if same_port else settings.metrics)
    return settings


def _open_output(settings: Settings) -> Sink | None:
    """Returns what writes to standard output; None if nothing does."""
    if settings.output == "none":
        return None
    return JsonLinesSink(sys.stdout) if settings.output == "jsonl" else ConsoleSink(sys.stdout)


def _check_mqtt(settings: MqttSettings) -> None:
    try:
        from edge.output.mqtt.client import make_client
    except ImportError as error:
        raise missing_paho(error) from error
    make_client(settings)
