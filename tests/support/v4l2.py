"""Drivers of V4L2 that answer like those of the kernel."""

import struct
from pathlib import Path

import pytest

CAPTURE, MULTI_PLANE, OUTPUT, META, M2M = 0x1, 0x1000, 0x2, 0x800000, 0x8000
STREAMING, HAS_DEVICE_CAPS = 0x4000000, 0x80000000


def capability(driver: str, device: int, node: int, card: str = "card") -> bytes:
    return struct.pack("16s32s32s6I", driver.encode(), card.encode(), b"bus", 0x60100, device, node, 0, 0, 0)


class Drivers:
    """Fake kernel drivers behind plain files, which answer the three requests of `ioctl`.

    Attributes:
        answers: The capability and {format: sizes} of each node, by its name; three sizes mean a range.
    """

    def __init__(self, dev: Path) -> None:
        self.dev = dev
        self.answers: dict[str, tuple[bytes, dict[str, list[tuple[int, int]]]]] = {}

    def add(self, name, driver, node, has=None, card="HD Webcam"):
        self.answers[name] = (capability(driver, HAS_DEVICE_CAPS | node, node, card), has or {})
        (self.dev / name).touch()

    def ioctl(self, opened, request, asked):
        says, has = self.answers[Path(f"/proc/self/fd/{opened}").resolve().name]
        kind, number, size = request >> 30, request & 0xFF, request >> 16 & 0x3FFF
        assert (kind, request >> 8 & 0xFF, size) == (2 if number == 0 else 3, ord("V"), len(asked))
        if number == 0:
            return says
        if number == 2:
            index, planes = struct.unpack_from("2I", asked)
            expected = 1 if struct.unpack_from("I", says, 88)[0] & CAPTURE else 9
            if planes != expected or index >= len(has):
                raise OSError(22, "Invalid argument")
            return struct.pack(
                "3I32s4s4I", index, planes, 0, b"what it is", list(has)[index].encode("latin-1"), *[0] * 4
            )
        assert number == 74
        index, fourcc = struct.unpack_from("I4s", asked)
        sizes = has[fourcc.decode("latin-1")]
        if not sizes:
            raise OSError(25, "Inappropriate ioctl for device")
        if len(sizes) == 3:
            (low, high), (least, most), (step, step_y) = (
                (sizes[0][0], sizes[1][0]),
                (sizes[0][1], sizes[1][1]),
                sizes[2],
            )
            return struct.pack("I4s9I", index, fourcc, 3, low, high, step, least, most, step_y, 0, 0)
        if index >= len(sizes):
            raise OSError(22, "Invalid argument")
        return struct.pack("I4s9I", index, fourcc, 1, *sizes[index], *[0] * 6)


@pytest.fixture
def drivers(tmp_path, monkeypatch) -> Drivers:
    found = Drivers(tmp_path)
    monkeypatch.setattr("edge.sources.v4l2_devices.fcntl.ioctl", found.ioctl)
    return found
