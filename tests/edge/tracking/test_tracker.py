"""Who is followed: real cascade, real patches, faces that move through composed pictures."""

from dataclasses import FrozenInstanceError, replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from edge.detection.haar import HaarDetector
from edge.errors import ConfigError
from edge.labels import EMOTIONS
from edge.tracking.settings import TrackingSettings
from edge.tracking.tracker import FaceTracker
from edge.types import Box, Detection
from tests.support.faces import FACES

FPS = 15


@pytest.fixture(scope="module")
def detector():
    return HaarDetector()


def scene(*faces, seed=0):
    """A noisy 640x480 picture with faces given as (emotion, x, y, side) of their upper left corners."""
    picture = np.full((480, 640), 128, np.uint8)
    for emotion, x, y, side in faces:
        face = cv2.resize(
            cv2.imread(str(FACES / f"{emotion}-female.png"), cv2.IMREAD_GRAYSCALE), (side, side)
        )
        left, top, right, bottom = max(0, x), max(0, y), min(640, x + side), min(480, y + side)
        if left < right and top < bottom:
            picture[top:bottom, left:right] = face[top - y : bottom - y, left - x : right - x]
    noise = np.random.default_rng(seed).normal(0, 3, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def followed(detector, pictures, settings=None, fps=FPS):
    """The ids and boxes of every picture."""
    follower = FaceTracker(detector, settings)
    found = []
    for number, picture in enumerate(pictures):
        tracks = follower.update(picture, number / fps)
        found.append({track.id: track.box for track in tracks})
    return found


def near(box, x, y, side):
    """Whether a box lies on a face; the cascade's is a little smaller than what is drawn."""
    middle = box.x + box.width / 2, box.y + box.height / 2
    return abs(middle[0] - x - side / 2) < side / 4 and abs(middle[1] - y - side / 2) < side / 4


def test_a_face_is_reported_once_it_is_sure_and_keeps_its_number(detector):
    found = followed(detector, [scene(("happy", 200 + 6 * n, 120, 200), seed=n) for n in range(30)])
    assert all(list(faces) == [1] for faces in found)
    assert all(near(faces[1], 200 + 6 * n, 120, 200) for n, faces in enumerate(found) if faces)


def test_faces_that_cross_keep_their_numbers(detector):
    pictures = [
        scene(("sad", 20 + 16 * n, 180, 150), ("surprise", 480 - 16 * n, 150, 150), seed=n) for n in range(30)
    ]
    found = followed(detector, pictures)
    left, right = sorted(found[4], key=lambda id_: found[4][id_].x)
    assert near(found[29][left], 20 + 16 * 29, 180, 150)
    assert near(found[29][right], 480 - 16 * 29, 150, 150)
    assert set().union(*found) == {left, right}


@pytest.mark.parametrize(("away", "same"), [(0.5, True), (1.5, True), (4.0, False)])
def test_a_face_that_comes_back_in_time_and_near_has_its_number(detector, away, same):
    shown = [scene(("happy", 200, 120, 200), seed=n) for n in range(8)]
    hidden = [scene(seed=n) for n in range(int(away * FPS))]
    found = followed(detector, shown + hidden + shown)
    assert list(found[7]) == [1]
    assert list(found[-1]) == [1 if same else 2]


def test_who_went_is_away_until_the_number_is_given_up(detector):
    follower = FaceTracker(detector, TrackingSettings(lost_track_s=4.0))
    away = []
    for number in range(90):
        follower.update(scene(*([("happy", 200, 120, 200)] if number < 8 else []), seed=number), number / FPS)
        away.append(follower.lost_ids)
    assert [went for before, went in pairwise([None, *away]) if went != before] == [[], [1], []]
    # From the end of coast_s to that of lost_track_s after it was seen last, in the eighth picture.
    assert away.count([1]) == pytest.approx((4.0 - TrackingSettings().coast_s) * FPS, abs=2)


def test_who_comes_somewhere_else_is_somebody_else(detector):
    shown = [scene(("happy", 20, 20, 160), seed=n) for n in range(8)]
    other = [scene(("happy", 440, 300, 160), seed=n) for n in range(12)]
    found = followed(detector, [*shown, *(scene(seed=n) for n in range(5)), *other])
    assert list(found[7]) == [1]
    assert list(found[-1]) == [2]


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_face_that_walks_up_grows_with_its_box(detector, emotion):
    metres = np.arange(4.4, 1, -1.2 / FPS)  # at a brisk walk's speed, and then it stands
    sides = [*np.rint(352 / metres).astype(int).tolist(), *[350] * 15]
    faces = [(emotion, 320 - side // 2, 240 - side // 2, side) for side in sides]
    found = followed(detector, [scene(face, seed=n) for n, face in enumerate(faces)])
    assert set().union(*found) == {1}
    assert found[-1][1].width > 2.5 * found[4][1].width


def test_a_poster_stays_one_face_for_as_long_as_it_hangs(detector):
    found = followed(detector, [scene(("happy", 100, 100, 180), seed=n) for n in range(150)], fps=5)
    assert all(list(faces) == [1] for faces in found[2:])


def test_a_face_that_is_hidden_is_held_for_a_moment(detector):
    shown = [scene(("happy", 200, 120, 200), seed=n) for n in range(8)]
    found = followed(detector, shown + [scene(seed=n) for n in range(30)])
    held = sum(1 in faces for faces in found[8:])
    assert held == pytest.approx(TrackingSettings().coast_s * FPS, abs=1)
    assert found[-1] == {}


class Doubtful:
    """The real detector, which is never sure of what it finds."""

    def __init__(self, detector):
        self.name, self.scale_bands = detector.name, detector.scale_bands
        self._detector = detector

    def detect(self, gray, exclude=(), scale_band=None):
        return [replace(found, support=1.0) for found in self._detector.detect(gray, exclude, scale_band)]

    def verify(self, gray, box):
        found = self._detector.verify(gray, box)
        return found and replace(found, support=1.0)


def test_what_is_no_face_dies_young(detector):
    """One flash of something like a face in a single picture is no face yet."""
    pictures = [scene(("happy", 200, 120, 200)), *(scene(seed=n) for n in range(20))]
    assert all(faces == {} for faces in followed(Doubtful(detector), pictures))


def test_what_is_found_again_is_a_face(detector):
    pictures = [scene(("happy", 200, 120, 200), seed=n) for n in range(8)]
    found = followed(Doubtful(detector), pictures)
    assert found[0] == {}
    assert list(found[2]) == [1]


class Counting:
    """The real detector, and how often it was asked."""

    def __init__(self, detector):
        self.name, self.scale_bands = detector.name, detector.scale_bands
        self._detector, self.searches, self.verifications = detector, [], 0

    def detect(self, gray, exclude=(), scale_band=None):
        self.searches.append(scale_band)
        return self._detector.detect(gray, exclude, scale_band)

    def verify(self, gray, box):
        self.verifications += 1
        return self._detector.verify(gray, box)


def test_followed_faces_cost_few_looks_and_searches_in_parts(detector):
    counting = Counting(detector)
    followed(counting, [scene(("happy", 200, 120, 200), seed=n) for n in range(66)], fps=30)
    assert counting.searches == [None, *(0, 1, 2) * 3]  # at 0 s and every 0.65 s
    assert counting.verifications <= 2 + 2 / 0.5 + 1


def test_an_empty_room_is_searched_now_and_then_and_at_once_when_something_moves(detector):
    counting = Counting(detector)
    follower = FaceTracker(counting)
    for number in range(45):
        follower.update(scene(seed=number), number / FPS)
    assert len(counting.searches) == 3
    follower.update(scene(("happy", 200, 120, 200)), 3.0 - 0.3)
    assert len(counting.searches) == 4


def test_looks_in_a_frame_are_bounded_however_many_faces_there_are(detector):
    places = [(x, y) for y in (10, 170, 330) for x in (10, 170, 330, 490)]
    pictures = [scene(*(("happy", x, y, 140) for x, y in places), seed=n) for n in range(25)]
    counting = Counting(detector)
    follower = FaceTracker(counting)
    for number, picture in enumerate(pictures):
        before = counting.verifications
        faces = follower.update(picture, number / FPS)
        assert counting.verifications - before <= TrackingSettings().verifications
    assert len(faces) == len(places)


@pytest.mark.parametrize(
    ("name", "value"),
    [("coast_s", -1), ("search_s", float("nan")), ("min_correlation", 1.5), ("verifications", 0)],
)
def test_impossible_settings(name, value):
    with pytest.raises(ConfigError, match=rf"^{name} {value}: must be "):
        TrackingSettings(**{name: value})


@pytest.mark.parametrize("shape", [(1, 640), (480, 1), (3, 3), (24, 24)])
def test_pictures_too_small_for_any_face(detector, shape):
    follower = FaceTracker(detector)
    for number in range(3):
        assert follower.update(np.full(shape, 90, np.uint8), number / FPS) == []


def test_a_size_that_changes_in_mid_stream(detector):
    follower = FaceTracker(detector)
    pictures = [scene(("happy", 200, 120, 200), seed=n) for n in range(6)]
    for number, picture in enumerate([*pictures, *(cv2.resize(each, (320, 240)) for each in pictures)]):
        tracks = follower.update(picture, number / FPS)
        for track in tracks:
            assert track.box.clipped(picture.shape) == track.box
    assert [track.id for track in tracks] == [2]


class Scripted:
    """A detector that finds what a test says: {time of a call: boxes}, and verifies what it is told to."""

    name, scale_bands = "scripted", 1

    def __init__(self, found, verified=None):
        self.found, self.verified = list(found), verified
        self.asked = 0

    def detect(self, gray, exclude=(), scale_band=None):
        return [Detection(box, support=3.0) for box in (self.found.pop(0) if self.found else [])]

    def verify(self, gray, box):
        self.asked += 1
        return None if self.verified is None else Detection(self.verified, support=1.0)


FACE, ELSEWHERE = Box(200, 120, 200, 200), Box(390, 120, 150, 150)


def test_a_doubted_face_is_not_taken_over_by_a_detection_elsewhere():
    """Its template matches where it was: what is detected next to it, near enough, is another face."""
    tracker = FaceTracker(Scripted([[FACE], [ELSEWHERE], []]))
    picture = scene(("happy", 200, 120, 200), ("sad", 390, 120, 150))
    tracker.update(picture, 0.0)
    tracker.update(picture, 0.6)  # its verification fails
    faces = tracker.update(picture, 1.0)
    assert [face.id for face in faces] == [1, 2]
    assert faces[0].box.iou(FACE) > 0.9
    assert faces[1].box.iou(ELSEWHERE) > 0.9


def test_a_patch_that_the_detector_no_longer_confirms_is_dropped():
    """A template matches a poster, or a patch of wall, for ever; only the detector knows a face."""
    settings = TrackingSettings(max_unverified_s=2.0)
    tracker = FaceTracker(Scripted([[FACE]]), settings)
    picture = scene(("happy", 200, 120, 200))
    shown_s = [n / 5 for n in range(50) if tracker.update(picture, n / 5)]
    assert shown_s[-1] == pytest.approx(settings.max_unverified_s + settings.coast_s, abs=0.3)


def test_a_face_is_verified_once_a_frame_at_most():
    detector = Scripted([[FACE]])
    tracker = FaceTracker(detector, TrackingSettings(verifications=5))
    picture = scene(("happy", 200, 120, 200))
    for number in range(8):
        before = detector.asked
        tracker.update(picture, number / 2)
        assert detector.asked - before <= 1
    assert detector.asked > 2


def test_what_is_handed_out_does_not_change_later(detector):
    tracker = FaceTracker(detector)
    (first,) = tracker.update(scene(("happy", 200, 120, 200)), 0.0)
    before = (first.id, first.box, first.seen_s)
    for number in range(1, 6):
        tracker.update(scene(("happy", 200 + 8 * number, 120, 200)), number / FPS)
    assert (first.id, first.box, first.seen_s) == before
    with pytest.raises(FrozenInstanceError):
        first.box = FACE  # type: ignore[misc]
