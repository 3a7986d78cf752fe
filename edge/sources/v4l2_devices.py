"""The V4L2 devices below /dev: which of them are cameras, and what their drivers report about them."""

from __future__ import annotations

import fcntl
import logging
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import CameraError
from edge.system.permissions import explain_denied

logger = logging.getLogger(__name__)

DEV = Path("/dev")

# linux/videodev2.h: _IOR('V', 0, struct v4l2_capability), which is driver[16], card[32], bus_info[32],
# version, capabilities (of the whole device), device_caps (of this node), reserved[3].
_QUERYCAP = 0x80685600
_CAPABILITY = struct.Struct("16s32s32s3I12x")
_HAS_DEVICE_CAPS = 0x80000000
_CAPTURE, _CAPTURE_MPLANE = 0x00000001, 0x00001000
_M2M = 0x00004000 | 0x00008000  # memory to memory: a codec or scaler

# _IOWR('V', 2, struct v4l2_fmtdesc): index, type, flags, description[32], pixelformat, mbus_code and
# reserved[3].
_ENUM_FMT = 0xC0405602
_FORMAT = struct.Struct("3I32s4s16x")
_BUF_TYPE_CAPTURE, _BUF_TYPE_CAPTURE_MPLANE = 1, 9
# _IOWR('V', 74, struct v4l2_frmsizeenum): index, pixel_format, type, then width and height, or the
# minimum, maximum and step of each; reserved[2].
_ENUM_FRAMESIZES = 0xC02C564A
_SIZES = struct.Struct("I4sI6I8x")
_DISCRETE = 1
# No camera has more formats or sizes; bounds the questions to a driver that never reports the end.
_MAX_ANSWERS = 100

# Drivers that deliver the raw pixels of a sensor or belong to an image processor, which libcamera and nvargus
# read.
_PI_DRIVERS = ("unicam", "rp1-cfe")
_JETSON_DRIVERS = ("tegra",)
_RAW_DRIVERS = ("bcm2835-isp", "bcm2835-codec", "pispbe", *_PI_DRIVERS, *_JETSON_DRIVERS)


@dataclass(frozen=True)
class V4L2Device:
    """A device node, as its driver describes it.

    Attributes:
        path: The path of the node.
        driver: The name of the kernel's driver.
        card: The name of the device.
        multiplanar: Whether the device is captured by the multi-planar API.
        unusable_reason: Why the device delivers no usable frames; empty for a camera.
    """

    path: str
    driver: str
    card: str
    multiplanar: bool
    unusable_reason: str

    @classmethod
    def parse(cls, path: str, capability: bytes) -> V4L2Device:
        """Parses the 104 bytes that VIDIOC_QUERYCAP returns for the node of this path."""
        driver, card, _, _, capabilities, device_caps = _CAPABILITY.unpack(capability)
        flags = device_caps if capabilities & _HAS_DEVICE_CAPS else capabilities
        name = _text(driver)
        unusable_reason = ""
        if name.startswith(_RAW_DRIVERS):
            unusable_reason = "raw pixels of a sensor, or an image processor"
        elif flags & _M2M:
            unusable_reason = "a codec or scaler"
        elif not flags & (_CAPTURE | _CAPTURE_MPLANE):
            unusable_reason = "metadata or an output"
        return cls(path, name, _text(card), not flags & _CAPTURE, unusable_reason)

    @property
    def of_pi(self) -> bool:
        """Whether it delivers the raw pixels of a camera that libcamera reads."""
        return self.driver.startswith(_PI_DRIVERS)

    @property
    def of_jetson(self) -> bool:
        """Whether it delivers the raw pixels of a camera that nvargus reads."""
        return self.driver.startswith(_JETSON_DRIVERS)


@dataclass(frozen=True)
class Format:
    """A pixel format of a camera.

    Attributes:
        name: The four letters of the format, such as YUYV or MJPG.
        sizes_wh: Widths and heights in pixels, from small to large; empty if the driver reports none.
        is_range: Whether the two sizes are the ends of a range.
    """

    name: str
    sizes_wh: tuple[tuple[int, int], ...]
    is_range: bool

    def __str__(self) -> str:
        sizes = [f"{width}x{height}" for width, height in self.sizes_wh]
        if self.is_range:
            return f"{self.name} {sizes[0]} to {sizes[-1]}"
        if len(sizes) > 6:
            return f"{self.name} {sizes[0]} to {sizes[-1]} ({len(sizes)} sizes)"
        return " ".join([self.name, *sizes])


