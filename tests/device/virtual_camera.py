"""Has picamera2 open the cameras of libcamera's `virtual` pipeline in the place of a Raspberry Pi's.

The last line of picamera2's own `__init__` imports it. A Raspberry Pi's sensor and image processor are what
is not here; of picamera2 0.3.38 a subclass replaces what only they can answer, and nothing else:

- `_get_raw_modes` asks libcamera for the sensor's own pictures, before any processing. This pipeline has
  none, so the sizes of its processed ones are the answer, by which picamera2 knows how large a sensor is.
- `allocator`: picamera2 takes memory from the kernel and gives libcamera one piece for each picture. This
  pipeline wants one for each plane of a picture, and only memory that libcamera took: picamera2's own
  `LibcameraAllocator`. The usual one is made all the same, before it, and when the camera is closed.
- the allocator's `sync`, which gives what is in that memory: picamera2 takes it for one piece, as long as the
  metadata says, which here say nothing. So the planes are put together, one after the other.

Opening, configuring, starting, its threads, requests, `capture_buffer`, stopping and closing are picamera2's.
"""

from __future__ import annotations

import mmap
from typing import Any

import libcamera
import picamera2
from picamera2.allocators import LibcameraAllocator


class _Planes:
    """The planes of a picture, one after the other; a copy."""

    def __init__(self, allocator: _Allocator, buffer: Any, write: bool) -> None:
        self._planes = buffer.planes

    def __enter__(self) -> bytearray:
        picture = bytearray()
        for plane in self._planes:
            end = plane.offset + plane.length
            with mmap.mmap(plane.fd, end, mmap.MAP_SHARED, mmap.PROT_READ) as memory:
                picture += memory[plane.offset : end]
        return picture

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
        offered = self.camera.generate_configuration([libcamera.StreamRole.Viewfinder]).at(0).formats
        return [
            {"format": str(name), "size": (size.width, size.height)}
            for name in offered.pixel_formats
            for size in offered.sizes(name)
        ]


picamera2.Picamera2 = _Picamera2
