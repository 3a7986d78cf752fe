"""The Raspberry Pi's camera through picamera2; its luma is the gray frame, without any conversion."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent import futures
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import CameraError, MissingDependencyError
from edge.sources.camera import DEFAULT_WH
from edge.sources.live import LiveCamera
from edge.sources.settings import CaptureSettings
from edge.system import permissions, remedies
from edge.system.platform import detect_platform
from edge.types import Gray

logger = logging.getLogger(__name__)

# Bytes from one luma sample to the next, by libcamera's name of the format. All formats begin with luma.
_LUMA_STEP = {
    **dict.fromkeys(("YUV420", "YVU420", "NV12", "NV21", "YUV422", "YVU422", "NV16", "YUV444", "R8"), 1),
    **dict.fromkeys(("YUYV", "YVYU"), 2),
}

# The size of the main stream selects the mode of the sensor, and modes below this width show only the middle
# of the field of view. So `main` is a multiple of the wanted size, and `lores` has the wanted size.
_FULL_VIEW_WIDTH = 1280

# How long a frame may take: less than the silence after which a `LiveCamera` abandons a read, which would
# keep the camera. Versions of picamera2 without a limit take this number as `wait=True`.
_PICTURE_S = 8.0


class PicameraGrabber:
    """A `Grabber` over picamera2's low-resolution stream."""

    def __init__(self, number: int, size_wh: tuple[int, int]) -> None:
        """Opens and starts the camera.

        Args:
            number: The number of the camera in `rpicam-hello --list-cameras`.
            size_wh: Wanted width and height in pixels, rounded down to even numbers.

        Raises:
            MissingDependencyError: picamera2 or libcamera is not installed.
            CameraError: libcamera does not start, there is no such camera, it is in use, or it delivers a
                format without a luma plane.
        """
        os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:WARN")
        _silence_picamera2()
        try:
            from picamera2 import Picamera2
        except (ImportError, ValueError) as error:  # built for another numpy, it raises either
            raise _unimportable(number, str(error)) from error
        self._name = f"picamera2://{number}"
        _check_number(number, Picamera2.global_camera_info)
        width, height = (side - side % 2 for side in size_wh)
        zoom = -(-_FULL_VIEW_WIDTH // width) if width < _FULL_VIEW_WIDTH else 1
        # Made in two steps: if __init__ fails half-way, it may hold the camera, and only close() releases it.
        self._camera: Any = Picamera2.__new__(Picamera2)
        try:
            self._camera.__init__(number)
            self._camera.configure(
                self._camera.create_video_configuration(
                    main={"size": (width * zoom, height * zoom), "format": "YUV420"},
                    lores={"size": (width, height), "format": "YUV420"},
                )
            )
            self._read_format(self._camera.camera_configuration()["lores"])
            self._camera.start()
        except CameraError:
            self.close()
            raise
        except (RuntimeError, OSError, ValueError, LookupError) as error:
            with contextlib.suppress(AttributeError):  # __init__ failed before it set all attributes
                self.close()
            raise CameraError(f"{self._name}: {_reason(error)}") from error

    def grab(self) -> Gray | None:
        """Returns a copy of the next frame, (H, W) uint8.

        Raises:
            CameraError: The camera failed.
        """
        try:
            data = self._camera.capture_buffer("lores", wait=_PICTURE_S)
        except futures.TimeoutError as error:
            raise CameraError(
                f"{self._name}: no picture for {_PICTURE_S:g} s; check the ribbon cable"
            ) from error
        except (RuntimeError, OSError) as error:
            raise CameraError(
                f"{self._name}: stopped delivering ({error}); check the ribbon cable"
            ) from error
        width, height = self._size_wh
        rows = np.asarray(data, dtype=np.uint8)[: self._stride * height].reshape(height, self._stride)
        return np.ascontiguousarray(rows[:, : width * self._step : self._step])

    def close(self) -> None:
        """Stops and releases the camera."""
        self._camera.close()

    def _read_format(self, stream: dict[str, Any]) -> None:
        """Reads the configuration in use: libcamera silently replaces what it cannot deliver."""
        name = str(stream["format"])
        if name not in _LUMA_STEP:
            raise CameraError(
                f"{self._name}: delivers {name}; expected a format that begins with luma, such as YUV420"
            )
        self._step = _LUMA_STEP[name]
        self._size_wh = (int(stream["size"][0]), int(stream["size"][1]))
        self._stride = int(stream["stride"])


def _check_number(number: int, list_all: Callable[[], Sequence[object]]) -> None:
    try:
        count = len(list_all())
    except RuntimeError as error:  # the kernel has no media devices yet, or may not be asked for them
        raise CameraError(f"picamera2://{number}: libcamera does not start ({error})") from error
    if number >= count:
        raise CameraError(
            f"picamera2://{number}: libcamera finds {count} cameras; `rpicam-hello --list-cameras` shows them"
        )


def _silence_picamera2() -> None:
    """Keeps picamera2 from logging every opening and closing, and errors that it also raises."""
    if not logger.isEnabledFor(logging.DEBUG):
        logging.getLogger("picamera2").setLevel(logging.WARNING)
        logging.getLogger("picamera2.picamera2").setLevel(logging.CRITICAL)


def _reason(error: BaseException) -> str:
    """Returns why a camera does not start: the error of libcamera or the kernel, which picamera2 wraps."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, PermissionError) and error.filename:
        return f"{error.filename}: permission denied: {permissions.explain_denied(Path(error.filename))}"
    return f"does not start ({error}); is another program using it?"


def _unimportable(number: int, reason: str) -> MissingDependencyError:
    return MissingDependencyError(
        f"picamera2://{number}: picamera2 cannot be imported ({reason}); fix: "
        f"{remedies.picamera2(reason, detect_platform())}"
    )


def picamera_opener(number: int, settings: CaptureSettings) -> Callable[[], LiveCamera]:
    """Returns an opener of a Raspberry Pi's camera.

    Raises:
        MissingDependencyError: picamera2 is not installed.
    """
    if "picamera2" not in sys.modules and importlib.util.find_spec("picamera2") is None:
        raise _unimportable(number, "No module named 'picamera2'")
    return partial(open_picamera, number, settings)


def open_picamera(number: int, settings: CaptureSettings) -> LiveCamera:
    """Opens a Raspberry Pi's camera; importing picamera2 and starting the sensor may take seconds."""
    size_wh = settings.size_wh or DEFAULT_WH
    return LiveCamera(
        f"picamera2://{number}", lambda: PicameraGrabber(number, size_wh), settings, first_s=10.0
    )


@dataclass(frozen=True)
class ListedCamera:
    """A camera in libcamera's list.

    Attributes:
        number: The number that opens the camera.
        model: The model of the sensor.
        usb: Whether it is a USB camera instead of one of the board's own.
    """

    number: int
    model: str
    usb: bool


_LIST = """
import json
from picamera2 import Picamera2
names = ("Model", "Id")
print(json.dumps([[each.get(name) for name in names] for each in Picamera2.global_camera_info()]))
"""
# Importing picamera2 takes seconds on a small board.
_LIST_S = 60


def list_cameras() -> tuple[ListedCamera, ...] | None:
    """Lists the cameras that libcamera finds; returns None if picamera2 is not installed.

    Runs in a process of its own, because importing a package that was built for another numpy may crash it.

    Raises:
        MissingDependencyError: picamera2 is installed and cannot be used.
    """
    if importlib.util.find_spec("picamera2") is None:
        return None
    variables = {"LIBCAMERA_LOG_LEVELS": "*:ERROR"} | os.environ
    try:
        done = subprocess.run(
            [sys.executable, "-c", _LIST],
            env=variables,
            capture_output=True,
            text=True,
            timeout=_LIST_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise MissingDependencyError(f"picamera2 lists no cameras within {_LIST_S} s") from error
    lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    if done.returncode or not lines:
        last = lines[-1] if lines else f"exit code {done.returncode}"
        raise MissingDependencyError(f"picamera2 cannot be imported ({last})")
    # A camera is opened by its index in this list; the list's own numbers are libcamera's, in another order.
    return tuple(
        ListedCamera(index, str(model), "usb" in str(name).lower())
        for index, (model, name) in enumerate(json.loads(lines[-1]))
    )
