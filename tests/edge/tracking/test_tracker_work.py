"""How much the tracker asks of the detector, frames of all kinds, and stills."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from edge.detection.candidate import Candidate
from edge.detection.detector import FaceDetector
from edge.detection.settings import DetectorSettings
from edge.errors import ConfigError
from edge.tracking.settings import TrackingSettings
from edge.tracking.tracker import FaceTracker
from tests.support.faces import scene, turned
from tests.support.tracking import (
    FACE,
    FPS,
    RANDOM,
    SURE,
    Limited,
    followed,
    near,
    shown,
    tracker_of,
)


@pytest.fixture(scope="module")
def detector():
    return FaceDetector.shipped()


# Work.


class Counting:
    """The real proposer and judge, and how often they were asked."""

    def __init__(self, detector):
        self.name, self.patience = detector.proposer.name, detector.proposer.patience
        self._detector, self.searched, self.looks = detector, [], 0

    def plan(self, frame_hw):
        return self._detector.plan(frame_hw)

    def propose(self, gray, part):
        self.searched.append(part)
        return self._detector.proposer.propose(gray, part)

    def refine(self, gray, candidate):
        self.looks += 1
        return self._detector.judge.refine(gray, candidate)


def test_a_followed_face_costs_a_look_a_frame_and_the_search_is_spread(detector):
    counting = Counting(detector)
    settings = TrackingSettings(alert_s=20.0, idle_s=20.0)
    tracker = FaceTracker(FaceDetector(counting, counting), settings)
    pictures = shown(10, ("happy", 200, 120, 200)) * 9
    before = []
    for number, picture in enumerate(pictures):
        before.append((counting.looks, len(counting.searched)))
        tracker.update(picture, number / 30)
    (looks, searches), seconds = before[10], (len(pictures) - 10) / 30
    plan = counting.plan((480, 640))
    assert counting.looks - looks <= 1.5 * (len(pictures) - 10)
    searched = len(counting.searched) - searches
    expected = seconds / settings.search_s * len(plan)
    assert expected - len(plan) <= searched <= expected + len(plan)
    assert set(counting.searched[searches:]) == set(plan)
    assert max(after[1] - earlier[1] for earlier, after in pairwise(before[10:])) < len(plan)


def test_an_empty_room_is_searched_now_and_then_and_at_once_when_something_moves(detector):
    counting = Counting(detector)
    tracker, settings = FaceTracker(FaceDetector(counting, counting)), TrackingSettings()
    plan, seconds = counting.plan((480, 640)), 4
    for number in range(seconds * FPS):
        tracker.update(scene(seed=number), number / FPS)
    quiet = len(counting.searched)
    assert quiet <= (seconds / settings.idle_s + 1) * len(plan)
    pictures = [scene(("happy", 200, 120, 200), seed=n) for n in range(SURE)]
    found = [tracker.update(picture, seconds + number / FPS) for number, picture in enumerate(pictures)]
    assert len(counting.searched) > quiet
    assert found[-1]  # half a second after somebody came in


def test_an_idle_scene_asks_the_judge_hardly_ever(detector):
    counting = Counting(detector)
    tracker = FaceTracker(FaceDetector(counting, counting))
    for number in range(3 * FPS):
        tracker.update(scene(seed=number), number / FPS)
    assert counting.looks <= 6


def test_looks_in_a_frame_are_bounded_however_many_faces_there_are(detector):
    places = [("surprise", 5 + 70 * x, 5 + 70 * y, 60) for x in range(9) for y in range(6)]
    pictures = [scene(*places, seed=n) for n in range(3)] * 12
    counting = Counting(detector)
    tracker, most = FaceTracker(FaceDetector(counting, counting)), 0
    for number, picture in enumerate(pictures):
        before = counting.looks
        faces = tracker.update(picture, number / FPS)
        most = max(most, counting.looks - before)
    assert most <= 2 * 24 + 4 * 2 * 16  # two for each followed face, and the most of four parts
    assert len(faces) >= 16
    assert len({face.id for face in faces}) == len(faces)


def test_looks_at_followed_faces_are_bounded():
    places = [Candidate(35 + 60 * x, 30 + 60 * y, 40, 0.95) for x in range(10) for y in range(7)]
    searches = [places[first : first + 10] for first in range(0, 70, 10)]
    often = TrackingSettings(search_s=0, alert_s=0, idle_s=0)
    tracker, scripted = tracker_of(searches, lambda square: square._replace(confidence=0.95), often)
    for number in range(20):
        before = scripted.looks
        faces = tracker.update(scene(), number / FPS)
    assert len(faces) >= 20
    assert scripted.looks - before <= 50


def test_several_faces_are_all_followed(detector):
    places = [("surprise", x, y, 130) for y in (20, 180, 330) for x in (10, 170, 330, 490)]
    found = followed(detector, [scene(*places, seed=n) for n in range(2 * FPS)])
    assert len(found[-1]) == len(places)
    for _, *place in places:
        assert sum(near(box, *place) for box in found[-1].values()) == 1
    assert len(set().union(*found)) == len(places)


@pytest.mark.parametrize("kind", ["network", "haar"])
def test_a_face_that_appears_is_reported_within_the_second_whatever_proposes_it(kind):
    detector = FaceDetector.open(DetectorSettings(kind))
    found = followed(detector, shown(FPS) + shown(2 * FPS, ("surprise", 300, 200, 150)))
    first = [bool(faces) for faces in found].index(True) - FPS
    assert 0 < first <= (FPS if kind == "network" else 2 * FPS)


# Frames of all kinds.


@pytest.mark.parametrize("fps", [0.4, 1, 2, 5, 30, 120])
def test_a_face_is_followed_at_any_frame_rate(detector, fps):
    found = followed(detector, shown(40, ("surprise", 200, 120, 200)), fps=fps)
    assert list(found[-1]) == [1]
    first = [bool(faces) for faces in found].index(True)
    assert first <= max(SURE, fps / 2)
    assert all(list(faces) == [1] for faces in found[first:])


def test_a_doubtful_face_is_reported_at_a_low_frame_rate(detector):
    doubtful = FaceDetector(detector.proposer, Limited(detector.judge, 0.95))
    found = followed(doubtful, shown(20, ("happy", 200, 120, 200)), fps=2)
    assert list(found[-1]) == [1]


def test_frames_of_one_time(detector):
    tracker = FaceTracker(detector)
    for _ in range(10):
        faces = tracker.update(scene(("happy", 200, 120, 200)), 0.0)
    assert len(faces) <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 640), (480, 1), (3, 3), (24, 24)])
def test_pictures_too_small_for_any_face(detector, shape):
    tracker = FaceTracker(detector)
    for number in range(3):
        assert tracker.update(np.full(shape, 90, np.uint8), number / FPS) == []


def test_a_size_that_changes_in_mid_stream(detector):
    pictures = shown(10, ("happy", 200, 120, 200))
    found = followed(detector, [*pictures, *(cv2.resize(each, (320, 240)) for each in pictures)])
    assert found[10] == {}  # old squares mean nothing any more
    assert list(found[-1]) == [2]
    assert near(found[-1][2], 100, 60, 100)


def test_a_search_that_had_begun_ends_with_the_size_of_the_frames(detector):
    counting = Counting(detector)
    tracker = FaceTracker(FaceDetector(counting, counting))
    large, small = scene(size_wh=(1920, 1080)), scene(size_wh=(320, 240))
    tracker.update(large, 0.0)
    assert set(counting.searched) < set(counting.plan((1080, 1920)))
    counting.searched.clear()
    tracker.update(small, 0.1)
    assert set(counting.searched) <= set(counting.plan((240, 320)))
    assert counting.searched


def test_hostile_frames_in_turn(detector):
    """Noise, black, white, upside down and other sizes between frames of a face: it comes back."""
    face = scene(("happy", 200, 120, 200))
    hostile = [
        RANDOM.integers(0, 256, (480, 640), dtype=np.uint8),
        np.zeros((480, 640), np.uint8),
        np.full((480, 640), 255, np.uint8),
        face[::-1].copy(),
        RANDOM.integers(0, 256, (1, 1), dtype=np.uint8),
        np.asarray(cv2.resize(face, (1920, 1080)), np.uint8),
        face.T.copy(),
    ]
    tracker, number = FaceTracker(detector), 0
    for picture in hostile:
        for gray in (picture, picture, *[face] * 12):
            faces = tracker.update(gray, number / FPS)
            number += 1
        assert len(faces) == 1
        assert near(faces[0].box, 200, 120, 200)


def test_the_frame_stays_as_it_is(detector):
    tracker, picture = FaceTracker(detector), scene(("happy", 200, 120, 200))
    before = picture.copy()
    picture.flags.writeable = False
    for number in range(5):
        tracker.update(picture, number / FPS)
    np.testing.assert_array_equal(picture, before)


def test_what_is_handed_out_does_not_change_later(detector):
    tracker = FaceTracker(detector)
    for number in range(10):
        faces = tracker.update(scene(("happy", 200, 120, 200)), number / FPS)
    (first,) = faces
    before = (first.id, first.box, first.seen_s)
    for number in range(10, 16):
        tracker.update(scene(("happy", 200 + 8 * (number - 9), 120, 200)), number / FPS)
    assert (first.id, first.box, first.seen_s) == before
    with pytest.raises(AttributeError):
        first.box = FACE.box()  # type: ignore[misc]


# Stills.


@pytest.mark.parametrize("kind", ["network", "haar"])
def test_each_face_of_a_still_is_new(kind):
    tracker = FaceTracker(FaceDetector.open(DetectorSettings(kind)))
    picture = scene(("surprise", 380, 100, 200), ("happy", 60, 150, 160))
    first, second = tracker.detect_still(picture, 0.0), tracker.detect_still(picture, 1.0)
    assert [face.id for face in first + second] == [1, 2, 3, 4]
    assert [face.box for face in first] == [face.box for face in second]
    assert near(first[0].box, 60, 150, 160)
    assert near(first[1].box, 380, 100, 200)
    assert [face.seen_s for face in first + second] == [0.0, 0.0, 1.0, 1.0]


def test_the_tilt_of_a_head_in_a_still(detector):
    for turn in (40, -40):
        picture = turned(scene(("happy", 200, 120, 200)), (300, 220), turn)
        (face,) = FaceTracker(detector).detect_still(picture, 0.0)
        assert 20 < face.roll_deg * np.sign(turn) < 60


def test_a_still_has_the_least_confidence_of_the_settings(detector):
    doubtful = FaceDetector(detector.proposer, Limited(detector.judge, 0.8))
    picture = scene(("happy", 200, 120, 200))
    for least, count in ((0.75, 1), (0.85, 0)):
        tracker = FaceTracker(doubtful, TrackingSettings(min_confidence=least))
        assert len(tracker.detect_still(picture, 0.0)) == count


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("coast_s", -1), ("search_s", float("nan")), ("alert_s", 3601), ("max_unverified_s", -0.1)],
        *[("min_correlation", 1.5), ("min_confidence", -0.5), ("min_evidence", 9)],
    ],
)
def test_impossible_settings(name, value):
    with pytest.raises(ConfigError, match=rf"^{name} {value}: must be "):
        TrackingSettings(**{name: value})
