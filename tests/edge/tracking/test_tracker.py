"""Who is followed: the real detector, faces that move through composed pictures, and scripted judges."""

from dataclasses import FrozenInstanceError
from itertools import pairwise

import cv2
import numpy as np
import pytest

from edge.detection.candidate import Candidate
from edge.detection.detector import FaceDetector
from edge.detection.search import SearchPart
from edge.detection.settings import DetectorSettings
from edge.errors import ConfigError
from edge.labels import EMOTIONS
from edge.tracking.settings import TrackingSettings
from edge.tracking.tracker import FaceTracker
from edge.types import Box
from tests.support.faces import scene, turned

FPS = 15
SURE = 8  # frames in which a clear face becomes sure enough to be reported
RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def detector():
    return FaceDetector.shipped()


def followed(detector, pictures, settings=None, fps=FPS):
    """The ids and boxes of every picture."""
    tracker = FaceTracker(detector, settings)
    found = []
    for number, picture in enumerate(pictures):
        faces = tracker.update(picture, number / fps)
        found.append({face.id: face.box for face in faces})
        centres = [face.box.x + face.box.width / 2 for face in faces]
        assert all(one <= other + 1 for one, other in pairwise(centres))
    return found


def near(box, x, y, side):
    """Whether a box lies on a face that was drawn at a place."""
    middle = box.x + box.width / 2, box.y + box.height / 2
    return abs(middle[0] - x - side / 2) < side / 4 and abs(middle[1] - y - side / 2) < side / 4


def shown(count, *faces):
    """A face, or nobody, that stays for some pictures."""
    return [scene(*faces, seed=n) for n in range(count)]


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
    assert found[-1][1].width > 2.5 * found[SURE][1].width
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


class Limited:
    """The real judge, which is never surer than it may be."""

    def __init__(self, judge, most):
        self._judge, self._most = judge, most

    def refine(self, gray, candidate):
        found = self._judge.refine(gray, candidate)
        return found._replace(confidence=min(found.confidence, self._most))


def test_a_flash_of_a_face_is_none(detector):
    pictures = [*shown(1, ("happy", 200, 120, 200)), *shown(20)]
    assert all(faces == {} for faces in followed(detector, pictures))


def test_what_is_never_more_likely_than_not_is_no_face(detector):
    doubtful = FaceDetector(detector.proposer, Limited(detector.judge, 0.5))
    assert all(faces == {} for faces in followed(doubtful, shown(40, ("happy", 200, 120, 200))))


def test_doubtful_looks_add_up_to_a_face(detector):
    """Surer looks take fewer frames."""
    first = []
    for most in (0.99, 0.9):
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


# Scripted detectors: what the tracker makes of their answers.

FACE, ELSEWHERE = Candidate(300, 220, 200, 0.95), Candidate(465, 195, 150, 0.95)
PART = SearchPart(Box(0, 0, 640, 480), (640, 480), 1.0)


class Scripted:
    """Proposes one list of squares in each search, and judges by a function of the square and the time."""

    name, patience = "scripted", 1.0

    def __init__(self, proposed, judge):
        self.proposed, self.answer = list(proposed), judge
        self.searches = self.looks = 0

    def plan(self, frame_hw):
        return (PART,)

    def propose(self, gray, part):
        self.searches += 1
        return self.proposed.pop(0) if self.proposed else []

    def refine(self, gray, candidate):
        self.looks += 1
        return self.answer(candidate)


def tracker_of(proposed, judge, settings=None):
    scripted = Scripted(proposed, judge)
    return FaceTracker(FaceDetector(scripted, scripted), settings), scripted


def nearest(*faces):
    """A judge that sees some faces, from half a side away, and else nothing."""

    def judge(square):
        for face in faces:
            if max(abs(square.x - face.x), abs(square.y - face.y)) < face.side / 2:
                return face
        return square._replace(confidence=0.01)

    return judge


def test_a_doubted_face_is_not_taken_over_by_a_detection_elsewhere():
    """Its template matches where it was: what is detected next to it, near enough, is another face."""
    tracker, scripted = tracker_of([[FACE], [ELSEWHERE], [ELSEWHERE]], nearest(FACE))
    picture = scene(("happy", 200, 120, 200), ("sad", 390, 120, 150))
    for number in range(10):
        tracker.update(picture, number / FPS)
    scripted.answer = nearest(ELSEWHERE)  # no longer sees the first one
    for number in range(10, 35):
        faces = tracker.update(picture, number / FPS)
    assert [face.id for face in faces] == [1, 2]
    assert faces[0].box.iou(FACE.box()) > 0.9
    assert faces[1].box.iou(ELSEWHERE.box()) > 0.9


