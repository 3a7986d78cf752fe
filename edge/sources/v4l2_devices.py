"""The V4L2 nodes below /dev: which of them are cameras, and what they say of themselves."""

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

# {node: why it cannot be asked}, as it was told last: whoever looks for a camera for months tells it once.
_told: dict[str, str] = {}

# linux/videodev2.h: _IOR('V', 0, struct v4l2_capability), which is driver[16], card[32], bus_info[32],
# version, capabilities (of the whole device), device_caps (of this node), reserved[3].
_QUERYCAP = 0x80685600
_CAPABILITY = struct.Struct("16s32s32s3I12x")
_HAS_DEVICE_CAPS = 0x80000000
_CAPTURES, _CAPTURES_PLANES = 0x00000001, 0x00001000
_CONVERTS = 0x00004000 | 0x00008000  # memory to memory: a codec or scaler

# _IOWR('V', 2, struct v4l2_fmtdesc): index, type, flags, description[32], pixelformat, mbus_code and
# reserved[3].
_ENUM_FMT = 0xC0405602
_FORMAT = struct.Struct("3I32s4s16x")
_ONE_PLANE, _SEVERAL_PLANES = 1, 9
# _IOWR('V', 74, struct v4l2_frmsizeenum): index, pixel_format, type, then width and height, or the least,
# largest and step of either; reserved[2].
_ENUM_FRAMESIZES = 0xC02C564A
_SIZES = struct.Struct("I4sI6I8x")
_DISCRETE = 1
# No camera has more of either; a driver that never says that it is at the end is not asked for ever.
_MOST = 100

# These deliver a sensor's raw pixels or belong to an image processor: libcamera and nvargus read them.
_PI_DRIVERS = ("unicam", "rp1-cfe")
_JETSON_DRIVERS = ("tegra",)
_RAW_DRIVERS = ("bcm2835-isp", "bcm2835-codec", "pispbe", *_PI_DRIVERS, *_JETSON_DRIVERS)


@dataclass(frozen=True)
class V4L2Device:
    """What a node says of itself.

    Attributes:
        path: of the node.
        driver: of the kernel.
        card: what the device is called.
        several_planes: whether it is asked for pictures of several planes.
        unusable_reason: why it gives no picture that can be used; empty for a camera.
    """

    path: str
    driver: str
    card: str
    several_planes: bool
    unusable_reason: str

    @classmethod
    def parse(cls, path: str, capability: bytes) -> V4L2Device:
        """From a VIDIOC_QUERYCAP answer, 104 bytes."""
        driver, card, _, _, device, node = _CAPABILITY.unpack(capability)
        flags = node if device & _HAS_DEVICE_CAPS else device
        name = _text(driver)
        unusable_reason = ""
        if name.startswith(_RAW_DRIVERS):
            unusable_reason = "raw pixels of a sensor, or an image processor"
        elif flags & _CONVERTS:
            unusable_reason = "a codec or scaler"
        elif not flags & (_CAPTURES | _CAPTURES_PLANES):
            unusable_reason = "metadata or an output"
        return cls(path, name, _text(card), not flags & _CAPTURES, unusable_reason)

    @property
    def of_pi(self) -> bool:
        """Whether it is the raw end of a camera that libcamera reads."""
        return self.driver.startswith(_PI_DRIVERS)

    @property
    def of_jetson(self) -> bool:
        """Whether it is the raw end of a camera that nvargus reads."""
        return self.driver.startswith(_JETSON_DRIVERS)


@dataclass(frozen=True)
class Format:
    """A format of a camera's pictures.

    Attributes:
        name: its four letters, as YUYV or MJPG.
        sizes_wh: widths and heights in pixels, from small to large; empty where the driver tells none.
        between: whether the two sizes are the ends of a range.
    """

    name: str
    sizes_wh: tuple[tuple[int, int], ...]
    between: bool

    def __str__(self) -> str:
        sizes = [f"{width}x{height}" for width, height in self.sizes_wh]
        if self.between:
            return f"{self.name} {sizes[0]} to {sizes[-1]}"
        if len(sizes) > 6:
            return f"{self.name} {sizes[0]} to {sizes[-1]} ({len(sizes)} sizes)"
        return " ".join([self.name, *sizes])


