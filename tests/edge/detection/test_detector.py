"""Finding faces in two steps, with either proposer, and how the steps are put together."""

import math
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.detection.candidate import Candidate
from edge.detection.detector import FaceDetector
from edge.detection.haar_proposer import HaarProposer
from edge.detection.proposal import ProposalNetwork
from edge.detection.search import SearchPart
from edge.detection.settings import DetectorSettings
from edge.errors import ConfigError, ModelError
from edge.types import Box
from tests.support.faces import scene, turned

DATA = os.environ.get("EMOTINY_DATA", "")


@pytest.fixture(scope="module", params=["network", "haar"])
def detector(request):
    found = FaceDetector.open(DetectorSettings(request.param))
    if request.param == "network":
        # Drawn and averaged faces resemble real ones less: what is tested is where they are found.
        found.proposer = ProposalNetwork(threshold=0.1)
    return found


def is_at(found, x, y, side):
    """Whether a square is that of a face, given by its left, top and side."""
    return found.iou(Candidate(x + side / 2, y + side / 2, side, 1.0)) > 0.6


def test_every_face_of_the_project_is_found_where_it_is(detector, each_face, face_box):
    (found,) = detector.detect_all(each_face)
    assert found.box().iou(face_box) > 0.6
    assert found.confidence > 0.7
    assert abs(found.roll_deg) < 20


@pytest.mark.parametrize("side", [40, 60, 100, 160, 240, 330])
def test_faces_of_all_sizes_are_found_once(detector, side):
    for emotion in ("happy", "surprise"):
        gray = scene((emotion, 200, 80, side))
        (found,) = detector.detect_all(gray)
        assert is_at(found, 200, 80, side)


@pytest.mark.parametrize("wh", [(160, 120), (325, 243), (480, 640), (1280, 720), (1920, 1080)])
def test_places_are_in_pixels_of_the_whole_frame(detector, wh):
    side = min(wh) // 3
    x, y = wh[0] - side - side // 3, wh[1] - side - side // 3
    (found,) = detector.detect_all(scene(("surprise", x, y, side), size_wh=wh))
    assert is_at(found, x, y, side)


def test_several_faces_are_found_each_once(detector):
    places = [
        ("happy", 30, 40, 90),
        ("surprise", 200, 30, 160),
        ("angry", 440, 260, 180),
        ("sad", 60, 300, 130),
    ]
    found = detector.detect_all(scene(*places))
    assert len(found) == len(places)
    for _, *place in places:
        assert sum(is_at(each, *place) for each in found) == 1
    confidences = [each.confidence for each in found]
    assert confidences == sorted(confidences, reverse=True)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_wall_has_no_face(detector, level):
    assert detector.detect_all(np.full((480, 640), level, np.uint8)) == []


@pytest.mark.parametrize("hw", [(1, 1), (1, 640), (480, 1), (3, 3), (24, 24), (25, 400)])
def test_pictures_too_small_for_a_face(detector, hw):
    noise = np.random.default_rng(0).integers(0, 256, hw, dtype=np.uint8)
    assert detector.detect_all(noise) == []


def test_the_least_confidence_is_kept_to(detector):
    gray = scene(("happy", 60, 40, 160), ("disgust", 330, 200, 160), noise=15)
    confidences = [each.confidence for each in detector.detect_all(gray, 0.1)]
    assert confidences
    for least in (0.5, 0.9, 1.0):
        found = detector.detect_all(gray, least)
        assert all(each.confidence >= least for each in found)
        assert len(found) <= sum(confidence >= least for confidence in confidences)


def test_what_is_excluded_is_not_found_again(detector):
    gray = scene(("happy", 60, 40, 160), ("surprise", 330, 200, 160))
    plan = detector.plan(gray.shape)

    def found(*exclude):
        return {
            "left" if each.x < 250 else "right"
            for part in plan
            for each in detector.detect(gray, part, exclude)
        }

    left, right = Candidate(140, 120, 150, 0.1), Candidate(410, 280, 170, 0.1)
    assert found() == {"left", "right"}
    assert found(left) == {"right"}
    assert found(left, right) == set()


def test_a_tilted_face_is_found_by_the_network():
    detector = FaceDetector.shipped()
    for turn in (-40, 40):
        gray = turned(scene(("happy", 200, 120, 200)), (300, 220), turn)
        (found,) = detector.detect_all(gray)
        assert is_at(found, 200, 120, 200)
        assert found.roll_deg * turn > 0


class Scripted:
    """A proposer that names given squares, and a judge that says of each what a test wants."""

    name, patience = "scripted", 1.0

    def __init__(self, proposed, judge):
        self.proposed, self.answer, self.asked = proposed, judge, []

    def plan(self, frame_hw):
        return (PART, PART)

    def propose(self, gray, part):
        return self.proposed

    def refine(self, gray, candidate):
        self.asked.append(candidate)
        return self.answer(candidate)


PART = SearchPart(Box(0, 0, 640, 480), (640, 480), 1.0)
GRAY = np.zeros((480, 640), np.uint8)
APART = [Candidate(60 * n, 40, 20, 0.9 - n / 100) for n in range(40)]


