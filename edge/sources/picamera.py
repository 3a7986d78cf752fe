"""The Raspberry Pi's camera through picamera2; its luma is the gray picture, without any conversion."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import CameraError, MissingDependencyError
from edge.sources.camera import DEFAULT_WH, CaptureSettings
from edge.sources.live import LiveCamera
from edge.system import permissions, remedies
from edge.system.platform import detect_platform
from edge.types import Gray

logger = logging.getLogger(__name__)

# Bytes from one luma sample to the next, by libcamera's name of the format. All of them begin with luma.
_LUMA_STEP = {
    **dict.fromkeys(("YUV420", "YVU420", "NV12", "NV21", "YUV422", "YVU422", "NV16", "YUV444", "R8"), 1),
    **dict.fromkeys(("YUYV", "YVYU"), 2),
}

# The size of the main stream chooses the sensor's mode, and the modes below this width show only the
# middle of the field of view. So main is a multiple of the wanted size, and `lores` is that size.
_FULL_VIEW_WIDTH = 1280

# How long a picture may take: less than the silence after which a `LiveCamera` leaves a read alone, which
# would keep the camera. Versions of picamera2 that know no limit take it for yes.
_PICTURE_S = 8.0


class PicameraGrabber:
    """A `Grabber` over picamera2's low-resolution stream."""

    def __init__(self, number: int, size_wh: tuple[int, int]) -> None:
        """Opens and starts the camera.

        Args:
            number: as `rpicam-hello --list-cameras` counts.
            size_wh: wanted width and height in pixels, made even.

        Raises:
            MissingDependencyError: picamera2 or libcamera is not installed.
            CameraError: there is no such camera, it is in use, or gives a format without a luma plane.
        """
        os.environ.setdefault("LIBCAMERA_LOG_LEVELS", "*:WARN")
        _quiet()
        try:
            from picamera2 import Picamera2
        except (ImportError, ValueError) as error:  # built for another numpy, it is either
            raise _unimportable(number, str(error)) from error
        self._name = f"picamera2://{number}"
        found = len(Picamera2.global_camera_info())
        if number >= found:
            raise CameraError(
                f"{self._name}: libcamera finds {found} cameras; `rpicam-hello --list-cameras` shows them"
            )
        width, height = (side - side % 2 for side in size_wh)
        zoom = -(-_FULL_VIEW_WIDTH // width) if width < _FULL_VIEW_WIDTH else 1
        # Made in two steps: one that fails half-way holds the camera already, and only close() gives it back.
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
            with contextlib.suppress(AttributeError):  # of what one that failed half-way does not have yet
                self.close()
            raise CameraError(f"{self._name}: {_reason(error)}") from error

    def grab(self) -> Gray | None:
        """The next picture, (H, W) uint8, a copy.

        Raises:
            CameraError: the camera failed.
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
        """Reads what was agreed: libcamera replaces a format or a size it cannot give without a word."""
        name = str(stream["format"])
        if name not in _LUMA_STEP:
            raise CameraError(
                f"{self._name}: gives {name}; expected a format that begins with luma, as YUV420"
            )
        self._step = _LUMA_STEP[name]
        self._size_wh = (int(stream["size"][0]), int(stream["size"][1]))
        self._stride = int(stream["stride"])


def _quiet() -> None:
    """Keeps out of the log what picamera2 tells of every opening and closing, and what it raises as well."""
    if not logger.isEnabledFor(logging.DEBUG):
        logging.getLogger("picamera2").setLevel(logging.WARNING)
        logging.getLogger("picamera2.picamera2").setLevel(logging.CRITICAL)


def _reason(error: BaseException) -> str:
    """Why a camera does not start; picamera2 wraps what libcamera or the kernel said in words of its own."""
    while error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, PermissionError) and error.filename:
        return f"{error.filename}: permission denied: {permissions.explain_denied(Path(error.filename))}"
    return f"does not start ({error}); is another program using it?"


def _unimportable(number: int, said: str) -> MissingDependencyError:
    return MissingDependencyError(
        f"picamera2://{number}: picamera2 cannot be imported ({said}); fix: "
        f"{remedies.picamera2(said, detect_platform())}"
    )


def picamera_opener(number: int, settings: CaptureSettings) -> Callable[[], LiveCamera]:
    """What opens a camera of a Raspberry Pi.

    Raises:
        MissingDependencyError: picamera2 is not installed.
    """
    if "picamera2" not in sys.modules and importlib.util.find_spec("picamera2") is None:
        raise _unimportable(number, "No module named 'picamera2'")
    return partial(open_picamera, number, settings)


def open_picamera(number: int, settings: CaptureSettings) -> LiveCamera:
    """A camera of a Raspberry Pi; to import picamera2 and start the sensor takes seconds on a small one."""
    size_wh = settings.size_wh or DEFAULT_WH
    return LiveCamera(
        f"picamera2://{number}", lambda: PicameraGrabber(number, size_wh), settings, first_s=10.0
    )


@dataclass(frozen=True)
class ListedCamera:
    """A camera as libcamera lists it.

    Attributes:
        number: by which it is opened.
        model: of its sensor.
        usb: whether it is none of the board's own.
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
# To import picamera2 takes seconds on a small board.
_LIST_S = 60


def list_cameras() -> tuple[ListedCamera, ...] | None:
    """What libcamera finds; None where picamera2 is not installed.

    It is asked in a process of its own: a package that was built for another numpy takes the one that imports
    it along.

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
    # A camera is opened by its place in this list; the number in it is libcamera's, in another order.
    return tuple(
        ListedCamera(place, str(model), "usb" in str(name).lower())
        for place, (model, name) in enumerate(json.loads(lines[-1]))
    )
