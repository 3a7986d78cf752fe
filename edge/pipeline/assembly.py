"""Opens the parts of a pipeline that settings name."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from edge.detection.detector import FaceDetector
from edge.errors import MissingDependencyError
from edge.inference.classifier import FaceReader
from edge.inference.network import read_network
from edge.inference.trial import require_trial
from edge.labels import Task
from edge.output.sink import Sink
from edge.sources.camera import Camera
from edge.sources.factory import open_source
from edge.sources.reconnect import ReconnectingCamera
from edge.system import remedies

if TYPE_CHECKING:
    from edge.output.mqtt.settings import MqttSettings
    from edge.output.prometheus.sink import MetricsSink
    from edge.settings.settings import Settings


def try_networks(settings: Settings) -> None:
    """Has one process try all networks that settings name, before they are opened.

    Otherwise each would be tried in a process of its own when it is opened, which takes longer.

    Raises:
        ModelError: a file is missing or damaged, or a network fails.
        EdgeError: there can be no such process.
        MissingDependencyError: no TFLite runtime is installed.
    """
    models = settings.models
    named: tuple[tuple[Path | None, Task], ...] = (
        (models.emotion, "emotion"),
        (models.gender, "gender"),
        (models.proposal, "proposal"),
        (models.refinement, "refinement"),
    )
    require_trial([read_network(path, task) for path, task in named if path is not None])


def open_reader(settings: Settings) -> FaceReader:
    """Opens both networks.

    Raises:
        ModelError: a file is missing, damaged or not what its contract describes.
        MissingDependencyError: no TFLite runtime is installed.
    """
    return FaceReader.open(settings.models.emotion, settings.models.gender, settings.models.threads)


def open_detector(settings: Settings) -> FaceDetector:
    """Opens what proposes faces, and the network that judges them.

    Raises:
        ConfigError: the cascade file is missing or not a cascade.
        MissingDependencyError: this OpenCV has no cascade classifier, or no TFLite runtime is installed.
        ModelError: a network is missing, damaged or not what its contract describes.
    """
    models = settings.models
    return FaceDetector.open(settings.detector, models.proposal, models.refinement, models.threads)


def open_camera(settings: Settings) -> Camera:
    """Opens the source; with `settings.reconnect` one that is opened again whenever it fails.

    Raises:
        CameraError: the source does not exist or cannot be read.
        ConfigError: the text names no kind of source.
        MissingDependencyError: a package that this kind of source needs is not installed.
    """

    def open_once() -> Camera:
        return open_source(settings.source, settings.picture, fast=settings.fast, demo=not settings.reconnect)

    if not settings.reconnect:
        return open_once()
    return ReconnectingCamera(settings.source, open_once, settings.picture.frozen_s)


def open_sinks(settings: Settings, enabled: Event, stack: ExitStack, *, aiming: bool = False) -> list[Sink]:
    """Opens what reports are sent to besides standard output: a video or image file, Prometheus, a broker.

    Args:
        settings: Settings of the run.
        enabled: Set while faces are to be read; the broker may clear it.
        stack: Closes the sinks.
        aiming: Whether the page of `emotiny aim` is open meanwhile, which the broker is told.

    Raises:
        ConfigError: a file cannot be written, a port is taken, or the broker's settings contradict each
            other.
        MissingDependencyError: a package that a sink needs is not installed.
    """
    sinks: list[Sink] = []
    if settings.annotate is not None:
        from edge.output.video import open_annotation

        sinks.append(open_annotation(settings.annotate))
        stack.callback(sinks[-1].close)
    if settings.metrics.port:
        sinks.append(metrics_sink()(settings.metrics))
        stack.callback(sinks[-1].close)
    if settings.mqtt.host:
        sinks.append(_open_mqtt(settings.mqtt, enabled, aiming=aiming))
        stack.callback(sinks[-1].close)
    return sinks


def metrics_sink() -> type[MetricsSink]:
    """Imports the sink for Prometheus.

    Raises:
        MissingDependencyError: prometheus-client is not installed.
    """
    try:
        from edge.output.prometheus.sink import MetricsSink
    except ImportError as error:
        raise MissingDependencyError(f"metrics.port: {error}; fix: {remedies.prometheus()}") from error
    return MetricsSink


def missing_paho(error: ImportError) -> MissingDependencyError:
    """Returns the error for a device that has a broker's address and lacks paho-mqtt."""
    return MissingDependencyError(f"{error}; fix: {remedies.paho()}")


def _open_mqtt(settings: MqttSettings, enabled: Event, *, aiming: bool) -> Sink:
    try:
        from edge.output.mqtt.sink import MqttSink
    except ImportError as error:
        raise missing_paho(error) from error

    def switch(on: bool) -> None:
        (enabled.set if on else enabled.clear)()

    return MqttSink(settings, switch, reading=enabled.is_set(), aiming=aiming)
