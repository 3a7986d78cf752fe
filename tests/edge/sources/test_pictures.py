"""Pictures from outside: which are decoded, and how much memory that may take."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.sources.picture_header import MAX_BYTES, MAX_JPEG_PIXELS, UnreadableError, check_picture
from edge.sources.pictures import decode_jpeg, read_picture
from tests.support.png import animation, chunk, png

LIMIT_BYTES = 400 << 20  # what systemd lets the service have
HUGE_WH = (25_000, 25_000)


def encoded(suffix: str, size_wh: tuple[int, int] = (61, 47), *options: int) -> bytes:
    gray = np.arange(size_wh[0] * size_wh[1], dtype=np.uint8).reshape(size_wh[::-1])
    return cv2.imencode(suffix, gray, options)[1].tobytes()


def refusal(content: bytes) -> str:
    with pytest.raises(UnreadableError) as caught:
        check_picture(content)
    return str(caught.value)


def jpeg_of(size_wh: tuple[int, int], *before: bytes) -> bytes:
    """Returns a JPEG that says to have this size."""
    content = encoded(".jpg")
    start = content.index(b"\xff\xc0")
    size = struct.pack(">HH", size_wh[1], size_wh[0])
    return b"".join([content[:start], *before, content[start : start + 5], size, content[start + 9 :]])


def webp_canvas(size_wh: tuple[int, int], flags: int) -> bytes:
    sides = b"".join((side - 1).to_bytes(3, "little") for side in size_wh)
    body = b"WEBPVP8X" + struct.pack("<II", 10, flags) + sides
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bmp_of(width: int, height: int) -> bytes:
    content = bytearray(encoded(".bmp"))
    struct.pack_into("<ii", content, 18, width, height)
    return bytes(content)


def frame_of(size_wh: tuple[int, int], *samplings: int, marker: int = 0xC2) -> bytes:
    """Returns the frame header of a JPEG; each sampling has the factors across and down in its digits."""
    size = struct.pack(">HBHHB", 8 + 3 * len(samplings), 8, size_wh[1], size_wh[0], len(samplings))
    parts = b"".join(bytes((n, sampling, 0)) for n, sampling in enumerate(samplings, 1))
    return bytes((0xFF, marker)) + size + parts


def progressive_jpeg(
    size_wh: tuple[int, int], *samplings: int, marker: int = 0xC2, scanned: int = 0
) -> bytes:
    """Returns a gray JPEG, whose decoder holds all coefficients, 2 bytes each.

    Args:
        size_wh: Width and height in pixels.
        samplings: The sampling factors of each component.
        marker: The kind of frame, progressive or another one.
        scanned: How many components are in the only pass; 0 for all.
    """
    tables = encoded(".jpg")
    quantization = tables[tables.index(b"\xff\xdb") : tables.index(b"\xff\xc0")]
    huffman = tables[tables.index(b"\xff\xc4") : tables.index(b"\xff\xda")]
    count = scanned or len(samplings)
    scan = struct.pack(">HB", 6 + 2 * count, count) + b"".join(bytes((n, 0)) for n in range(1, count + 1))
    end = bytes((0, 0 if marker == 0xC2 else 63, 0)) + bytes(9) + b"\xff\xd9"
    frame = frame_of(size_wh, *samplings, marker=marker)
    return b"\xff\xd8" + quantization + frame + huffman + b"\xff\xda" + scan + end


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp"])
def test_the_size_in_a_header_is_that_of_the_picture(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "named.otherwise"
    for options in ((), (cv2.IMWRITE_WEBP_QUALITY, 30)) if suffix == ".webp" else ((),):
        path.write_bytes(encoded(suffix, (61, 47), *options))
        assert read_picture(path).shape == (47, 61)
    monochrome = read_picture(path)
    expected = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(monochrome, np.asarray(expected))


def test_jpeg_2000_is_not_decoded_whatever_its_name(tmp_path: Path) -> None:
    for name in ("a.jp2", "a.jpg"):
        content = encoded(".jp2")
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableError, match="neither JPEG, PNG, WebP nor BMP"):
            read_picture(tmp_path / name)
    assert decode_jpeg(content) is None
    codestream = content[content.index(b"\xff\x4f\xff\x51") :]
    assert refusal(codestream) == "neither JPEG, PNG, WebP nor BMP"


@pytest.mark.parametrize("suffix", [".tif", ".hdr", ".pgm", ".ras"])
def test_formats_that_nobody_needs_are_not_decoded(suffix: str) -> None:
    kind = np.float32 if suffix == ".hdr" else np.uint8
    content = cv2.imencode(suffix, np.zeros((9, 9, 3 if suffix == ".hdr" else 1), kind))[1].tobytes()
    assert cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE) is not None
    assert refusal(content) == "neither JPEG, PNG, WebP nor BMP"


@pytest.mark.parametrize(
    "content",
    [
        png(HUGE_WH, rows=0),
        jpeg_of(HUGE_WH),
        jpeg_of(HUGE_WH, b"\xff\xff\xfe\x00\x08" + b"\xff\xc0\x00\x00\x00\x00", b"junk\xff\x00"),
        bmp_of(*HUGE_WH),
        bmp_of(25_000, -25_000),
        webp_canvas((16_000, 16_000), 0),
    ],
)
def test_a_picture_of_more_pixels_than_memory_is_refused_by_its_header(content: bytes) -> None:
    most = 50 if content.startswith(b"\xff\xd8") else 20
    assert f"0 pixels; expected {most} million at most" in refusal(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "neither"),
        (b"\xff\xd8\xff", "cut off"),
        (encoded(".jpg")[:12], "no size in its header"),
        (b"\xff\xd8\xff\xe0\x00\x00\xff\xc0", "damaged in its header"),
        (b"\xff\xd8\xff\xda\x00\x08", "no size before its pixels"),
        (encoded(".png")[:20], "cut off"),
        (encoded(".bmp")[:16], "cut off"),
        (encoded(".webp")[:14], "damaged in its header"),
        (webp_canvas((9, 9), 0x02), "animated; expected a still picture"),
        (jpeg_of((9, 9)) + b"\xff\xda" * 64, "more than 64 scans"),
        (jpeg_of((9, 9))[: jpeg_of((9, 9)).index(b"\xff\xda")], "cut off"),
        (jpeg_of((9, 9), frame_of((9, 9))), "two sizes in its header"),
        (progressive_jpeg((9, 9), 0x00), "damaged in its header"),
        (progressive_jpeg((9, 9)), "damaged in its header"),
        (
            progressive_jpeg((8192, 6144), 0x11, 0x11, 0x11),
            "8192x6144 pixels of a progressive JPEG, which takes 301 MB; expected 160 MB at most, or",
        ),
        (progressive_jpeg((4600, 4600), 0x11, 0x11, 0x11, 0x11), "which takes 169 MB; expected 160 MB"),
        (png((0, 9)), "0x9 pixels"),
        (png((9, 9))[:-1], "cut off"),
    ],
)
def test_what_cannot_be_decoded_is_told(content: bytes, message: str) -> None:
    assert message in refusal(content)


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize(
    ("size_wh", "halved"), [((5664, 4248), True), ((8192, 6144), True), ((5000, 4000), False)]
)
def test_a_telephone_s_largest_jpegs_are_read_at_half_their_size(
    tmp_path: Path, size_wh: tuple[int, int], halved: bool, progressive: int
) -> None:
    width, height = size_wh
    color = np.zeros((height, width, 3), np.uint8)
    color[: height // 2] = 200
    content = cv2.imencode(".jpg", color, [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive])[1].tobytes()
    # Turned by a quarter, as a telephone that is held upright notes.
    exif = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    content = content[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + content[2:]
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    gray = read_picture(path)
    assert gray.shape == ((width // 2, height // 2) if halved else (width, height))
    assert gray[:, -9:].min() > 190
    assert gray[:, :9].max() < 9
    assert peak_bytes(tmp_path, content) < LIMIT_BYTES


def test_larger_pictures_of_other_formats_are_refused_by_their_size() -> None:
    for content in (png((8064, 6048), rows=0), bmp_of(8064, 6048), webp_canvas((8064, 6048), 0)):
        assert refusal(content) == "8064x6048 pixels; expected 20 million at most"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(UnreadableError, match="larger than 64 MB"):
        read_picture(path)


def peak_bytes(tmp_path: Path, content: bytes) -> int:
    """Returns how much memory a process needed at most that reads the picture."""
    (tmp_path / "a.bin").write_bytes(content)
    code = (
        "import re, sys\nfrom pathlib import Path\n"
        "from edge.sources.pictures import UnreadableError, read_picture\n"
        "try: read_picture(Path(sys.argv[1]))\n"
        "except UnreadableError as error: print(error, file=sys.stderr)\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.bin")],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return int(ran.stdout) << 10


# Its pixels have 12 bytes, and claim to have 1.9 GB.
CUT_OFF_PNG = png((9, 9))[:33] + b"\x70\0\0\0IDAT" + bytes(4)
TEXT = chunk(b"zTXt", b"text\0\0" + zlib.compress(bytes(7_900_000), 9))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(png(HUGE_WH, bits=1), id="75 kB of PNG for 2.5 GB"),
        pytest.param(CUT_OFF_PNG, id="45 bytes of PNG for 1.9 GB"),
        pytest.param(png(HUGE_WH, *animation(HUGE_WH), rows=0), id="animated PNG"),
        pytest.param(png((4469, 4470), *animation((4469, 4470))), id="largest PNG, animated"),
        pytest.param(png((4469, 4470), *[TEXT] * 20), id="PNG with long texts"),
        pytest.param(progressive_jpeg((4470, 4470), *[0x11] * 4), id="largest CMYK JPEG"),
        pytest.param(progressive_jpeg((8192, 6144), 0x22, 0x11, 0x11), id="largest progressive JPEG"),
        pytest.param(progressive_jpeg((7070, 7070), *[0x11] * 4), id="progressive CMYK JPEG"),
        pytest.param(progressive_jpeg((7070, 7070), *[0x11] * 4, marker=0xC0), id="baseline CMYK JPEG"),
        pytest.param(
            progressive_jpeg((7070, 7070), *[0x11] * 4, marker=0xC0, scanned=1), id="baseline JPEG in passes"
        ),
    ],
)
def test_no_picture_takes_more_memory_than_the_service_has(tmp_path: Path, content: bytes) -> None:
    assert peak_bytes(tmp_path, content) < LIMIT_BYTES


def test_opencv_itself_refuses_what_the_header_did_not_show(tmp_path: Path) -> None:
    """As with a header that OpenCV reads in another way than this package."""
    (tmp_path / "a.png").write_bytes(png((7100, 7100), bits=1))
    assert MAX_JPEG_PIXELS < 7100 * 7100
    code = (
        "import sys\nfrom edge.cli.main import main\nmain(['schema'])\nimport cv2\n"
        "try: cv2.imread(sys.argv[1])\nexcept cv2.error as error: print('refused:', error.err)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.png")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "refused: pixels <= CV_IO_MAX_IMAGE_PIXELS" in ran.stdout