def test_a_patch_that_the_judge_no_longer_sees_is_dropped():
    """A template matches a poster, or a patch of wall, for ever; only the judge knows a face."""
    settings = TrackingSettings(max_unverified_s=2.0)
    tracker, scripted = tracker_of([[FACE]], nearest(FACE), settings)
    picture = scene(("happy", 200, 120, 200))
    seen_s = []
    for number in range(80):
        if number == 10:
            scripted.answer = nearest()
        if tracker.update(picture, number / FPS):
            seen_s.append(number / FPS)
    expected = 9 / FPS + settings.max_unverified_s + settings.coast_s
    assert seen_s[-1] == pytest.approx(expected, abs=0.3)


def test_what_the_judge_denies_is_not_shown_at_all():
    tracker, scripted = tracker_of([[FACE]] * 50, nearest())
    picture = scene(("happy", 200, 120, 200))
    assert not any(tracker.update(picture, number / FPS) for number in range(50))
    assert scripted.looks == scripted.searches  # none is followed


def test_a_face_that_runs_is_looked_for_where_it_must_be_by_now():
    """From one frame to the next it comes further than the judge looks around a square."""
    place = FACE._replace(x=150.0)
    wall = np.full((480, 6000), 128, np.uint8)
    tracker, scripted = tracker_of([[place]], nearest(place))
    for number in range(40):
        faces = tracker.update(wall, number / FPS)
        assert number < SURE or faces[0].seen_s == number / FPS
        step = min(0.04 * number, 0.75) * place.side
        place = place._replace(x=place.x + step)
        scripted.answer = nearest(place)
    assert abs(faces[0].box.x + 100 - (place.x - step)) < 100


def test_tracks_that_end_at_one_face_become_one():
    """Two tracks that the judge leads to the same face: the one that was there keeps it."""
    left, right = FACE._replace(x=200), FACE._replace(x=420)
    faces = [[left, right]]

    def judge(square):
        return min(faces[0], key=lambda face: abs(face.x - square.x))

    tracker, _ = tracker_of([[left, right]], judge)
    for number in range(10):
        found = tracker.update(scene(), number / FPS)
    assert [face.id for face in found] == [1, 2]
    faces[0] = [left]
    for number in range(10, 10 + 2 * FPS):
        found = tracker.update(scene(), number / FPS)
    assert len(found) == 1
    assert near(found[0].box, 100, 120, 200)


def test_an_eye_that_resembles_a_face_does_not_hide_the_face_that_it_is_in():
    """The smallest faces are searched for first; the face around the eye is much surer, and it stays."""
    eye = Candidate(255, 200, 70, 0.75)

    def judge(square):
        near_eye = abs(square.x - eye.x) + abs(square.y - eye.y) < eye.side / 2
        return eye if near_eye and square.side < 100 else nearest(FACE)(square)

    tracker, _ = tracker_of([[eye], *[[FACE, eye]] * 20], judge)
    for number in range(2 * FPS):
        found = tracker.update(scene(), number / FPS)
    assert len(found) == 1
    assert found[0].box.iou(FACE.box()) > 0.8


def test_any_answer_of_a_judge_is_borne():
    """Squares that fly about, grow and shrink: no identity twice in a frame, and nothing breaks."""
    random = np.random.default_rng(3)

    def judge(square):
        x, y = random.uniform(0, 639), random.uniform(0, 479)
        side, confidence, roll = random.uniform(1, 900), random.uniform(0, 1), random.uniform(-180, 180)
        return Candidate(x, y, side, confidence, roll, random.uniform(0, 1))

    proposals = [[judge(FACE) for _ in range(10)] for _ in range(400)]
    tracker, _ = tracker_of(proposals, judge, TrackingSettings(search_s=0, alert_s=0, idle_s=0))
    last = 0
    for number in range(200):
        faces = tracker.update(scene(seed=number % 5), number / FPS)
        ids = [face.id for face in faces]
        assert len(set(ids)) == len(ids)
        assert all(face.box.clipped((480, 640)) is not None for face in faces)
        assert all(id_ <= last + len(faces) + 40 for id_ in ids)
        last = max([last, *ids])


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
    with pytest.raises(FrozenInstanceError):
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
        picture = turned(scene(("surprise", 200, 120, 200)), (300, 220), turn)
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
