"""What the tracker makes of the answers of scripted detectors."""

import numpy as np
import pytest

from edge.detection.candidate import Candidate
from edge.tracking.settings import TrackingSettings
from tests.support.faces import scene
from tests.support.tracking import ELSEWHERE, FACE, FPS, SURE, near, nearest, tracker_of


def test_a_doubted_face_is_not_taken_over_by_a_detection_elsewhere():
    """Its template matches where it was: what is detected next to it, near enough, is another face."""
    settings = TrackingSettings(max_unverified_s=2.0)
    tracker, scripted = tracker_of([[FACE], [ELSEWHERE], [ELSEWHERE]], nearest(FACE), settings)
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
