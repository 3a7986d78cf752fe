"""What the bench takes for ground truth, and how it scores a loop against it."""

import numpy as np
import pytest

from edge.bench.accuracy import Observation, exhaustive_detections, ground_truth_tracks, score
from edge.bench.clip import compose, demo_faces
from edge.types import UNCERTAIN, Box

TIMES = tuple(index / 12 for index in range(24))
FACE = Box(100, 100, 80, 80)


def moved(box, x):
    return Box(box.x + x, box.y, box.width, box.height)


def observations(*faces):
    """Frames with FACE reported as (id, emotion, gender), or with no face for None."""
    return [[Observation(FACE, *face)] if face else [] for face in faces]


def test_a_face_is_what_is_detected_again_and_again():
    detections = [[moved(FACE, 4 * index)] if index % 3 else [] for index in range(24)]
    detections[7].append(Box(400, 50, 60, 60))  # in one frame only
    (track,) = ground_truth_tracks(detections, TIMES)
    assert sorted(track.detected) == [index for index in range(24) if index % 3]


def test_boxes_between_detections_are_interpolated():
    detections = [[moved(FACE, 4 * index)] if index % 3 else [] for index in range(24)]
    (track,) = ground_truth_tracks(detections, TIMES)
    assert track.boxes[6] == moved(FACE, 24)
    assert 0 not in track.boxes  # before the first detection


@pytest.mark.parametrize(
    ("detected", "tracks"),
    [
        (range(5), 1),
        (range(4), 0),  # too few
        (range(0, 24, 2), 1),  # half of the frames
        (range(0, 24, 3), 0),  # a third of the frames
        ([*range(5), *range(11, 16)], 2),  # missing for longer than half a second: another track
        ([*range(5), *range(10, 15)], 1),  # missing for half a second
    ],
)
def test_a_track_needs_enough_detections_close_together(detected, tracks):
    detections = [[FACE] if index in detected else [] for index in range(24)]
    assert len(ground_truth_tracks(detections, TIMES)) == tracks


def test_of_two_tracks_in_the_same_place_the_longer_one_is_the_face():
    other = Box(100, 140, 80, 80)
    detections = [[FACE, *([other] if index > 11 else [])] for index in range(24)]
    (track,) = ground_truth_tracks(detections, TIMES)
    assert set(track.detected.values()) == {FACE}


def test_a_score_counts_what_its_docstring_says():
    times = TIMES[:5]
    tracks = ground_truth_tracks([[FACE]] * 5, times)
    reference = observations(*[(0, "happy", "male")] * 5)
    observed = observations(
        (1, UNCERTAIN, "male"), (1, "happy", "male"), None, (2, UNCERTAIN, "male"), (2, "sad", "male")
    )
    observed[4].append(Observation(Box(300, 300, 50, 50), 3, "fear", "female"))
    result = score(tracks, reference, observed, times)
    assert (result.recall, result.precision, result.faces) == (4 / 5, 4 / 5, 5)
    assert result.id_switches == 1
    assert result.label_changes == pytest.approx(1 / (4 / 12))  # happy to sad; uncertain is no label
    assert result.uncertain == 2 / 8


def test_recall_is_of_the_reference_s_boxes_on_true_faces():
    tracks = ground_truth_tracks([[FACE]] * 5, TIMES[:5])
    false_alarm = Observation(Box(300, 300, 50, 50), 0, "fear", "female")
    reference = observations(*[(0, "happy", "male")] * 2, *[None] * 3)
    for faces in reference:
        faces.append(false_alarm)
    result = score(tracks, reference, observations(*[(1, "happy", "male")] * 5), TIMES[:5])
    assert (result.recall, result.faces) == (1.0, 2)


def test_precision_is_of_all_boxes_of_the_loop():
    tracks = ground_truth_tracks([[FACE]] * 5, TIMES[:5])
    observed = observations(*[(1, "happy", "male")] * 5)
    for faces in observed[:3]:
        faces.append(Observation(Box(300, 300, 50, 50), 2, "fear", "female"))
    result = score(tracks, observations(*[(0, "happy", "male")] * 5), observed, TIMES[:5])
    assert (result.recall, result.precision) == (1.0, 5 / 8)


def test_a_loop_that_sees_nothing():
    tracks = ground_truth_tracks([[FACE]] * 5, TIMES[:5])
    result = score(tracks, observations(*[(0, "happy", "male")] * 5), observations(*[None] * 5), TIMES[:5])
    assert (result.recall, result.precision, result.label_changes) == (0.0, 1.0, 0.0)


def test_an_exhaustive_search_finds_every_composed_face():
    clip, boxes = compose(demo_faces(), 6, (640, 480), 0.1)
    found = exhaustive_detections(clip.frames[0])
    assert all(max(box.iou(each) for each in found) > 0.5 for box in boxes[0])


def test_an_exhaustive_search_finds_a_face_that_the_border_cuts_off(happy, face_box):
    cropped = np.ascontiguousarray(happy[:, face_box.x + face_box.width // 6 :])
    found = exhaustive_detections(cropped)
    assert any(box.x == 0 and box.iou(Box(0, 120, 200, 240)) > 0.5 for box in found)


def test_an_exhaustive_search_finds_a_face_of_low_contrast(happy, face_box):
    dim = np.asarray(
        (happy * 0.1 + 40).round(), np.uint8
    )  # which the cascade finds only once it is equalized
    assert any(box.iou(face_box) > 0.5 for box in exhaustive_detections(dim))
