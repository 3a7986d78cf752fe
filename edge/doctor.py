"""`check`: looks at everything a run needs, says what it found, and how to mend what is wrong."""

from __future__ import annotations

import platform
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge.board import Board
from edge.classifier import Classifier
from edge.config import Settings
from edge.contract import MODELS_FOLDER, find_model
from edge.errors import CameraError, ConfigError, EdgeError, MissingDependencyError, OutputError
from edge.faces import HaarDetector
from edge.labels import Task
from edge.loop import Stop
from edge.runtime import chosen_runtime
from edge.source import open_source

_RATE_S = 2.0
_BROKER_S = 10.0


@dataclass(frozen=True)
class Finding:
    """What was found about one thing.

    Attributes:
        name: of the thing.
        text: what it is, or what is wrong and how to mend it.
        error: None where all is well.
    """

    name: str
    text: str
    error: EdgeError | None = None


def examine(settings: Settings, stop: Stop) -> Iterator[Finding]:
    """Looks at one thing after the other; one that is wrong does not keep the next from being looked at.

    Args:
        settings: of the run that is to come.
        stop: ends the examination.
    """
    checks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("system", _system),
        ("numpy", _numpy),
        ("runtime", chosen_runtime),
        ("emotion model", lambda: _model(settings.emotion_model, "emotion")),
        ("gender model", lambda: _model(settings.gender_model, "gender")),
        ("cascade", lambda: HaarDetector(settings.detector, settings.cascade).name),
        ("source", lambda: _source(settings, stop)),
        ("broker", lambda: _broker(settings)),
        ("board", _board),
    )
    for name, check in checks:
        if stop.is_set():
            return
        try:
            yield Finding(name, check())
        except EdgeError as error:
            yield Finding(name, " ".join(str(error).split()), error)


def _system() -> str:
    return f"Python {platform.python_version()}, {platform.machine()}, {platform.platform(terse=True)}"


def _numpy() -> str:
    found = f"numpy {np.__version__}, OpenCV {cv2.__version__}"
    # In a process of its own: what was built for another numpy takes the one that imports it along.
    probe = "import importlib.util as u, sys; u.find_spec('picamera2') or sys.exit(3); import picamera2"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise MissingDependencyError(
            f"{found}: picamera2 cannot be imported ({last}); on Bookworm: "
            "pip install 'numpy<2'; on Trixie: make the environment anew with python3 -m venv "
            "--system-site-packages"
        )
    return found + (", picamera2" if done.returncode == 0 else "")


def _model(path: Path | None, task: Task) -> str:
    contract = Classifier(path or find_model(MODELS_FOLDER, task), task).contract
    return f"{contract.name}, {contract.parameters} parameters"


def _source(settings: Settings, stop: Stop) -> str:
    """Opens the source, and measures its rate for two seconds where it has one of its own."""
    with open_source(
        settings.source, settings.picture, fast=settings.fast, demo=not settings.patient
    ) as camera:
        first_s, first, count, size = 0.0, 0, 0, ""
        for frame in camera:
            if stop.is_set():
                break
            if frame is not None:
                if not size:
                    size = f"{frame.gray.shape[1]}x{frame.gray.shape[0]}"
                    first_s, first = time.monotonic(), camera.captured
                count += 1
            if size and (time.monotonic() - first_s > _RATE_S or camera.stills):
                break
        if not size:
            raise CameraError(f"{camera.name}: no picture")
        seconds = time.monotonic() - first_s
        rate = (camera.captured - first) / seconds if seconds >= _RATE_S else 0.0
        return f"{camera.name}, {size}" + (f", {rate:.1f} pictures a second" if rate else "")


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
        from edge.mqtt.probe import probe
    except ImportError as error:
        raise MissingDependencyError(f"{error}: pip install 'paho-mqtt>=2,<3'") from error
    return probe(mqtt, _BROKER_S)


def _board() -> str:
    state = Board().state()
    if state.throttled:
        raise OutputError(
            f"{', '.join(state.throttled)}: the board is held back; under-voltage needs a better "
            "supply, heat a fan or a smaller --cpu-share"
        )
    return (
        "tells no temperature"
        if state.temperature_c is None
        else f"{state.temperature_c:.0f} degrees Celsius"
    )