def query(path: str) -> V4L2Device:
    """What a node says of itself.

    Raises:
        CameraError: it does not exist, may not be opened, or is no video device.
    """
    with _opened(path) as node:
        try:
            return V4L2Device.parse(path, fcntl.ioctl(node, _QUERYCAP, bytes(_CAPABILITY.size)))
        except OSError as error:
            raise CameraError(f"{path}: not a video device; expected a camera, one of /dev/video*") from error


def formats(node: V4L2Device) -> tuple[Format, ...]:
    """All formats of a camera's pictures, in its own order; empty where the driver tells none.

    Raises:
        CameraError: it may not be opened any more.
    """
    kind = _SEVERAL_PLANES if node.several_planes else _ONE_PLANE
    with _opened(node.path) as opened:
        found = []
        for answer in _answers(opened, _ENUM_FMT, _FORMAT, kind, 0, b"", bytes(4)):
            fourcc = answer[4]
            sizes: list[tuple[int, int]] = []
            between = False
            for _, _, way, *sides in _answers(opened, _ENUM_FRAMESIZES, _SIZES, fourcc, *[0] * 7):
                if way == _DISCRETE:
                    sizes.append((sides[0], sides[1]))
                else:
                    sizes, between = [(sides[0], sides[3]), (sides[1], sides[4])], True
                    break
            # The last byte's highest bit tells the order of bytes, and is no letter's.
            name = _text(bytes(byte & 0x7F for byte in fourcc))
            found.append(Format(name, tuple(sorted(sizes)), between))
        return tuple(found)


def cameras(dev: Path = DEV) -> list[str]:
    """The cameras among /dev/video*, by number; what cannot be asked is logged, once for each reason."""
    found = []
    for path in paths(dev):
        try:
            node = query(path)
        except CameraError as error:
            known = _told.get(path) == str(error)
            logger.log(logging.DEBUG if known else logging.WARNING, "%s", error)
            _told[path] = str(error)
            continue
        _told.pop(path, None)
        if node.unusable_reason:
            logger.debug("%s (%s, %s): left out: %s", path, node.card, node.driver, node.unusable_reason)
        else:
            found.append(path)
    return found


def paths(dev: Path = DEV) -> list[str]:
    """All of /dev/video*, by number."""
    return [str(path) for path in sorted(dev.glob("video[0-9]*"), key=lambda path: int(path.name[5:]))]


def stable_link(path: str, dev: Path = DEV) -> str:
    """A name by which udev knows the same camera after a restart too; empty where there is none.

    Args:
        path: of the node, whose number depends on which camera answered first.
        dev: where the node lies.
    """
    for folder in ("by-id", "by-path"):
        for link in sorted((dev / "v4l" / folder).glob("*")):
            if link.resolve() == Path(path).resolve():
                return str(link)
    return ""


@contextmanager
def _opened(path: str) -> Iterator[int]:
    try:
        node = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise CameraError(
            f"{path}: no such device; `emotiny cameras` shows what is there, `--source demo` needs none"
        ) from error
    except PermissionError as error:
        raise CameraError(f"{path}: permission denied: {explain_denied(Path(path))}") from error
    except OSError as error:
        raise CameraError(f"{path}: {error.strerror}; a camera that is plugged in is expected") from error
    try:
        yield node
    finally:
        os.close(node)


def _answers(node: int, request: int, form: struct.Struct, *asked: object) -> Iterator[tuple[Any, ...]]:
    """Asks with index 0, 1, ... until the driver has no more."""
    for index in range(_MOST):
        try:
            answer = fcntl.ioctl(node, request, form.pack(index, *asked))
        except OSError:  # EINVAL at the end, ENOTTY where the driver does not know the question
            return
        yield form.unpack(answer)


def _text(field: bytes) -> str:
    return field.split(b"\0")[0].decode("ascii", "replace").strip()
