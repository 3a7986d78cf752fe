"""Makes picamera2 open the cameras of libcamera's `virtual` pipeline instead of a Raspberry Pi's.

The last line of picamera2's `__init__` imports this module. The virtual machine has neither the sensor nor
the image processor of a Raspberry Pi. A subclass replaces what only these provide, in picamera2 0.3.38:

- `_get_raw_modes` asks libcamera for the raw formats of the sensor, by which picamera2 knows the sensor's
size. This pipeline has none, so the sizes of its processed formats are returned. - `allocator`: picamera2
allocates memory from the kernel and passes libcamera one buffer per frame. This pipeline needs one buffer per
plane, and memory that libcamera allocated: picamera2's `LibcameraAllocator`. The usual allocator is still
created, first and when the camera is closed. - The allocator's `sync` returns the content of a buffer.
picamera2 expects one piece, whose length the metadata hold; here they hold none. So the planes are
concatenated.

Opening, configuring, starting, threads, requests, `capture_buffer`, stopping and closing are picamera2's own.
"""

from __future__ import annotations

import mmap
from typing import Any

import libcamera
import picamera2
from picamera2.allocators import LibcameraAllocator


class _Planes:
    """The content of a buffer: a copy of its planes, one after the other."""

    def __init__(self, allocator: _Allocator, buffer: Any, write: bool) -> None:
        self._planes = buffer.planes

    def __enter__(self) -> bytearray:
        content = bytearray()
        for plane in self._planes:
            end = plane.offset + plane.length
            with mmap.mmap(plane.fd, end, mmap.MAP_SHARED, mmap.PROT_READ) as memory:
                content += memory[plane.offset : end]
        return content

    def __exit__(self, *_: object) -> None:
        pass


class _Allocator(LibcameraAllocator):  # type: ignore[misc]
    def __init__(self, camera: Any) -> None:
        super().__init__(camera)
        self.sync = _Planes


class _Picamera2(picamera2.Picamera2):  # type: ignore[misc]
    def __init__(self, camera_num: int = 0, **options: Any) -> None:
        super().__init__(camera_num, **options)
        self.allocator = _Allocator(self.camera)

    def _get_raw_modes(self) -> list[dict[str, Any]]:
        formats = self.camera.generate_configuration([libcamera.StreamRole.Viewfinder]).at(0).formats
        return [
            {"format": str(name), "size": (size.width, size.height)}
            for name in formats.pixel_formats
            for size in formats.sizes(name)
        ]


picamera2.Picamera2 = _Picamera2
