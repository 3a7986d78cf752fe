"""Files that a source reads: pictures and recordings."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import numpy.typing as npt

from edge.sources import demo
from edge.sources.files import open_files
from edge.sources.settings import CaptureSettings
from edge.types import Gray
from tests.fuzz.target import Command, Target

_FACES = Path(demo.__file__).with_name("demo_faces")
_MOST_FRAMES = 300
# Of containers and codecs that OpenCV's FFmpeg can write; what it cannot is left out.
_RECORDINGS = (
    *(
        (".avi", "MJPG"),
        (".avi", "mp4v"),
        (".mp4", "mp4v"),
        (".mkv", "mp4v"),
        (".mkv", "MJPG"),
        (".webm", "VP80"),
    ),
    *(
        (".webm", "VP90"),
        (".avi", "FFV1"),
        (".mpg", "MPG1"),
        (".mpg", "mpg2"),
        (".ts", "mpg2"),
        (".flv", "FLV1"),
    ),
    *((".wmv", "WMV2"), (".mov", "mjpg"), (".avi", "XVID"), (".avi", "HFYU"), (".mp4", "VP90")),
)


def frames(count: int, size_wh: tuple[int, int] = (64, 48)) -> list[Gray]:
    """Returns frames (H, W, 3) uint8 of a drawn face that moves over noise."""
    width, height = size_wh
    random = np.random.default_rng(0)
    face = cv2.imread(str(_FACES / "happy-female.png"), cv2.IMREAD_COLOR)[:40, :40]
    made = []
    for number in range(count):
        frame = random.integers(90, 110, (height, width, 3), np.uint8)
        frame[4:44, 2 * number : 2 * number + 40] = face
        made.append(frame)
    return made


def encoded(suffix: str, frame: npt.NDArray[Any], *options: int) -> bytes:
    """Returns a frame as a file of a format."""
    done, content = cv2.imencode(suffix, frame, options)
    if not done:
        raise ValueError(f"{suffix}: cannot be written")
    return content.tobytes()


class _Files(Target):
    """A file that is a source."""

    name = ""

    def try_input(self, content: bytes) -> bool:
        with open_files(self._write(content), CaptureSettings(), fast=True) as camera:
            for _ in zip(camera, range(_MOST_FRAMES), strict=False):
                pass
        return True

    @contextmanager
    def command(self, content: bytes) -> Iterator[Command | None]:
        yield Command(["run", "--fast", "--source", str(self._write(content)), "--max-frames", "30"])

    def _write(self, content: bytes) -> Path:
        path = self.folder / self.name
        path.write_bytes(content)
        return path


class Pictures(_Files):
    """A picture; its name says nothing about its format."""

    name = "picture.jpg"
    libraries_print: ClassVar[bool] = True
    dictionary = (
        *(b"\xff" + bytes((marker,)) for marker in (*range(0xC0, 0xE4), 0xFE, 0xFF)),
        *(
            b"IHDR",
            b"PLTE",
            b"IDAT",
            b"IEND",
            b"eXIf",
            b"tRNS",
            b"acTL",
            b"fdAT",
            b"iCCP",
            b"zTXt",
            b"Exif\0\0",
        ),
        *(b"II*\0", b"MM\0*", b"RIFF", b"WEBP", b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"BM"),
        *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"\0\0\0\x0cjP  \r\n\x87\n", b"GIF89a", b"\x76\x2f\x31\x01"),
        *(
            b"\xff\xff\xff\xff",
            b"\x7f\xff\xff\xff",
            b"\0\0\x27\x10",
            b"\x27\x10",
            b"\xff\xff",
            b"P6\n9 9 255\n",
        ),
    )

    def corpus(self) -> list[bytes]:
        (frame,) = frames(1)
        gray = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        alpha = cv2.cvtColor(frame, cv2.COLOR_BGR2BGRA)
        formats = [
            *(
                (".jpg", frame),
                (".jpg", gray),
                (".png", frame),
                (".png", gray),
                (".png", alpha),
                (".bmp", frame),
            ),
            *((".bmp", gray), (".webp", frame), (".webp", alpha)),
        ]
        return [
            *(encoded(suffix, pixels) for suffix, pixels in formats),
            *(encoded(".webp", pixels, cv2.IMWRITE_WEBP_QUALITY, 80) for pixels in (frame, alpha)),
            encoded(".jpg", frame, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
            encoded(".jpg", frame, cv2.IMWRITE_JPEG_RST_INTERVAL, 2, cv2.IMWRITE_JPEG_OPTIMIZE, 1),
            encoded(".png", gray, cv2.IMWRITE_PNG_BILEVEL, 1),
            *(path.read_bytes() for path in sorted(_FACES.glob("neutral-*.png"))),
        ]


class Recordings(_Files):
    """A video, or JPEGs one after the other."""

    name = "recording.bin"
    dictionary = (
        *(b"RIFF", b"AVI ", b"LIST", b"hdrl", b"avih", b"strh", b"strf", b"movi", b"idx1", b"00dc", b"JUNK"),
        *(b"ftyp", b"moov", b"mdat", b"free", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"stts", b"stsz"),
        *(b"stco", b"stsc", b"elst", b"edts", b"avc1", b"hev1", b"mp4v", b"esds", b"av01", b"jpeg", b"png "),
        *(b"\x1a\x45\xdf\xa3", b"\xec", b"\xa3", b"\x1f\x43\xb6\x75", b"V_VP8", b"V_MPEG4/ISO/AVC", b"V_AV1"),
        *(
            b"\0\0\1\xba",
            b"\0\0\1\xb3",
            b"\0\0\1\xb0",
            b"\0\0\1\xe0",
            b"\0\0\0\1\x67",
            b"FLV\1",
            b"OggS",
            b"DKIF",
        ),
        *(b"MJPG", b"H264", b"HEVC", b"mjp2", b"XVID", b"tiff", b"GIF8", b"CRAM", b"RLE ", b"cvid", b"IV50"),
        *(b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), b"\xff\xd8\xff", b"\xff\xd9", b"\xff\xc0"),
    )

    def corpus(self) -> list[bytes]:
        made = [self._video(suffix, codec) for suffix, codec in _RECORDINGS]
        stills = [encoded(".jpg", frame) for frame in frames(5)]
        large = encoded(".jpg", cv2.resize(frames(1)[0], (640, 480)), cv2.IMWRITE_JPEG_QUALITY, 20)
        return [*(each for each in made if each), b"".join(stills), b"".join([*stills, large, *stills])]

    def _video(self, suffix: str, codec: str) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f"video{suffix}")
            fourcc = cv2.VideoWriter_fourcc(*codec)  # type: ignore[attr-defined]
            writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, fourcc, 10, (64, 48))
            if not writer.isOpened():
                return b""
            for frame in frames(8):
                writer.write(frame)
            writer.release()
            return path.read_bytes()
