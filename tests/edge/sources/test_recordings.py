"""Files that FFmpeg would take for a video, and must not."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import CameraError
from edge.sources.factory import open_source
from edge.sources.opencv import silence_opencv_logs
from edge.sources.settings import CaptureSettings


def write_video(path: Path, codec: str, size_wh: tuple[int, int] = (64, 48), frames: int = 5) -> Path:
    silence_opencv_logs()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 25, size_wh)
    assert writer.isOpened()
    for _ in range(frames):
        writer.write(np.zeros((size_wh[1], size_wh[0], 3), np.uint8))
    writer.release()
    return path


def count_of(path: Path) -> int:
    with open_source(str(path), CaptureSettings(), fast=True) as camera:
        return sum(frame is not None for frame in camera)


def refusal(path: Path) -> str:
    with pytest.raises(CameraError) as caught:
        count_of(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "mp4v"),
        ("a.m4v", "mp4v"),
        ("a.mov", "MJPG"),
        ("a.mkv", "FFV1"),
        ("a.webm", "VP80"),
        ("a.avi", "MJPG"),
        ("a.ts", "mp4v"),
        ("a.mpg", "MPG2"),
        ("a.flv", "FLV1"),
        ("a.wmv", "WMV2"),
        ("a.mjpeg", "MJPG"),
    ],
)
def test_every_usual_container_is_played_whatever_its_name(tmp_path: Path, name: str, codec: str) -> None:
    path = write_video(tmp_path / name, codec, frames=50)
    assert count_of(path.rename(tmp_path / "img_%d.video")) == 50


def test_the_name_of_a_file_is_no_pattern(tmp_path: Path) -> None:
    """FFmpeg would play the other files, whose format was not checked."""
    picture = cv2.imencode(".jp2", np.zeros((64, 64), np.uint8))[1].tobytes()
    for number in range(3):
        (tmp_path / f"img_{number}.jp2").write_bytes(picture)
    trap = write_video(tmp_path / "one.avi", "MJPG", frames=1).rename(tmp_path / "img_%d.jp2")
    silence_opencv_logs()
    others = cv2.VideoCapture(str(trap), cv2.CAP_FFMPEG)
    assert others.get(cv2.CAP_PROP_FRAME_WIDTH) == 64
    assert others.get(cv2.CAP_PROP_FRAME_HEIGHT) == 64  # those of the pictures
    others.release()
    assert count_of(trap) == 1
    trap.write_bytes(picture)
    assert "cannot be read as a video" in refusal(trap)


@pytest.mark.parametrize("suffix", [".jp2", ".tif", ".pgm"])
def test_a_picture_of_a_format_that_is_not_read_is_no_video_either(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), np.zeros((64, 64), np.uint8))
    assert "cannot be read as a video; expected a whole mp4" in refusal(path)


@pytest.mark.parametrize(("name", "codec"), [("a.mov", "mjp2"), ("a.avi", "MPNG")])
def test_a_video_of_such_pictures_is_refused(tmp_path: Path, name: str, codec: str) -> None:
    path = write_video(tmp_path / name, codec)
    assert refusal(path) == f"{path}: pictures of the format {codec} are not read; expected a video"


def test_a_list_of_files_is_no_video(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.avi", "MJPG")
    playlist = tmp_path / "a.m3u8"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{video}\n#EXT-X-ENDLIST\n")
    assert "cannot be read as a video" in refusal(playlist)


def test_a_video_of_larger_frames_than_memory_is_refused_before_one_is_decoded(tmp_path: Path) -> None:
    assert count_of(write_video(tmp_path / "a.avi", "MJPG", (4096, 2304), frames=1)) == 1
    path = write_video(tmp_path / "b.avi", "MJPG", (4112, 2304), frames=1)
    assert refusal(path) == f"{path}: a video of 4112x2304 pixels; expected 4096x2304 at most"


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.jpg"):
        os.mkfifo(tmp_path / name)
        assert "a pipe; expected a regular file; a source is auto" in refusal(tmp_path / name)


def test_a_device_is_no_video() -> None:
    assert "/dev/zero: a device; expected a regular file; a source is auto" in refusal(Path("/dev/zero"))