def detector_of(proposed, judge):
    scripted = Scripted(proposed, judge)
    return FaceDetector(scripted, scripted), scripted


def test_a_face_gets_two_looks_the_second_where_the_first_led():
    found, scripted = detector_of([APART[1]], lambda each: each._replace(x=each.x + 2, confidence=0.8))
    assert found.detect(GRAY, PART) == [Candidate(64, 40, 20, 0.8)]
    assert [each.x for each in scripted.asked] == [60, 62]


def test_what_the_first_look_denies_gets_no_second_one():
    found, scripted = detector_of(APART[:3], lambda each: each._replace(confidence=0.01))
    assert found.detect(GRAY, PART) == []
    assert len(scripted.asked) == 3


def test_looks_in_a_part_are_bounded_and_go_to_the_most_confident():
    found, scripted = detector_of(APART, lambda each: each._replace(confidence=0.6))
    faces = found.detect(GRAY, PART)
    assert len(scripted.asked) <= 32
    assert {each.x for each in faces} == {each.x for each in APART[: len(faces)]}
    assert len(faces) >= 8


def test_known_faces_get_no_look():
    found, scripted = detector_of(APART[:3], lambda each: each._replace(confidence=0.9))
    assert len(found.detect(GRAY, PART, exclude=[APART[1]])) == 2
    assert all(each.x != APART[1].x for each in scripted.asked)


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (Candidate(300, 200, 60, 0.7), True),  # an eye in the face
        (Candidate(300, 200, 60, 0.95), False),  # a face, surer than the one around it
        (Candidate(310, 210, 190, 0.7), False),  # the face itself
        (Candidate(320, 220, 400, 0.7), False),  # something around the face
    ],
)
def test_only_a_surer_face_around_a_known_one_is_found_again(known, found):
    face = Candidate(320, 220, 200, 0.9)
    detector, _ = detector_of([face], lambda each: face)
    assert detector.detect(GRAY, PART, exclude=[known]) == [face] * found


def test_squares_that_meet_at_one_face_are_one():
    target = Candidate(100, 40, 20, 0.9)
    found, _ = detector_of(APART[:3], lambda each: target)
    assert found.detect(GRAY, PART) == [target]
    assert found.detect(GRAY, PART, exclude=[target]) == []
    assert found.detect_all(GRAY) == [target]  # though two parts see it


def test_the_settings_choose_the_proposer(models, tmp_path):
    assert isinstance(FaceDetector.open().proposer, ProposalNetwork)
    assert isinstance(FaceDetector.open(DetectorSettings("haar")).proposer, HaarProposer)
    near, far = (FaceDetector.open(DetectorSettings(min_face=side)).plan((480, 640)) for side in (90, 30))
    assert len(near) < len(far)
    with pytest.raises(ModelError, match=r"none\.tflite: No such file"):
        FaceDetector.open(proposal=tmp_path / "none.tflite")
    with pytest.raises(ModelError, match="a network for emotion; expected one for refinement"):
        FaceDetector.open(DetectorSettings("haar"), refinement=models / "tiny_emotion.json")
    with pytest.raises(ConfigError, match=r"none\.xml: cannot be read"):
        FaceDetector.open(DetectorSettings("haar", cascade=tmp_path / "none.xml"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"min_face": 15}, "detector smallest face 15: must be 16 to 1000"),
        ({"min_face": 1001}, "detector smallest face 1001: must be 16 to 1000"),
        ({"threads": 0}, "detector threads 0: must be 1 to 64"),
        ({"threads": 65}, "detector threads 65: must be 1 to 64"),
    ],
)
def test_settings_out_of_range_are_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        DetectorSettings(**wrong)


def test_what_is_found_does_not_depend_on_threads(happy):
    before = cv2.getNumThreads()
    found = []
    for threads in (1, 3):
        cv2.setNumThreads(threads)
        found.append(
            [FaceDetector.open(DetectorSettings(kind)).detect_all(happy) for kind in ("network", "haar")]
        )
    cv2.setNumThreads(before)
    assert found[0] == found[1]
    assert all(math.isfinite(value) for faces in found[0] for face in faces for value in face)


@pytest.mark.data
@pytest.mark.skipif(not DATA, reason="EMOTINY_DATA names no folder with clips/")
@pytest.mark.parametrize(
    ("clip", "most"),
    [("head-pose-face-detection-male.mp4", 1), ("face-demographics-walking-and-pause.mp4", 3)],
)
def test_faces_of_real_people_are_found(clip, most):
    detector = FaceDetector.shipped()
    video = cv2.VideoCapture(str(Path(DATA, "clips", clip)))
    counts = []
    while (read := video.read())[0]:
        gray = np.asarray(cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY), np.uint8)
        counts.append(len(detector.detect_all(gray, 0.7)))
    video.release()
    assert sum(count > 0 for count in counts) >= 0.9 * len(counts) > 0
    assert max(counts) <= most
