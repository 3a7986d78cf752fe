"""Truth files are read, and refused in one line where they are damaged or of another clip."""

import json

import numpy as np
import pytest

from edge.bench.clip import Clip
from edge.bench.truth import read_truth, truth_path
from edge.errors import ConfigError
from edge.types import Box

CLIP = Clip("hall", (np.zeros((48, 64), np.uint8),) * 3, (0.0, 0.1, 0.2))
FACE = {"id": 1, "box": [10.4, 5.6, 20.0, 20.0], "face": [1, 2, 3, 4], "yaw": 0, "roll": 0, "ignore": False}


@pytest.fixture
def write(tmp_path):
    def write(**changes):
        content = {"fps": 10, "wh": [64, 48], "group": "several", "frames": [[FACE], [], [FACE]], **changes}
        path = tmp_path / "hall.json"
        path.write_text(json.dumps(content))
        return path

    return write


def test_truth_is_read_frame_by_frame(write):
    truth = read_truth(write(), CLIP, is_whole=True)
    assert truth.group == "several"
    assert [len(faces) for faces in truth.frames] == [1, 0, 1]
    (face,) = truth.frames[0]
    assert (face.id, face.box, face.side, face.ignore) == (1, Box(10, 6, 20, 20), 20.0, False)


def test_truth_lies_next_to_its_clip():
    assert str(truth_path("clips/hall.vga.mp4")) == "clips/hall.vga.json"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"wh": [640, 480]}, "of frames of 640x480; the clip's are 64x48"),
        ({"frames": [[]]}, "1 frames; the clip has 3"),
        ({"frames": [[]] * 4}, "4 frames; the clip has 3"),
        ({"version": 2}, "version 2; expected 1"),
        ({"frames": None}, "damaged"),
        ({"wh": "x"}, "damaged"),
        ({"frames": [[{}], [], []]}, "damaged"),
        ({"frames": [[{**FACE, "box": [1, 2, 3]}], [], []]}, "damaged"),
        ({"frames": [[{**FACE, "box": [1, 2, 0, 4]}], [], []]}, "damaged"),
        ({"frames": [[{**FACE, "box": [float("nan"), 2, 3, 4]}], [], []]}, "damaged"),
    ],
)
def test_what_is_not_the_truth_of_this_clip_is_refused(write, changes, message):
    with pytest.raises(ConfigError, match=rf"truth .*hall\.json: {message}") as caught:
        read_truth(write(**changes), CLIP, is_whole=True)
    assert "\n" not in str(caught.value)


def test_truth_may_be_longer_than_the_part_of_a_clip_that_was_read(write):
    truth = read_truth(write(frames=[[]] * 9), CLIP, is_whole=False)
    assert len(truth.frames) == 3


@pytest.mark.parametrize("content", ["", "[", "[]", "7", '"x"', "null"])
def test_what_is_no_object_is_refused(tmp_path, content):
    path = tmp_path / "hall.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"not JSON|damaged"):
        read_truth(path, CLIP, is_whole=True)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.json: cannot be read: No such file"):
        read_truth(tmp_path / "none.json", CLIP, is_whole=True)
