"""Two networks judge a square: the one by the face, the other by what surrounds it."""

import math

import cv2
import numpy as np
import pytest

from edge.detection.candidate import Candidate
from edge.detection.joint_judge import JointJudge, joint_confidence
from edge.detection.refinement import RefinementNetwork
from edge.errors import ModelError
from edge.inference.contract import MODELS_FOLDER, find_model
from edge.labels import EMOTIONS
from tests.support.faces import scene

X, Y, SIDE = 320, 240, 100


@pytest.fixture(scope="module")
def judge():
    return JointJudge(RefinementNetwork())


def at(emotion, side=SIDE, size_wh=(640, 480)):
    return scene((emotion, X - side // 2, Y - side // 2, side), size_wh=size_wh)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_face_is_seen_by_both(judge, emotion):
    found = judge.refine(at(emotion), Candidate(X, Y, SIDE, 0.5))
    assert found.confidence > 0.7
    assert judge.surroundings(at(emotion), found) > -1


def test_the_square_is_moved_as_by_the_first_judge_alone(judge):
    square = Candidate(X + 12, Y - 9, 1.2 * SIDE, 0.5)
    both, alone = (each.refine(at("happy"), square) for each in (judge, judge.face))
    assert both[:3] == alone[:3]
    assert both[4:] == alone[4:]


@pytest.mark.parametrize("side", [24, 40, 100, 240])
def test_the_second_opinion_is_the_same_at_every_size(judge, side):
    """The window is always as many times as large as the face."""
    found = Candidate(X, Y, side, 1.0)
    assert judge.surroundings(at("happy", side), found) > judge.surroundings(scene(), found) + 1


def test_the_second_opinion_is_of_the_middle(judge):
    gray = at("happy")
    middle, beside = (judge.surroundings(gray, Candidate(x, Y, SIDE, 1.0)) for x in (X, X + 1.5 * SIDE))
    assert middle > beside + 1


@pytest.mark.parametrize(("x", "y"), [(0, 0), (639, 479), (639, 0), (320, 479)])
def test_a_square_that_reaches_far_beyond_the_frame_is_judged(judge, x, y):
    assert math.isfinite(judge.surroundings(at("happy"), Candidate(x, y, 470, 1.0)))


def test_a_square_outside_of_the_frame_is_no_face(judge):
    assert judge.refine(at("happy"), Candidate(-5, 100, 40, 1.0)).confidence == 0


def test_what_the_first_judge_rejects_needs_no_second_opinion(judge, monkeypatch):
    monkeypatch.setattr(judge, "surroundings", None)
    stripes = np.tile(np.arange(640, dtype=np.uint8) % 2 * 255, (480, 1))
    assert judge.refine(stripes, Candidate(X, Y, SIDE, 1.0)).confidence < 0.05


def test_either_opinion_makes_a_face_more_or_less_likely():
    assert joint_confidence(0.9, 0) > joint_confidence(0.6, 0)
    assert joint_confidence(0.9, 1) > joint_confidence(0.9, -1)
    # A doubt of the one is outweighed by the certainty of the other.
    assert joint_confidence(0.995, -2) > 0.5 > joint_confidence(0.6, -2)
    assert joint_confidence(1.0, 5.0) <= 1


def test_a_dim_face_is_seen_by_both(judge):
    dim = cv2.convertScaleAbs(at("happy"), alpha=0.25)
    assert judge.refine(dim, Candidate(X, Y, SIDE, 0.5)).confidence > 0.7


def test_a_network_for_another_task_is_refused():
    with pytest.raises(ModelError, match="expected one for proposal"):
        JointJudge(RefinementNetwork(), find_model(MODELS_FOLDER, "gender"))
