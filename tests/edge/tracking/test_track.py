"""One track: its evidence, its place from look to look, and which detections may be its face."""

import math

import pytest
from hypothesis import given
from hypothesis import settings as fuzzing
from hypothesis import strategies as st

from edge.detection.candidate import Candidate
from edge.tracking.track import Track, evidence
from edge.types import Box
from tests.support.faces import scene, turned

GRAY = scene(("happy", 100, 100, 80))
FACE = Candidate(140, 140, 80, 0.9, 10.0, 0.2)


def track_at(face=FACE, at_s=0.0):
    return Track.begin(GRAY, face, at_s)


@given(st.floats(0, 1), st.floats(0, 1))
@fuzzing(max_examples=200, deadline=None, derandomize=True)
def test_evidence_rises_with_the_confidence_and_is_limited(one, other):
    assert abs(evidence(one)) <= 2
    assert (evidence(one) <= evidence(other)) or one > other


def test_evidence_is_the_log_odds_less_a_constant():
    assert evidence(0.75) - evidence(0.5) == pytest.approx(math.log(3))
    assert evidence(0.8) - evidence(0.6) == pytest.approx(math.log(4) - math.log(1.5))
    assert evidence(1.0) == -evidence(0.0) == 2
    assert evidence(0.5) <= 0 < evidence(0.9)


def test_looks_add_up_to_a_limit():
    track = track_at()
    before = track.evidence
    track.weigh(0.75)
    assert track.evidence == pytest.approx(before + evidence(0.75))
    for _ in range(100):
        track.weigh(1.0)
    most = track.evidence
    assert most <= 10
    track.weigh(0.0)
    assert track.evidence == most - 2  # a face that was seen for long can be doubted as fast as any other


def test_a_square_moves_towards_what_is_seen():
    track = track_at()
    track.see(GRAY, Candidate(150, 130, 88, 0.8, 20.0, 0.4), 0.1)
    assert 140 < track.square.x <= 150
    assert 130 <= track.square.y < 140
    assert 80 < track.square.side < 88
    assert 10 < track.square.roll_deg < 20
    assert (track.square.confidence, track.square.yaw) == (0.8, 0.4)
    assert (track.seen_s, track.judged_s) == (0.1, 0.1)


def test_a_face_that_stays_is_soon_exactly_where_it_is_seen():
    track, seen = track_at(), Candidate(150, 130, 100, 0.8, -20.0)
    for number in range(1, 40):
        track.see(GRAY, seen, number / 15)
    assert track.square[:3] == pytest.approx(seen[:3], abs=0.1)
    assert track.square.roll_deg == pytest.approx(-20, abs=0.1)
    assert track.speed == pytest.approx((0, 0), abs=0.1)


@pytest.mark.parametrize("roll", [170.0, -170.0])
def test_a_roll_goes_the_short_way_round(roll):
    track = track_at(FACE._replace(roll_deg=roll))
    track.see(GRAY, FACE._replace(roll_deg=-roll), 0.1)
    assert abs(track.square.roll_deg) > 170


def test_the_next_place_is_predicted_from_the_last_ones():
    track = track_at()
    for number in range(1, 20):
        track.see(GRAY, FACE._replace(x=140 + 6 * number, y=140 - 3 * number), number / 15)
    predicted = track.predicted(20 / 15)
    assert predicted.x == pytest.approx(140 + 6 * 20, abs=4)
    assert predicted.y == pytest.approx(140 - 3 * 20, abs=4)
    assert predicted.side == track.square.side


def test_the_prediction_stops_where_nothing_is_known_any_more():
    track = track_at()
    for number in range(1, 20):
        track.see(GRAY, FACE._replace(x=140 + 6 * number), number / 15)
    late, later = track.predicted(19 / 15 + 1), track.predicted(19 / 15 + 100)
    assert late == later
    assert late.x < track.square.x + 60


def test_frames_far_apart_and_jumps_say_nothing_about_speed():
    track = track_at()
    track.see(GRAY, FACE._replace(x=180), 5.0)
    assert track.speed == (0, 0)
    track.see(GRAY, FACE._replace(x=200), 5.1)
    assert track.speed[0] > 0
    track.jump(GRAY, FACE._replace(x=300), 5.2)
    assert (track.speed, track.square.x) == ((0, 0), 300)
    assert (track.seen_s, track.judged_s) == (5.2, 5.2)


def test_two_looks_at_one_time_are_no_speed():
    track = track_at()
    track.see(GRAY, FACE._replace(x=150), 0.0)
    assert track.speed == (0, 0)


def test_the_template_is_of_where_the_face_is():
    gray = turned(scene(("surprise", 300, 60, 80)), (340, 100), 180)  # looks different
    track = track_at()
    assert track.template.match(gray, Box(310, 66, 80, 80))[1] < 0.9
    track.jump(gray, Candidate(340, 100, 80, 0.9), 0.1)
    box, correlation = track.template.match(gray, Box(310, 66, 80, 80))
    assert correlation > 0.9
    assert box.iou(Box(300, 60, 80, 80)) > 0.9


@pytest.mark.parametrize(
    ("x", "y", "side", "can_be"),
    [
        (140, 140, 80, True),
        (200, 140, 80, True),
        (140, 60, 90, True),
        (140, 140, 130, True),
        (140, 140, 50, True),
        (140, 140, 240, False),  # too large
        (140, 140, 25, False),
        (340, 140, 80, False),  # too far
        (140, 400, 80, False),
    ],
)
def test_which_detections_may_be_a_face_that_is_missing(x, y, side, can_be):
    distance = track_at().distance(Candidate(x, y, side, 0.9), 0.5)
    assert math.isfinite(distance) is can_be


def test_nearer_and_more_alike_is_less_distance():
    track = track_at()
    squares = [FACE, FACE._replace(x=150), FACE._replace(x=150, side=90), FACE._replace(x=200, side=90)]
    distances = [track.distance(each, 0.5) for each in squares]
    assert distances[0] == 0
    assert distances == sorted(distances)


def test_a_face_that_was_just_seen_is_not_elsewhere():
    track = track_at(at_s=1.0)
    assert track.distance(FACE._replace(x=225), 1.0) == math.inf
    assert track.distance(FACE._replace(x=160), 1.0) < 1
    assert track.distance(FACE._replace(x=225), 1.1) < 2


def test_what_is_handed_out_is_a_frozen_copy():
    track = track_at()
    track.id = 7
    face = track.snapshot()
    assert (face.id, face.box, face.seen_s, face.confidence, face.roll_deg) == (
        *(7, Box(100, 100, 80, 80), 0.0, 0.9, 10.0),
    )
    track.see(GRAY, FACE._replace(x=160), 0.1)
    assert face.box == Box(100, 100, 80, 80)
    with pytest.raises(AttributeError):
        face.box = Box(0, 0, 1, 1)
