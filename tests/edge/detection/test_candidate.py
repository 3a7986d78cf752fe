"""Squares that may hold a face: their overlap, and which of several are of one face."""

import pytest
from hypothesis import given
from hypothesis import settings as fuzzing
from hypothesis import strategies as st

from edge.detection.candidate import Candidate, distinct, without_duplicates
from edge.types import Box

FACE = Candidate(100, 80, 40, 0.9)
candidates = st.builds(
    Candidate,
    x=st.floats(-50, 300),
    y=st.floats(-50, 300),
    side=st.floats(1, 200),
    confidence=st.floats(0, 1),
)


@pytest.mark.parametrize(
    ("square", "box"),
    [
        (FACE, Box(80, 60, 40, 40)),
        (Candidate(0, 0, 40, 0.9), Box(-20, -20, 40, 40)),  # beyond the frame
        (Candidate(10.4, 10.6, 20.4, 0.9), Box(0, 1, 20, 20)),
        (Candidate(10, 10, 0.2, 0.9), Box(10, 10, 1, 1)),
    ],
)
def test_a_box_is_the_square_in_whole_pixels(square, box):
    assert square.box() == box
    assert all(type(side) is int for side in square.box())


@given(candidates)
@fuzzing(max_examples=100, deadline=None, derandomize=True)
def test_a_box_is_within_a_pixel_of_its_square(square):
    box = square.box()
    assert box.width == box.height >= 1
    assert abs(box.x + box.width / 2 - square.x) <= 1
    assert abs(box.y + box.height / 2 - square.y) <= 1
    assert abs(box.width - square.side) <= 1


@given(candidates, candidates)
@fuzzing(max_examples=200, deadline=None, derandomize=True)
def test_the_overlap_is_that_of_the_boxes(one, other):
    wide = [each._replace(x=100 * each.x, y=100 * each.y, side=100 * each.side) for each in (one, other)]
    assert one.iou(other) == pytest.approx(other.iou(one), abs=1e-9)
    assert one.iou(other) == pytest.approx(wide[0].box().iou(wide[1].box()), abs=0.03)
    assert one.is_same_face(other) == other.is_same_face(one)
    assert one.is_same_face(one)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Candidate(104, 84, 44, 0.5), True),  # a little off
        (Candidate(100, 92, 16, 0.5), True),  # a mouth in the face
        (Candidate(100, 80, 120, 0.5), True),  # much too large, around the face
        (Candidate(132, 80, 40, 0.5), False),  # a neighbour, cheek by cheek
        (Candidate(128, 62, 16, 0.5), False),  # a small face behind the shoulder
        (Candidate(300, 80, 40, 0.5), False),
        (Candidate(100, 300, 40, 0.5), False),
    ],
)
def test_which_squares_are_of_one_face(other, same):
    assert FACE.is_same_face(other) is same


def test_the_most_confident_of_each_face_remains():
    better, worse = FACE._replace(x=104, confidence=0.95), FACE._replace(y=84, confidence=0.5)
    neighbour = FACE._replace(x=160, confidence=0.6)
    assert distinct([worse, FACE, neighbour, better]) == [better, neighbour]
    assert distinct([]) == []


def test_an_eye_and_its_face_both_remain_until_they_are_judged():
    eye = FACE._replace(x=92, y=72, side=14, confidence=0.95)
    assert without_duplicates([FACE, eye, FACE._replace(x=103, confidence=0.3)]) == [eye, FACE]
    assert distinct([FACE, eye]) == [eye]


@given(st.lists(candidates, max_size=12))
@fuzzing(max_examples=100, deadline=None, derandomize=True)
def test_no_two_that_remain_are_of_one_face_and_each_that_went_is_of_one_that_remains(squares):
    kept = distinct(squares)
    assert [each.confidence for each in kept] == sorted((each.confidence for each in kept), reverse=True)
    for index, each in enumerate(kept):
        assert not any(each.is_same_face(other) for other in kept[:index])
    for each in squares:
        surer = [better for better in kept if better.confidence >= each.confidence]
        assert each in kept or any(each.is_same_face(other) for other in surer)


@given(one=candidates, others=st.lists(candidates))
def test_squares_that_touch_are_those_that_overlap_at_all(one, others):
    touching = one.touching(others)
    assert [other for other in others if one.iou(other) > 1e-6] == [
        other for other in touching if one.iou(other) > 1e-6
    ]
    assert all(abs(one.x - other.x) < (one.side + other.side) / 2 for other in touching)
    assert all(abs(one.y - other.y) < (one.side + other.side) / 2 for other in touching)
