"""Who is followed: the real detector, and faces that move through composed pictures."""

from itertools import pairwise

import numpy as np
import pytest

from edge.detection.detector import FaceDetector
from edge.detection.settings import DetectorSettings
from edge.labels import EMOTIONS
from edge.tracking.settings import TrackingSettings
from edge.tracking.tracker import FaceTracker
from tests.support.faces import scene, turned
from tests.support.tracking import FPS, RANDOM, SURE, Limited, followed, near, shown


@pytest.fixture(scope="module")
def detector():
    return FaceDetector.shipped()


# Identities.


@pytest.mark.parametrize("kind", ["network", "haar"])
def test_a_face_is_reported_once_it_is_sure_and_keeps_its_number(kind):
    pictures = [scene(("happy", 150 + 8 * n, 120, 200), seed=n) for n in range(30)]
    found = followed(FaceDetector.open(DetectorSettings(kind)), pictures)
    assert found[0] == {}  # a single look is no proof
    first = [bool(faces) for faces in found].index(True)
    assert first <= (SURE if kind == "network" else 2 * SURE)  # the cascade searches less often
    assert all(list(faces) == [1] for faces in found[first:])
    assert all(near(box, 150 + 8 * n, 120, 200) for n, faces in enumerate(found) for box in faces.values())


def test_faces_that_cross_keep_their_numbers(detector):
    pictures = [
        scene(("sad", 20 + 16 * n, 180, 150), ("surprise", 480 - 16 * n, 150, 150), seed=n) for n in range(30)
    ]
    found = followed(detector, pictures)
    left, right = sorted(found[SURE], key=lambda id_: found[SURE][id_].x)
    assert near(found[29][left], 20 + 16 * 29, 180, 150)
    assert near(found[29][right], 480 - 16 * 29, 150, 150)
    assert set().union(*found) == {left, right}


@pytest.mark.parametrize(("away", "same"), [(0.3, True), (1.2, True), (4.0, False)])
def test_a_face_that_comes_back_in_time_and_near_has_its_number(detector, away, same):
    face = ("happy", 200, 120, 200)
    found = followed(detector, shown(SURE + 2, face) + shown(int(away * FPS)) + shown(2 * SURE, face))
    assert list(found[SURE]) == [1]
    assert list(found[-1]) == [1 if same else 2]


def test_what_may_be_a_face_is_known_before_it_is_reported_and_after(detector):
    tracker = FaceTracker(detector)
    pictures = [*shown(10, ("happy", 200, 120, 200)), *shown(2 * FPS)]
    reported, possible = [], []
    for number, picture in enumerate(pictures):
        reported.append(bool(tracker.update(picture, number / FPS)))
        possible.append([near(box, 200, 120, 200) for box in tracker.possible_boxes])
    first, last = reported.index(True), 9 + reported[9:].index(False)
    assert first > 0
    assert possible[first - 1 : last + FPS] == [[True]] * (last + FPS - first + 1)


def test_who_went_is_away_until_the_number_is_given_up(detector):
    tracker = FaceTracker(detector, TrackingSettings(lost_track_s=4.0))
    away = []
    for number, picture in enumerate([*shown(10, ("happy", 200, 120, 200)), *shown(80)]):
        tracker.update(picture, number / FPS)
        away.append(tracker.lost_ids)
    assert [went for before, went in pairwise([None, *away]) if went != before] == [[], [1], []]
    # From the end of coast_s to that of lost_track_s after it was last seen.
    assert away.count([1]) == pytest.approx((4.0 - TrackingSettings().coast_s) * FPS, abs=2)


def test_who_is_back_is_no_longer_away(detector):
    tracker, face = FaceTracker(detector), ("happy", 200, 120, 200)
    for number, picture in enumerate([*shown(10, face), *shown(FPS), *shown(10, face)]):
        faces = tracker.update(picture, number / FPS)
        assert not {each.id for each in faces} & set(tracker.lost_ids)
    assert [each.id for each in faces] == [1]
    assert tracker.lost_ids == []


def test_who_comes_somewhere_else_is_somebody_else(detector):
    there, elsewhere = ("happy", 20, 20, 160), ("happy", 440, 300, 160)
    found = followed(detector, [*shown(SURE + 2, there), *shown(5), *shown(2 * SURE, elsewhere)])
    assert list(found[SURE]) == [1]
    assert 2 in found[-1]
    assert near(found[-1][2], 440, 300, 160)


