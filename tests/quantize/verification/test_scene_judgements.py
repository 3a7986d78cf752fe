"""How well whole scenes are searched: what counts as found, and how both judges are weighed."""

import re
from dataclasses import replace

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.train

from edge.detection.candidate import Candidate  # noqa: E402
from edge.detection.search import SearchPart  # noqa: E402
from edge.errors import DataError  # noqa: E402
from edge.types import Box  # noqa: E402
from quantize.cli.main import main  # noqa: E402
from quantize.verification.scene_judgements import Judgements, judge_scenes  # noqa: E402
from tests.support.faces import scene  # noqa: E402
from tests.support.scene_fixtures import toy_scene  # noqa: E402
from train.data.scenes import Scene, SceneFaces, SceneSet  # noqa: E402


class Everywhere:
    """Proposes the given squares, in pixels of the scene as it is, in every scene."""

    name, patience = "everywhere", 1.0

    def __init__(self, *squares):
        self.squares = squares

    def plan(self, frame_hw):
        return [SearchPart(Box(0, 0, frame_hw[1], frame_hw[0]), (frame_hw[1], frame_hw[0]), 1.0)]

    def propose(self, gray, part):
        zoom = gray.shape[1] / 160
        return [Candidate(zoom * x, zoom * y, zoom * side, 0.5) for x, y, side in self.squares]


class Believer:
    """Believes whatever is proposed, and has no second opinion."""

    def __init__(self, confidence=0.9):
        self.face, self.confidence = self, confidence

    def refine(self, gray, candidate):
        return candidate._replace(confidence=self.confidence)

    def surroundings(self, gray, face):
        return 0.0


def encoded_scene(image, *squares):
    boxes = np.array([(x, y, side, side) for x, y, side in squares], np.float32).reshape(-1, 4)
    none, zeros = np.zeros(len(boxes), np.bool_), np.zeros(len(boxes), np.float32)
    encoded = cv2.imencode(".png", image)[1].tobytes()
    return Scene(
        "a.png", "val", "drawn", "face" if squares else "none", SceneFaces(boxes, zeros, zeros, none), encoded
    )


def face_of(scene):
    x, y, side, _ = scene.faces.boxes[0].tolist()
    return x + side / 2, y + side / 2, side


def with_ignored(scene):
    return replace(scene, faces=replace(scene.faces, ignore=np.array([True])))


def test_a_square_on_a_face_is_right_and_any_other_wrong():
    picture = toy_scene(1, "val")
    x, y, side = face_of(picture)
    found = judge_scenes([picture], Everywhere((x + 4, y, side), (150, 110, 12)), Believer(), 20)
    assert found.is_face.tolist() == [True, False] * 6  # three sizes, two lights
    assert found.faces == (3, 3)
    assert found.light.tolist() == [0, 0, 1, 1] * 3
    np.testing.assert_allclose(found.face, np.log(9))


def test_a_face_is_found_once():
    picture = toy_scene(1, "val")
    x, y, side = face_of(picture)
    # Not one square by the rules of the detector, for all that both are on the face.
    found = judge_scenes([picture], Everywhere((x, y, side), (x, y, side)), Believer(), 20)
    assert found.is_face.tolist() == [True] * 6


def test_what_is_ignored_is_neither_right_nor_wrong():
    picture = toy_scene(1, "val")
    everywhere = Everywhere(face_of(picture))
    assert (
        len(judge_scenes([with_ignored(picture), toy_scene(2, "val", "none")], everywhere, Believer()).face)
        == 6
    )
    small = judge_scenes([picture, toy_scene(2, "val", "none")], everywhere, Believer(), least_px=41)
    assert small.faces == (1, 1)  # where it is enlarged


def test_what_no_judge_believes_is_left_out():
    picture = toy_scene(1, "val")
    judged = judge_scenes([picture], Everywhere(face_of(picture)), Believer(0.04))
    assert (len(judged.face), judged.faces) == (0, (3, 3))


def judgements(face, surroundings, is_face):
    face, surroundings = np.array(face, np.float64), np.array(surroundings, np.float64)
    return Judgements(face, surroundings, np.array(is_face, np.bool_), np.zeros(len(face), np.int64), (4, 0))


def test_recall_is_the_largest_at_a_precision():
    found = judgements([5, 4, 3, 2, 1], [0] * 5, [1, 1, 0, 1, 0])
    assert found.recall(found.face, 0, 1.0) == 0.5
    assert found.recall(found.face, 0, 0.75) == 0.75
    assert found.recall(found.face, 0, 0.76) == 0.5
    assert found.recall(-found.face, 0, 0.9) == 0


def test_the_weights_are_those_that_the_squares_were_drawn_with():
    random = np.random.default_rng(0)
    face, surroundings = random.normal(0, 2, 60_000), random.normal(0, 1, 60_000)
    odds = 1.2 * face + 0.7 * surroundings - 1.5
    is_face = random.random(60_000) < 1 / (1 + np.exp(-odds))
    before = np.log(is_face.mean() / (1 - is_face.mean()))
    found = judgements(face, surroundings, is_face).weights()
    np.testing.assert_allclose(found, [1.2, 0.7, -1.5 - before], atol=0.05)


def test_squares_of_one_kind_cannot_be_weighed():
    with pytest.raises(DataError, match="2 squares were proposed; expected faces and others"):
        judgements([1, 2], [0, 0], [1, 1]).weights()
    with pytest.raises(DataError, match="0 squares"):
        judgements([], [], []).weights()


@pytest.fixture
def scenes(monkeypatch):
    """Sets what the command reads."""

    def read(*scenes):
        monkeypatch.setattr("quantize.cli.scenes.find_scenes", lambda folder: folder)
        monkeypatch.setattr("quantize.cli.scenes.load_scenes", lambda file: SceneSet(scenes))

    return read


def test_the_command_prints_recall_by_either_judge(scenes, capsys, monkeypatch):
    """The shipped networks search; of what they find one is a face that the scene knows of."""
    drawn = encoded_scene(scene(("happy", 300, 100, 200)), (300, 100, 200))
    scenes(drawn, encoded_scene(scene(("surprise", 100, 100, 200))))
    assert main(["scenes"]) == 0
    out = capsys.readouterr().out
    assert "2 scenes in three sizes" in out
    assert out.count("both judges") == 2
    assert "light as it is, 3 faces" in out
    assert re.search(r"weights: face -?[\d.]+, surroundings -?[\d.]+, bias -?[\d.]+", out)


def test_scenes_in_which_nothing_is_proposed_are_told_in_one_line(scenes, capsys):
    scenes(toy_scene(1, "val", "none"))
    assert main(["scenes"]) == DataError.exit_code
    assert "expected faces and others" in capsys.readouterr().err
