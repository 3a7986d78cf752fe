"""The frames that the loops work on."""

import cv2
import numpy as np
import pytest

from edge.bench.clip import Clip, clip_name, compose, crop_faces, read_clip
from edge.errors import CameraError, ConfigError
from edge.sources.settings import CaptureSettings
from edge.types import Box, Frame

FACE = np.full((40, 40), 200, np.uint8)


def test_the_first_frames_of_the_demo_are_read_with_their_times():
    clip = read_clip("demo", CaptureSettings((320, 240)), 12)
    assert (clip.name, clip.size_wh, len(clip.frames), len(clip.times)) == ("demo", (320, 240), 12, 12)
    assert list(clip.times) == sorted(set(clip.times))


class ReusingCamera:
    """Delivers every frame in the same array, as a camera may."""

    yields_stills = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def __iter__(self):
        gray = np.zeros((4, 4), np.uint8)
        for index in range(12):
            gray[:] = index
            yield Frame(index, index / 10, gray)


def test_frames_are_copied(monkeypatch):
    monkeypatch.setattr("edge.bench.clip.open_source", lambda *_, **__: ReusingCamera())
    clip = read_clip("x", CaptureSettings(), 12)
    assert [int(frame[0, 0]) for frame in clip.frames] == list(range(12))


def test_a_clip_needs_ten_frames():
    with pytest.raises(ConfigError, match="9 frames; expected at least 10"):
        read_clip("demo", CaptureSettings(), 9)


def test_images_without_times_are_no_clip(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), FACE)
    with pytest.raises(ConfigError, match="expected a video"):
        read_clip(str(tmp_path), CaptureSettings(), 20)


def test_a_missing_file_is_no_clip():
    with pytest.raises(CameraError, match=r"none\.mp4"):
        read_clip("none.mp4", CaptureSettings(), 20)


def test_a_clip_is_named_after_its_file():
    assert clip_name("a/hall.mp4") == "hall"
    assert clip_name("demo") == "demo"


def test_faces_are_cropped_with_a_margin_inside_the_frame():
    frame = np.arange(100 * 200, dtype=np.uint32).reshape(100, 200).astype(np.uint8)
    clip = Clip("x", (frame,), (0.0,))
    inside, corner = crop_faces(clip, [Box(50, 40, 20, 30), Box(0, 0, 10, 10)])
    assert (inside == frame[34:76, 46:74]).all()
    assert (corner == frame[:12, :12]).all()
    assert len(crop_faces(clip, [Box(50, 40, 20, 30)] * 9)) == 8


def test_composed_faces_are_where_their_boxes_are_and_do_not_overlap():
    clip, boxes = compose([FACE], 5, (320, 240), 1.0)
    assert (clip.name, clip.size_wh, len(clip.frames)) == ("5 faces at 320x240", (320, 240), 15)
    for frame, frame_boxes in zip(clip.frames, boxes, strict=True):
        assert len(frame_boxes) == 5
        for box in frame_boxes:
            assert box.clipped((240, 320)) == box
            assert (frame[box.y : box.y + box.height, box.x : box.x + box.width] == 200).all()
        assert all(one.iou(two) == 0 for one in frame_boxes for two in frame_boxes if one != two)


def test_composed_faces_move():
    _, boxes = compose([FACE], 1, (320, 240), 1.0)
    assert len({box for (box,) in boxes}) > 5
