"""`check`: tries everything that a run needs, and says how to fix what does not work."""

from __future__ import annotations

import importlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge.detection.distance import FIELD_OF_VIEW_DEG, metres
from edge.detection.haar_proposer import HaarProposer
from edge.diagnostics import machine
from edge.diagnostics.source_probe import probe_source
from edge.errors import (
    CameraError,
    ConfigError,
    EdgeError,
    MissingDependencyError,
    ModelError,
    OutputError,
)
from edge.inference.interpreter import chosen_runtime
from edge.inference.network import Network
from edge.labels import Task
from edge.output.mqtt.settings import ANSWER_TIMEOUT_S, MqttSettings
from edge.output.prometheus.server import check_port
from edge.output.prometheus.settings import MetricsSettings
from edge.pipeline.assembly import missing_paho
from edge.pipeline.loop import Stop
from edge.settings.settings import Settings
from edge.system import remedies
from edge.system.platform import detect_platform


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    Attributes:
        name: Name of what was checked.
        text: What was found or, after a failure, what is wrong and how to fix it; one line.
        error: The failure; None if the check passed.
    """

    name: str
    text: str
    error: EdgeError | None = None


def run_checks(settings: Settings, stop: Stop, lens_deg: float = FIELD_OF_VIEW_DEG) -> Iterator[CheckResult]:
    """Runs one check after the other; a failure does not keep the later ones from being run.

    Args:
        settings: Settings of the run that is planned.
        stop: Ends the checks early.
        lens_deg: Horizontal field of view of the camera's lens in degrees.
    """
    system = detect_platform()
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("system", lambda: machine.python_and_system(system)),
        ("numpy", machine.packages),
        ("memory", machine.memory),
        ("picamera2", lambda: machine.picamera2(system)),
        ("runtime", chosen_runtime),
        ("emotion model", lambda: try_model(settings.models.emotion, "emotion")),
        ("gender model", lambda: try_model(settings.models.gender, "gender")),
        ("face judge", lambda: try_model(settings.models.refinement, "refinement")),
        ("face finder", lambda: try_proposer(settings)),
        ("permissions", lambda: machine.permissions(system)),
        ("source", lambda: try_source(settings, stop, lens_deg)),
        ("broker", lambda: try_broker(settings.mqtt)),
        ("metrics", lambda: try_metrics(settings.metrics)),
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


def try_model(path: Path | None, task: Task) -> str:
    """Loads a network, and returns its name and number of parameters.

    Args:
        path: File of the network or of its contract; None for the installed network.
        task: What the network must be made for.

    Raises:
        ModelError: the network cannot be loaded.
        MissingDependencyError: no TFLite runtime is installed.
    """
    try:
        contract = Network.open(path, task).contract
    except ModelError as error:
        fix = f"leave models.{task} out, for the one that is installed" if path else remedies.package()
        raise ModelError(f"{error}; fix: {fix}") from error
    return f"{contract.name}, {contract.parameters} parameters"


def try_proposer(settings: Settings) -> str:
    """Loads what proposes faces, and returns its name.

    Raises:
        ConfigError: the cascade's file cannot be read or is not a cascade.
        ModelError: the network cannot be loaded.
        MissingDependencyError: this OpenCV has no cascade classifier or no cascade, or there is no runtime.
    """
    if settings.detector.kind == "network":
        return try_model(settings.models.proposal, "proposal")
    try:
        return HaarProposer(settings.detector.cascade).name
    except MissingDependencyError:  # which is a ConfigError as well, and names its fix
        raise
    except ConfigError as error:
        fix = (
            "leave detector.cascade out, for OpenCV's own"
            if settings.detector.cascade
            else remedies.reinstall_opencv()
        )
        raise ConfigError(f"{error}; fix: {fix}") from error


def try_source(settings: Settings, stop: Stop, lens_deg: float = FIELD_OF_VIEW_DEG) -> str:
    """Opens the source, and returns its name, frame size, rate and reach.

    Args:
        settings: Settings of the run.
        stop: Ends the check early.
        lens_deg: Horizontal field of view of the lens in degrees.

    Raises:
        EdgeError: the source cannot be opened, or delivers no frame. While the service runs, the message
            says that it holds the camera.
    """
    try:
        source = probe_source(settings, stop)
    except CameraError as error:
        if machine.service_state() != "active":
            raise
        raise CameraError(
            f"{error}; fix: the service has the camera while it runs, `sudo systemctl stop emotiny`"
        ) from error
    least_px = settings.detector.min_face
    reach_m = metres(least_px, source.size_wh[settings.picture.rotate in (90, 270)], lens_deg)
    return (
        f"{source}; faces from {least_px} pixels on are read, so up to {reach_m:.1f} m away with a lens of "
        f"{lens_deg:g} degrees (--lens)"
    )


def try_broker(settings: MqttSettings) -> str:
    """Logs in to the broker, publishes a message that is not retained, and returns what was found.

    Name, port and login are tried one after the other, so that the message names what fails.

    Raises:
        ConfigError: the broker's name is unknown, or it refuses the login, the certificate or the message.
        OutputError: the broker does not answer.
        MissingDependencyError: the MQTT client is not installed.
    """
    if not settings.host:
        return "none is set; nothing is sent"
    host, port = settings.address
    try:
        socket.getaddrinfo(host, port)
    except OSError as error:
        raise ConfigError(f"{host}: its name is not known ({error.strerror}); is mqtt.host right?") from error
    try:
        socket.create_connection((host, port), ANSWER_TIMEOUT_S).close()
    except OSError as error:
        raise OutputError(
            f"{host}:{port}: cannot be reached ({error.strerror or error}); is it running, "
            "is mqtt.port right, and does a firewall let it be reached?"
        ) from error
    try:
        from edge.output.mqtt.probe import probe
    except ImportError as error:
        raise missing_paho(error) from error
    return probe(settings, ANSWER_TIMEOUT_S)


def try_metrics(settings: MetricsSettings) -> str:
    """Tries the port for Prometheus, and returns the address that it would be read at.

    Raises:
        ConfigError: this user has no right to the port.
        OutputError: another program has the port, or this device does not have the address. The port of the
            running service is no failure.
        MissingDependencyError: the client library of Prometheus is not installed.
    """
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