def test_a_face_that_jumps_aside_keeps_its_number(detector):
    """Further than the judge and the template look; the search finds it again, long before its time."""
    settings = TrackingSettings(search_s=5.0, coast_s=4.0, lost_track_s=4.0)
    pictures = [*shown(15, ("happy", 60, 120, 160)), *shown(18, ("happy", 250, 120, 160))]
    found = followed(detector, pictures, settings)
    assert list(found[-1]) == [1]
    assert near(found[-1][1], 250, 120, 160)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_face_that_walks_up_grows_with_its_box(detector, emotion):
    metres = np.arange(4.4, 1, -1.2 / FPS)  # at a brisk walk's speed, and then it stands
    sides = [*np.rint(352 / metres).astype(int).tolist(), *[350] * 15]
    faces = [(emotion, 320 - side // 2, 240 - side // 2, side) for side in sides]
    found = followed(detector, [scene(face, seed=n) for n, face in enumerate(faces)])
    assert set().union(*found) == {1}
    first = next(index for index, each in enumerate(found) if each)
    assert first <= 2 * SURE  # a drawn face is proposed less surely than a real one
    assert found[-1][1].width > 2.5 * found[first][1].width
    assert near(found[-1][1], *faces[-1][1:])


def test_two_faces_of_which_one_comes_later(detector):
    first, second = ("happy", 40, 120, 180), ("surprise", 380, 150, 160)
    found = followed(detector, shown(10, first) + shown(20, first, second))
    assert list(found[9]) == [1]
    assert list(found[-1]) == [1, 2]
    assert near(found[-1][2], 380, 150, 160)


def test_the_tilt_of_a_head_is_handed_on(detector):
    tracker = FaceTracker(detector)
    for turn in (40, -40):
        picture = turned(scene(("happy", 200, 120, 200)), (300, 220), turn)
        for number in range(20):
            faces = tracker.update(picture, 100 * (turn < 0) + number / FPS)
        assert len(faces) == 1
        assert 20 < faces[0].roll_deg * np.sign(turn) < 60


# What is no face, and what is hidden.


def test_a_poster_stays_one_face_for_as_long_as_it_hangs(detector):
    found = followed(detector, shown(150, ("happy", 100, 100, 180)), fps=5)
    assert all(list(faces) == [1] for faces in found[SURE:])


def test_a_face_that_is_hidden_is_held_for_a_moment(detector):
    found = followed(detector, shown(10, ("happy", 200, 120, 200)) + shown(30))
    held = sum(1 in faces for faces in found[10:])
    assert held == pytest.approx(TrackingSettings().coast_s * FPS, abs=1)
    assert found[-1] == {}


def test_a_face_that_was_hidden_by_another_one_is_seen_again(detector):
    """A face passes in front of another one: in the end there are two, and no third was ever there."""
    still = ("sad", 240, 150, 140)
    pictures = [scene(still, ("surprise", 20 + 12 * n, 130, 190), seed=n) for n in range(34)]
    found = followed(detector, pictures, TrackingSettings(lost_track_s=5.0))
    assert len(found[SURE]) == len(found[-1]) == 2
    assert any(near(box, *still[1:]) for box in found[-1].values())
    assert any(near(box, 20 + 12 * 33, 130, 190) for box in found[-1].values())
    assert len(set().union(*found)) == 2


def test_a_flash_of_a_face_is_none(detector):
    pictures = [*shown(1, ("happy", 200, 120, 200)), *shown(20)]
    assert all(faces == {} for faces in followed(detector, pictures))


def test_what_is_never_more_likely_than_not_is_no_face(detector):
    doubtful = FaceDetector(detector.proposer, Limited(detector.judge, 0.5))
    assert all(faces == {} for faces in followed(doubtful, shown(40, ("happy", 200, 120, 200))))


def test_doubtful_looks_add_up_to_a_face(detector):
    """Surer looks take fewer frames."""
    first = []
    for most in (0.99, 0.8):
        limited = FaceDetector(detector.proposer, Limited(detector.judge, most))
        found = followed(limited, shown(25, ("happy", 200, 120, 200)))
        assert found[-1]
        first.append([bool(faces) for faces in found].index(True))
    assert first[0] < first[1]


def test_more_evidence_is_asked_for_where_the_settings_say_so(detector):
    first = []
    for least in (1.0, 8.0):
        found = followed(detector, shown(15, ("happy", 200, 120, 200)), TrackingSettings(min_evidence=least))
        first.append([bool(faces) for faces in found].index(True))
    assert first[0] < first[1]


@pytest.mark.parametrize("texture", ["wall", "noise", "ramp", "board"])
def test_nobody_is_reported_where_nobody_is(detector, texture):
    noise = RANDOM.integers(0, 256, (480, 640), dtype=np.uint8)
    ramp = np.tile(np.linspace(0, 255, 640).astype(np.uint8), (480, 1))
    board = (np.indices((480, 640)).sum(0) // 16 % 2 * 255).astype(np.uint8)
    picture = {"wall": scene(), "noise": noise, "ramp": ramp, "board": board}[texture]
    assert all(faces == {} for faces in followed(detector, [picture] * 30))
