"""Videos and folders of pictures: pace, order, damage."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import CameraError
from edge.sources.camera import Camera
from edge.sources.factory import open_source
from edge.sources.opencv import silence_opencv_logs
from edge.sources.replay import ReplayCamera
from edge.sources.settings import CaptureSettings
from edge.types import Frame, Gray

PLAIN = CaptureSettings()


def noise(count: int) -> list[Gray]:
    generator = np.random.default_rng(0)
    return [generator.integers(0, 256, (48, 64), dtype=np.uint8) for _ in range(count)]


def write_video(path: Path, count: int, codec: str = "MJPG", fps: float = 20) -> Path:
    silence_opencv_logs()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (64, 48))
    assert writer.isOpened()
    for frame in noise(count):
        writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def write_pictures(folder: Path, *names: str) -> Path:
    for name in names:
        assert cv2.imwrite(str(folder / name), noise(1)[0])
    return folder


def play(source: Path | str, settings: CaptureSettings = PLAIN) -> list[Frame]:
    with open_source(str(source), settings, fast=True) as camera:
        return [frame for frame in camera if frame is not None]


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.mp4", "mp4v"), ("a.mkv", "mp4v")])
def test_a_video_gives_every_frame_at_its_position(tmp_path: Path, name: str, codec: str) -> None:
    frames = play(write_video(tmp_path / name, 8, codec))
    assert [frame.index for frame in frames] == list(range(8))
    assert [frame.captured_at for frame in frames] == pytest.approx([i / 20 for i in range(8)], abs=1e-6)


def test_a_video_is_played_as_recorded_unless_fast(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 4, fps=3)
    begun = time.monotonic()
    with open_source(str(path), PLAIN, fast=False) as camera:
        steps = list(camera)
    assert time.monotonic() - begun >= 1
    frames = [step for step in steps if step is not None]
    assert len(frames) == 4
    assert steps[1] is None  # a third of a second is longer than a tick
    assert camera.dropped == 0


def test_closing_while_the_next_frame_is_not_due(tmp_path: Path) -> None:
    camera = ReplayCamera([np.zeros((4, 4), np.uint8)] * 2, [0, 3600], fast=False)
    stream = iter(camera)
    assert [next(stream) is None for _ in range(2)] == [False, True]
    camera.close()
    with pytest.raises(CameraError, match="closed"):
        next(stream)


@pytest.mark.parametrize("name", ["a.avi", "a.mkv"])
def test_a_video_that_was_cut_off_is_an_error_at_its_end(tmp_path: Path, name: str) -> None:
    path = write_video(tmp_path / name, 20, "MJPG" if name == "a.avi" else "mp4v")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames: list[Frame | None] = []
    with (
        open_source(str(path), PLAIN, fast=True) as camera,
        pytest.raises(
            CameraError, match=r"damaged or cut off: \d+ of about 20 .* instead of 1\.0 s"
        ) as caught,
    ):
        frames.extend(camera)
    assert 3 < len(frames) < 17
    assert str(path) in str(caught.value)


def damaged_container(path: Path) -> None:
    path.write_bytes(b"\0" * 5000)


def no_frame_inside(path: Path) -> None:
    data = bytearray(write_video(path, 4).read_bytes())
    start = data.index(b"movi") + 4
    data[start:] = bytes(len(data) - start)
    path.write_bytes(data)


def cut_before_its_index(path: Path) -> None:
    write_video(path.with_suffix(".mp4"), 8, "mp4v").rename(path)
    path.write_bytes(path.read_bytes()[:3000])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Path.touch, "cannot be read as a video; expected a whole mp4"),
        (damaged_container, "cannot be read as a video; expected a whole mp4"),
        (cut_before_its_index, "cannot be read as a video; expected a whole mp4"),
        (no_frame_inside, "not one frame of this video can be decoded"),
        (lambda path: path.write_text("hello"), "cannot be read as a video"),
    ],
)
def test_what_is_no_video(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    path = tmp_path / "a.avi"
    make(path)
    with pytest.raises(CameraError, match=message) as caught:
        play(path)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 1


def test_a_damaged_video_is_told_in_one_line(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", 20)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    # A process of its own: FFmpeg takes its log level when a process first uses it.
    program = (
        "import sys\nfrom edge.sources.settings import CaptureSettings\nfrom edge.errors import CameraError\n"
        "from edge.sources.factory import open_source\n"
        "try:\n    list(open_source(sys.argv[1], CaptureSettings(), fast=True))\n"
        "except CameraError as error:\n    print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert len(ran.stdout.splitlines()) == 1
    assert ran.stderr == ""


def test_a_folder_is_played_in_natural_order_a_picture_a_second(tmp_path: Path) -> None:
    for number in (10, 9, 1):
        cv2.imwrite(str(tmp_path / f"face{number}.png"), np.full((8, 8 + number), number, dtype=np.uint8))
    (tmp_path / "notes.txt").write_text("not a picture")
    (tmp_path / "._face2.png").write_bytes(b"what a Mac leaves behind")
    frames = play(tmp_path)
    assert [int(frame.gray[0, 0]) for frame in frames] == [1, 9, 10]
    assert [frame.gray.shape for frame in frames] == [(8, 9), (8, 17), (8, 18)]
    assert [frame.captured_at for frame in frames] == [0, 1, 2]


def test_all_kinds_of_pictures_are_taken_whatever_the_case_of_their_names(tmp_path: Path) -> None:
    write_pictures(tmp_path, "a.JPG", "b.jpeg", "c.PNG", "d.bmp", "e.webp")
    assert len(play(tmp_path)) == 5


def test_a_single_picture_is_a_folder_of_one(tmp_path: Path) -> None:
    write_pictures(tmp_path, "a.png", "b.png")
    frames = play(tmp_path / "a.png", CaptureSettings(size_wh=(32, 24)))
    assert [frame.gray.shape for frame in frames] == [(24, 32)]


@pytest.mark.parametrize(("size_wh", "left", "right"), [((24, 24), 60, 200), ((64, 16), 20, 240)])
def test_a_picture_of_other_proportions_is_cut_not_stretched(tmp_path: Path, size_wh, left, right) -> None:
    picture = np.empty((48, 96), dtype=np.uint8)
    picture[:, :24], picture[:, 24:48], picture[:, 48:72], picture[:, 72:] = 20, 60, 200, 240
    picture[:8], picture[-8:] = 0, 255
    cv2.imwrite(str(tmp_path / "a.png"), picture)
    ((gray),) = (frame.gray for frame in play(tmp_path, CaptureSettings(size_wh=size_wh)))
    assert gray.shape == size_wh[::-1]
    middle = gray[size_wh[1] // 2]
    assert (middle[1], middle[-2]) == (left, right)
    assert (gray[0, 0] == 0) == (size_wh[0] == size_wh[1])


def test_a_picture_of_one_pixel_is_scaled_like_any_other(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((1, 1), 7, dtype=np.uint8))
    ((gray),) = (frame.gray for frame in play(tmp_path, CaptureSettings(size_wh=(640, 240))))
    assert gray.shape == (240, 640)
    assert (gray == 7).all()


def test_the_orientation_a_camera_noted_is_applied(tmp_path: Path) -> None:
    picture = np.full((16, 32), 40, dtype=np.uint8)
    picture[:, :8] = 220
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    # One EXIF entry, big endian: orientation (0x0112) 6, to be turned a quarter clockwise.
    tiff = b"MM\0*\0\0\0\x08" + b"\0\x01" + b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0" + b"\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    (tmp_path / "a.jpg").write_bytes(jpeg[:2] + segment + jpeg[2:])
    (frame,) = play(tmp_path / "a.jpg")
    assert frame.gray.shape == (32, 16)
    assert frame.gray[:6].mean() > 200
    assert frame.gray[12:].mean() < 60


def test_undecodable_pictures_are_named_counted_and_skipped(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_pictures(tmp_path, "1.png", "3.png")
    (tmp_path / "2.png").write_bytes((tmp_path / "1.png").read_bytes()[:40])
    (tmp_path / "4.jpg").write_text("hello")
    with open_source(str(tmp_path), PLAIN, fast=False) as camera:
        steps = list(camera)
    assert [step is None for step in steps] == [False, True, False, True]
    assert camera.captured == 2
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 3
    assert caplog.text.count("2.png: cannot be read") == caplog.text.count("4.jpg: cannot be read") == 1
    assert "2 of 4 pictures could not be read" in caplog.text


def test_a_folder_without_one_readable_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    with pytest.raises(CameraError, match=r"none of 1 files can be read as a picture"):
        play(tmp_path)


def test_replay_plays_ticks_and_refuses_times_that_do_not_fit() -> None:
    first, second = noise(2)
    steps = list(ReplayCamera([None, first, None, second], [0, 0.4]))
    assert [None if step is None else step.captured_at for step in steps] == [None, 0, None, 0.4]
    for times in ([0.0], [0.0, 1.0, 2.0], [0.0, -1.0], [1.0, 2.0]):
        with pytest.raises(CameraError, match="2 frames need as many"):
            ReplayCamera([first, second], times)


@pytest.mark.data
def test_real_clips_play_to_their_end() -> None:
    folder = os.environ.get("EMOTINY_DATA")
    clips = sorted(Path(folder).glob("clips/*.mp4")) if folder else []
    if not clips:
        pytest.skip("EMOTINY_DATA names no folder with clips/*.mp4")
    for clip in clips:
        frames = play(clip)
        assert len(frames) > 10
        times = [frame.captured_at for frame in frames]
        assert times == sorted(times)
        assert times[0] == 0


def test_every_source_is_a_camera(tmp_path: Path) -> None:
    camera: Camera = open_source(str(write_pictures(tmp_path, "a.png")), PLAIN, fast=False)
    with camera as same:
        assert same is camera
