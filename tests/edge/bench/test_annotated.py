"""`bench --truth` from end to end, on a clip that is made here."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bench.yunet import YuNetLoop
from edge.cli.main import main
from edge.errors import ConfigError
from edge.settings.settings import Settings
from edge.types import Frame
from tests.support.faces import FACE_BOX, picture_of

FPS, FRAMES = 15, 30
LATE = 8  # frames until a face that is followed is sure enough to be reported
YUNET = Path(os.environ.get("EMOTINY_DATA", ""), "peers", "face_detection_yunet.onnx")


@pytest.fixture
def clip(tmp_path):
    """A video of a face, and one of nobody, with their truth."""
    happy = picture_of("happy")
    for name, picture, faces in (("face", happy, 1), ("nobody", np.full_like(happy, 128), 0)):
        path = str(tmp_path / f"{name}.avi")
        video = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), FPS, (640, 480), isColor=False)
        for _ in range(FRAMES):
            video.write(picture)
        video.release()
        face = {"id": 1, "box": list(FACE_BOX), "face": [], "yaw": 0.0, "roll": 0.0, "ignore": False}
        group = "several" if faces else "none"
        content = {"fps": FPS, "wh": [640, 480], "group": group, "frames": [[face] * faces] * FRAMES}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


def test_all_loops_are_measured_by_the_truth(clip, capsys):
    words = ["bench", "--truth", str(clip / "face.avi"), str(clip / "nobody.avi")]
    assert main([*words, "--json", str(clip / "out.json")]) == 0
    out = capsys.readouterr().out
    assert "(c) emotiny" in out
    truth = json.loads((clip / "out.json").read_text())["truth"]
    assert set(truth) == {"a", "b", "c"}
    for groups in truth.values():
        assert set(groups) == {"several", "none", "real", "all"}
        several = groups["several"]
        assert several["large_faces"] == FRAMES
        assert several["large_hits"] >= FRAMES - LATE
        assert several["first_s"][0] <= LATE / FPS
        assert (groups["none"]["wrong"], groups["none"]["alarm_s"]) == (0, 0)
        assert groups["all"]["clips"] == ["face", "nobody"]
    assert truth["c"]["all"]["cpu_ms"] < truth["a"]["all"]["cpu_ms"]
    (row,) = [line for line in out.splitlines() if line.strip().startswith("several")][2:]
    assert row.split()[1] == "1"
    assert 1 - LATE / FRAMES <= float(row.split()[2]) <= 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--truth"], "--truth: no clip; expected videos with a .json"),
        (["--truth", "{}/other.avi"], "other.json: no such file; expected next to"),
        (["--truth", "--size", "320x240", "{}/face.avi"], "--size would move the faces"),
        (["--yunet", "x.onnx"], "--yunet: of use with --truth only"),
        (["--truth", "{}/face.avi", "--yunet", "{}/none.onnx"], "none.onnx: cannot be read: No such file"),
        (["--truth", "{}/face.avi", "--yunet", "{}/face.json"], "face.json: not a network that OpenCV opens"),
    ],
)
def test_what_cannot_be_measured_is_told_in_one_line(clip, capsys, words, message):
    assert main(["bench", *(word.format(clip) for word in words)]) == ConfigError.exit_code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_a_part_of_a_clip_is_enough(clip, capsys):
    assert main(["bench", "--truth", "--frames", "12", str(clip / "face.avi")]) == 0
    assert "several" in capsys.readouterr().out


def test_a_network_whose_name_would_end_opencv_is_refused(tmp_path):
    path = tmp_path / "a\udcff.onnx"
    path.touch()
    with pytest.raises(ConfigError, match="expected a file name in UTF-8"):
        YuNetLoop(Settings(), path)


def test_an_opencv_without_yunet_is_told(monkeypatch, tmp_path):
    monkeypatch.delattr(cv2, "FaceDetectorYN")
    with pytest.raises(ConfigError, match="has no FaceDetectorYN"):
        YuNetLoop(Settings(), tmp_path / "x.onnx")


@pytest.mark.data
@pytest.mark.skipif(not YUNET.is_file(), reason="EMOTINY_DATA names no folder with peers/*.onnx")
def test_yunet_finds_the_face_in_a_box_like_the_cascades():
    (found,) = YuNetLoop(Settings(), YUNET).step(Frame(0, 0.0, picture_of("happy")))
    assert found.box.iou(FACE_BOX) > 0.5
    assert (found.id, found.emotion) == (0, "happy")
