"""`check`: looks at everything a run needs, says what it found, and how to mend what is wrong."""

from __future__ import annotations

import importlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.detection.haar import HaarDetector
from edge.diagnostics import machine
from edge.errors import (
    CameraError,
    ConfigError,
    EdgeError,
    MissingDependencyError,
    ModelError,
    OutputError,
)
from edge.inference.classifier import Classifier
from edge.inference.contract import MODELS_FOLDER, find_model
from edge.inference.interpreter import chosen_runtime
from edge.labels import Task
from edge.output.prometheus.server import check_port
from edge.output.prometheus.settings import MetricsSettings
from edge.pipeline.loop import Stop
from edge.settings.settings import Settings
from edge.sources.factory import open_source
from edge.system import remedies
from edge.system.platform import detect_platform

_RATE_S = 2.0
_BROKER_S = 10.0


@dataclass(frozen=True)
class CheckResult:
    """What was found about one thing.

    Attributes:
        name: of the thing.
        text: what it is, or what is wrong and how to mend it.
        error: None where all is well.
    """

    name: str
    text: str
    error: EdgeError | None = None


def run_checks(settings: Settings, stop: Stop) -> Iterator[CheckResult]:
    """Looks at one thing after the other; one that is wrong does not keep the next from being looked at.

    Args:
        settings: of the run that is to come.
        stop: ends the examination.
    """
    system = detect_platform()
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("system", lambda: machine.python_and_system(system)),
        ("numpy", machine.packages),
        ("memory", machine.memory),
        ("picamera2", lambda: machine.picamera2(system)),
        ("runtime", chosen_runtime),
        ("emotion model", lambda: _model(settings.models.emotion, "emotion")),
        ("gender model", lambda: _model(settings.models.gender, "gender")),
        ("cascade", lambda: _cascade(settings)),
        ("permissions", lambda: machine.permissions(system)),
        ("source", lambda: _source(settings, stop)),
        ("broker", lambda: _broker(settings)),
        ("metrics", lambda: _metrics(settings.metrics)),
        ("service", machine.service),
        ("board", machine.board),
    )
    for name, check in checks:
        if stop.is_set():
            return
        try:
            yield CheckResult(name, check())
        except EdgeError as error:
            yield CheckResult(name, " ".join(str(error).split()), error)


def _model(path: Path | None, task: Task) -> str:
    try:
        contract = Classifier(path or find_model(MODELS_FOLDER, task), task).contract
    except ModelError as error:
        way = f"leave models.{task} out, for the one that is installed" if path else remedies.package()
        raise ModelError(f"{error}; fix: {way}") from error
    return f"{contract.name}, {contract.parameters} parameters"


def _cascade(settings: Settings) -> str:
    try:
        return HaarDetector(settings.detector).name
    except MissingDependencyError:
        raise
    except ConfigError as error:
        way = (
            "leave detector.cascade out, for OpenCV's own"
            if settings.detector.cascade
            else remedies.reinstall_opencv()
        )
        raise ConfigError(f"{error}; fix: {way}") from error


def _source(settings: Settings, stop: Stop) -> str:
    """What the source gives; where it does not, the service may have the camera."""
    try:
        return str(probe_source(settings, stop))
    except CameraError as error:
        if machine.service_state() != "active":
            raise
        raise CameraError(
            f"{error}; fix: the service has the camera while it runs, `sudo systemctl stop emotiny`"
        ) from error


@dataclass(frozen=True)
class SourceInfo:
    """What a source gave.

    Attributes:
        name: of the source.
        size_wh: of its pictures, in pixels.
        fps: pictures a second; 0 where it has no rate of its own.
    """

    name: str
    size_wh: tuple[int, int]
    fps: float

    def __str__(self) -> str:
        width, height = self.size_wh
        return f"{self.name}, {width}x{height}" + (f", {self.fps:.1f} pictures a second" if self.fps else "")


def probe_source(settings: Settings, stop: Stop) -> SourceInfo:
    """Opens the source, and measures its rate for two seconds where it has one of its own.

    Args:
        settings: which source, and how its pictures are wanted.
        stop: ends it.

    Raises:
        EdgeError: it cannot be opened, or gives no picture.
    """
    # Whoever looks at everything wants to know that no camera answers, even where the demo would be played.
    with open_source(settings.source, settings.picture, fast=settings.fast, demo=False) as camera:
        first_s, first, size_wh = 0.0, 0, (0, 0)
        for frame in camera:
            if stop.is_set():
                break
            if frame is not None and not any(size_wh):
                size_wh = frame.gray.shape[1], frame.gray.shape[0]
                first_s, first = time.monotonic(), camera.captured
            if any(size_wh) and (time.monotonic() - first_s > _RATE_S or camera.yields_stills):
                break
        if not any(size_wh):
            raise CameraError(f"{camera.name}: no picture")
        seconds = time.monotonic() - first_s
        rate = (camera.captured - first) / seconds if seconds >= _RATE_S else 0.0
        return SourceInfo(camera.name, size_wh, rate)


def _broker(settings: Settings) -> str:
    """Resolves its name, connects, logs in and says something that nobody keeps."""
    mqtt = settings.mqtt
    if not mqtt.host:
        return "none is set; nothing is sent"
    host, port = mqtt.address
    try:
        socket.getaddrinfo(host, port)
    except OSError as error:
        raise ConfigError(f"{host}: its name is not known ({error.strerror}); is mqtt.host right?") from error
    try:
        socket.create_connection((host, port), _BROKER_S).close()
    except OSError as error:
        raise OutputError(
            f"{host}:{port}: does not answer ({error}); is it running, and does a firewall let it be reached?"
        ) from error
    try:
        from edge.output.mqtt.probe import probe
    except ImportError as error:
        raise MissingDependencyError(f"{error}; fix: {remedies.paho()}") from error
    return probe(mqtt, _BROKER_S)


def _metrics(settings: MetricsSettings) -> str:
    """Whether Prometheus could ask."""
    if not settings.port:
        return "no port is set; none is opened"
    try:
        importlib.import_module("prometheus_client")
    except ImportError as error:
        raise MissingDependencyError(f"metrics.port: {error}; fix: {remedies.prometheus()}") from error
    try:
        check_port(settings)
    except OutputError:
        if machine.service_state() == "active":
            return f"{settings.url}, which the service has"
        raise
    return settings.url