def query(path: str) -> V4L2Device:
    """Asks the driver about a device node.

    Raises:
        CameraError: The node does not exist, may not be opened, or is not a video device.
    """
    with _opened(path) as descriptor:
        try:
            return V4L2Device.parse(path, fcntl.ioctl(descriptor, _QUERYCAP, bytes(_CAPABILITY.size)))
        except OSError as error:
            raise CameraError(f"{path}: not a video device; expected a camera, one of /dev/video*") from error


def query_all(dev: Path = DEV) -> tuple[list[V4L2Device], dict[str, CameraError]]:
    """Asks the drivers about all of /dev/video*.

    Args:
        dev: The folder of the device nodes.

    Returns:
        The devices that answer, by number; and the error of each that does not, by its path. Devices with the
        same error share one entry, such as "/dev/video0 and 3 more", because one camera has several nodes.
    """
    devices: list[V4L2Device] = []
    failures: dict[str, list[tuple[str, CameraError]]] = {}
    for path in paths(dev):
        try:
            device = query(path)
        except CameraError as error:
            failures.setdefault(str(error).replace(path, ""), []).append((path, error))
            continue
        devices.append(device)
        if device.unusable_reason:
            logger.debug(
                "%s: left out: %s (%s, %s)", path, device.unusable_reason, device.card, device.driver
            )
    errors = {}
    for (first, failure), *others in failures.values():
        name = f"{first} and {len(others)} more" if others else first
        errors[name] = CameraError(name + str(failure).removeprefix(first))
    return devices, errors


def formats(device: V4L2Device) -> tuple[Format, ...]:
    """Returns all formats of a camera in the order of its driver; empty if the driver reports none.

    Raises:
        CameraError: The device may not be opened any more.
    """
    buf_type = _BUF_TYPE_CAPTURE_MPLANE if device.multiplanar else _BUF_TYPE_CAPTURE
    with _opened(device.path) as descriptor:
        found = []
        for answer in _answers(descriptor, _ENUM_FMT, _FORMAT, buf_type, 0, b"", bytes(4)):
            fourcc = answer[4]
            sizes: list[tuple[int, int]] = []
            is_range = False
            for _, _, kind, *sides in _answers(descriptor, _ENUM_FRAMESIZES, _SIZES, fourcc, *[0] * 7):
                if kind == _DISCRETE:
                    sizes.append((sides[0], sides[1]))
                else:
                    sizes, is_range = [(sides[0], sides[3]), (sides[1], sides[4])], True
                    break
            # The highest bit of the last byte is a flag for the byte order, not part of a letter.
            name = _text(bytes(byte & 0x7F for byte in fourcc))
            found.append(Format(name, tuple(sorted(sizes)), is_range))
        return tuple(found)


def paths(dev: Path = DEV) -> list[str]:
    """Returns the paths of all /dev/video*, by number."""
    # udev's rules of the owner's may add links such as video0_front: their nodes are among the others.
    numbered = (path for path in dev.glob("video[0-9]*") if path.name[5:].isdecimal())
    return [str(path) for path in sorted(numbered, key=lambda path: int(path.name[5:]))]


def stable_link(path: str, dev: Path = DEV) -> str:
    """Returns udev's link to a node, which stays the same after a restart; empty if there is none.

    Args:
        path: The path of the node, whose number depends on which camera was found first.
        dev: The folder of the device nodes.
    """
    for folder in ("by-id", "by-path"):
        for link in sorted((dev / "v4l" / folder).glob("*")):
            if link.resolve() == Path(path).resolve():
                return str(link)
    return ""


@contextmanager
def _opened(path: str) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise CameraError(
            f"{path}: no such device; `emotiny cameras` shows what is there, `--source demo` needs none"
        ) from error
    except PermissionError as error:
        raise CameraError(f"{path}: permission denied: {explain_denied(Path(path))}") from error
    except OSError as error:
        raise CameraError(f"{path}: {error.strerror}; a camera that is plugged in is expected") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _answers(
    descriptor: int, request: int, layout: struct.Struct, *fields: object
) -> Iterator[tuple[Any, ...]]:
    """Repeats a request with index 0, 1, ... until the driver has no more answers."""
    for index in range(_MAX_ANSWERS):
        try:
            answer = fcntl.ioctl(descriptor, request, layout.pack(index, *fields))
        except OSError:  # EINVAL at the end, ENOTTY if the driver does not support the request
            return
        yield layout.unpack(answer)


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("ascii", "replace").strip()
