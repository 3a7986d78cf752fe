"""The figures are worked out by hand for small clips."""

import pytest

from edge.bench.accuracy import Observation
from edge.bench.detection_figures import DetectionFigures, detection_figures
from edge.bench.truth import TrueFace, Truth
from edge.types import UNCERTAIN, Box

FPS = 10


def face(x, side, id_=1, ignore=False):
    return TrueFace(id_, Box(x, 0, side, side), float(side), ignore)


def seen(x, side, id_=1, emotion="happy", gender="male"):
    return Observation(Box(x, 0, side, side), id_, emotion, gender)


def figures(true, reported, group="several"):
    times = [number / FPS for number in range(len(true))]
    return detection_figures(Truth(group, tuple(map(tuple, true))), reported, times)


def test_recall_is_counted_by_size():
    true = [[face(0, 50), face(100, 30, 2), face(200, 10, 3)]] * 4
    got = figures(true, [[seen(0, 50)], [seen(0, 50), seen(100, 30, 2)], [], [seen(200, 10, 3)]])
    assert (got.large_hits, got.large_faces) == (2, 4)
    assert (got.small_hits, got.small_faces) == (1, 4)
    assert got.wrong == 0  # the face of 10 pixels need not be found
    assert got.people == 2


def test_a_box_must_overlap_by_four_tenths():
    true = [[face(0, 100)]] * 2
    got = figures(true, [[seen(42, 100)], [seen(43, 100)]])  # IoU of 0.408 and 0.399
    assert (got.large_hits, got.wrong) == (1, 1)


def test_a_face_has_one_hit_and_the_better_one():
    got = figures([[face(0, 100)]] * 2, [[seen(30, 100, 7), seen(5, 100, 8)], [seen(5, 100, 8)]])
    assert (got.large_hits, got.wrong, got.switches) == (2, 1, 0)
    assert got.precision == pytest.approx(2 / 3)


def test_an_ignored_face_is_neither_missed_nor_wrong():
    got = figures([[face(0, 50, ignore=True)]] * 2, [[seen(0, 50)], []])
    assert (got.large_faces, got.wrong, got.people, got.precision) == (0, 0, 0, None)


def test_two_boxes_on_a_face_that_need_not_be_found_are_not_wrong():
    got = figures([[face(0, 20)]] * 2, [[seen(0, 20), seen(2, 20)], []])
    assert (got.wrong, got.large_faces, got.small_faces) == (0, 0, 0)


def test_who_is_never_found_and_when_the_others_are():
    true = [[face(0, 20), face(300, 60, 2)], *[[face(0, 30), face(300, 60, 2)]] * 5]
    got = figures(true, [[], [], [], [], [seen(0, 30)], [seen(0, 30)]])
    assert (got.people, got.never_found) == (2, 1)
    assert got.first_s == [pytest.approx(0.3), None]  # visible from the second frame on
    assert got.covered == [pytest.approx(2 / 5), 0.0]


def test_an_approaching_face_is_first_reported_at_a_size():
    true = [[face(0, side)] for side in (20, 26, 32, 38)]
    assert figures(true, [[], [], [seen(0, 32)], []], "approach").first_px == [32.0]
    assert figures(true, [[]] * 4, "approach").first_px == [None]
    assert figures(true, [[seen(0, 20)], [], [], []], "approach").first_s == [0.0]
    assert figures(true, [[]] * 4).first_px == []


def test_switches_and_labels_of_a_person():
    true = [[face(0, 50)]] * 5
    got = figures(
        true,
        [
            [seen(0, 50, 1, "happy")],
            [seen(0, 50, 1, UNCERTAIN)],
            [seen(0, 50, 2, "sad")],
            [],
            [seen(0, 50, 2, "sad")],
        ],
    )
    assert (got.switches, got.label_changes) == (1, 1)
    assert (got.uncertain_labels, got.labels) == (1, 8)
    assert got.tracked_s == pytest.approx(0.4)


def test_false_alarms_are_counted_in_seconds():
    got = figures([[]] * 10, [[seen(0, 50), seen(200, 50)]] * 3 + [[]] * 7, "none")
    assert (got.alarm_s, got.seconds) == (pytest.approx(0.3), pytest.approx(1.0))
    assert got.wrong == 6


def test_figures_of_clips_add_up():
    one = figures([[face(0, 50)]] * 2, [[seen(0, 50)], []])
    two = figures([[face(0, 30)]] * 2, [[], []], "approach")
    both = one + two
    assert (both.large_hits, both.large_faces, both.small_faces) == (1, 2, 2)
    assert both.first_s == [0.0, None]
    assert both.seconds == pytest.approx(one.seconds + two.seconds)
    assert DetectionFigures() + one == one
