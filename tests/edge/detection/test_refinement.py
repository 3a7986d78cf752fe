"""The judge: which squares hold a face, where it lies in them, and how it is turned."""

import math
import statistics
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import edge.detection.refinement
from edge.detection.candidate import Candidate
from edge.detection.outputs import REFINEMENT_SHIFT_SCALE, REFINEMENT_SIZE_SCALE, YAW_SCALE
from edge.detection.refinement import RefinementNetwork
from edge.errors import ModelError
from edge.labels import EMOTIONS
from tests.support.faces import scene, turned

X, Y, SIDE = 300, 220, 200
FACES = {emotion: scene((emotion, X - SIDE // 2, Y - SIDE // 2, SIDE)) for emotion in EMOTIONS}
RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module")
def judge():
    return RefinementNetwork()


@pytest.fixture
def judge_of(monkeypatch):
    """Makes a judge whose network says the same of every crop, and the mirror image of it of its mirror."""

    def make(*outputs, temperature=1.0):
        class ConstantNetwork:
            scale, zero_point = 1 / 16, -20
            contract = SimpleNamespace(name="constant", size=32, temperature=temperature)

            def __init__(self):
                self.calls = 0

            @classmethod
            def open(cls, path, task, threads=1):
                return cls()

            def run(self, pixels):
                assert pixels.shape == (32, 32)
                self.calls += 1
                signs = (1, -1, 1, 1, -1, 1, 1) if self.calls % 2 == 0 else (1,) * 7
                values = [sign * value for sign, value in zip(signs, outputs, strict=True)]
                codes = [round(value / self.scale) + self.zero_point for value in values]
                return np.clip(codes, -128, 127).astype(np.int8)

        monkeypatch.setattr(edge.detection.refinement, "Network", ConstantNetwork)
        return RefinementNetwork()

    return make


def test_outputs_are_read_in_their_units(judge_of):
    judge = judge_of(2.0, 1.0, -2.0, 1.5, 2.0, 2.0, 3.0, temperature=2.0)
    found = judge.refine(scene(), Candidate(300, 220, 80, 0.1, 7.0, 0.1))
    assert found.x == pytest.approx(300 + 80 / REFINEMENT_SHIFT_SCALE)
    assert found.y == pytest.approx(220 - 2 * 80 / REFINEMENT_SHIFT_SCALE)
    assert found.side == pytest.approx(80 * math.exp(1.5 / REFINEMENT_SIZE_SCALE))
    assert found.confidence == pytest.approx(1 / (1 + math.exp(-1)))
    assert found.roll_deg == pytest.approx(45)
    assert found.yaw == pytest.approx(3 / YAW_SCALE)


@pytest.mark.parametrize("side", [80, 200])
def test_a_mirrored_face_is_judged_alike(judge, side):
    """Both the picture and its mirror image are looked at, so neither direction is preferred."""
    gray = scene(("surprise", 320 - side // 2, 240 - side // 2, side))
    left, right = (judge.refine(each, Candidate(320, 240, side, 1.0)) for each in (gray, cv2.flip(gray, 1)))
    assert left.confidence == pytest.approx(right.confidence, abs=0.01)
    assert left.x == pytest.approx(640 - right.x, abs=0.02 * side)
    assert left.roll_deg == pytest.approx(-right.roll_deg, abs=1)
    assert left.side == pytest.approx(right.side, rel=0.02)


def test_no_memory_is_spent_on_a_giant(judge_of, judge):
    """A bad network may propose a square of millions of pixels, or a judge may make one."""
    gray = scene()
    for side in (4 * 640 + 1, 1e6, 1e300):
        assert judge.refine(gray, Candidate(300, 220, side, 1.0)).confidence == 0
    growing = judge_of(2.0, 0, 0, 9.0, 0, 4.0, 1.0)
    assert growing.refine(gray, Candidate(300, 220, 500, 1.0)).confidence > 0.8
    assert growing.refine(gray, Candidate(300, 220, 1500, 1.0)).confidence == 0


def test_a_yaw_is_not_below_0(judge_of):
    assert judge_of(2.0, 0, 0, 0, 0, 4.0, -1.0).refine(scene(), Candidate(300, 220, 80, 0.1)).yaw == 0


@pytest.mark.parametrize(("dx", "dy"), [(-5, 0), (5, 0), (0, -5), (0, 5)])
def test_a_face_whose_centre_is_not_in_the_frame_is_none(judge_of, dx, dy):
    """Nothing can be cut around it."""
    x, y = 320 + 318 * np.sign(dx), 240 + 238 * np.sign(dy)
    found = judge_of(4.0, dx, dy, 0, 0, 4.0, 0).refine(scene(), Candidate(x, y, 80, 0.9))
    assert found.confidence == 0


def distance(found):
    """Distance of a square's centre from the face's in sides of the face."""
    return math.hypot(found.x - X, found.y - Y) / SIDE


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_face_is_seen_where_it_is(judge, emotion):
    found = judge.refine(FACES[emotion], Candidate(X, Y, SIDE, 0.5))
    assert found.confidence > 0.7
    assert distance(found) < 0.1
    assert abs(math.log(found.side / SIDE)) < 0.2
    assert found.yaw < 0.4


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("size", [0.8, 1.0, 1.25])
def test_a_square_nearby_moves_to_the_face(judge, emotion, size):
    """From each offset of up to a quarter of the side, and of a size of 0.8 to 1.25; two looks are better."""
    for dx in (-0.25, 0, 0.25):
        for dy in (-0.25, 0, 0.25):
            square = Candidate(X + dx * SIDE, Y + dy * SIDE, size * SIDE, 1.0)
            once = judge.refine(FACES[emotion], square)
            assert distance(once) < 0.16, (dx, dy)
            assert abs(math.log(once.side / SIDE)) < 0.35, (dx, dy)
            twice = judge.refine(FACES[emotion], once)
            assert twice.confidence > 0.5, (dx, dy)
            assert distance(twice) < 0.12, (dx, dy)
            assert abs(math.log(twice.side / SIDE)) < 0.2, (dx, dy)


def test_squares_beside_a_face_are_doubted(judge):
    """A whole side away there is no face."""
    for dx, dy in ((-1, 0), (1, 0), (0, 1), (0, -1), (-1, -1), (1, 1)):
        found = [
            judge.refine(gray, Candidate(X + dx * SIDE, Y + dy * SIDE, SIDE, 1.0)).confidence
            for gray in FACES.values()
        ]
        assert statistics.median(found) < 0.3


@pytest.mark.parametrize("turn", [-45, -30, 30, 45])
def test_a_clockwise_turn_is_a_positive_roll(judge, turn):
    found = [judge.refine(turned(gray, (X, Y), turn), Candidate(X, Y, SIDE, 1.0)) for gray in FACES.values()]
    assert all(each.confidence > 0.7 for each in found)
    assert all(each.roll_deg * turn > 0 for each in found)
    assert abs(statistics.median(each.roll_deg for each in found) - turn) < 15


def test_an_upright_face_has_little_roll(judge):
    found = [judge.refine(gray, Candidate(X, Y, SIDE, 1.0)).roll_deg for gray in FACES.values()]
    assert all(abs(roll) < 20 for roll in found)


@pytest.mark.parametrize(
    ("x", "y", "side"),
    [(-1, 220, 200), (640, 220, 200), (300, -0.1, 200), (300, 480, 200), (-900, 9000, 50), (300, 220, 0.5)],
)
def test_outside_of_the_frame_there_is_no_face(judge, x, y, side):
    square = Candidate(x, y, side, 0.9, 10.0, 0.3)
    found = judge.refine(FACES["happy"], square)
    assert found == Candidate(x, y, side, 0.0)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (639.9, 479.9), (0, 240), (320, 479.9)])
@pytest.mark.parametrize("side", [1, 40, 2000])
def test_squares_may_reach_beyond_the_frame(judge, x, y, side):
    found = judge.refine(scene(), Candidate(x, y, side, 1.0))
    assert found.confidence < 0.5
    assert all(math.isfinite(value) for value in found)


def test_half_of_a_face_at_the_edge_is_still_seen_near_it(judge):
    gray = scene(("happy", -50, 120, 200))
    found = judge.refine(gray, Candidate(50, 220, 200, 1.0))
    assert math.hypot(found.x - 50, found.y - 220) < 60


def textures():
    """What is no face."""
    ramp = np.tile(np.linspace(0, 255, 640).astype(np.uint8), (480, 1))
    board = (np.indices((480, 640)).sum(0) // 16 % 2 * 255).astype(np.uint8)
    stripes = np.repeat((np.arange(480) // 20 % 2 * 200).astype(np.uint8)[:, None], 640, 1)
    noise = RANDOM.integers(0, 256, (480, 640), dtype=np.uint8)
    text = scene()
    for row in range(20, 480, 24):
        cv2.putText(text, "emotion and apparent gender", (5, row), cv2.FONT_HERSHEY_SIMPLEX, 1, (20,), 2)
    return {"wall": scene(), "ramp": ramp, "board": board, "stripes": stripes, "noise": noise, "text": text}


@pytest.mark.parametrize("texture", textures())
def test_textures_are_no_faces(judge, texture):
    gray = textures()[texture]
    found = [
        judge.refine(gray, Candidate(x, y, side, 1.0)).confidence
        for side in (30, 60, 120, 200)
        for x in range(40, 640, 80)
        for y in range(40, 480, 80)
    ]
    assert statistics.median(found) < 0.1
    assert sum(confidence > 0.5 for confidence in found) <= len(found) // 50


def test_a_confidence_that_came_with_the_square_does_not_count(judge):
    gray = FACES["happy"]
    squares = [Candidate(X, Y, SIDE, 0.0), Candidate(X, Y, SIDE, 1.0, 40.0, 1.0)]
    assert judge.refine(gray, squares[0]) == judge.refine(gray, squares[1])


def test_light_and_haze_hardly_matter(judge):
    dim = (FACES["happy"].astype(float) * 0.3 + 20).astype(np.uint8)
    found = judge.refine(dim, Candidate(X + 20, Y, SIDE, 1.0))
    assert found.confidence > 0.7
    assert distance(found) < 0.12


def test_a_network_that_is_no_judge_is_refused(models, tmp_path):
    with pytest.raises(ModelError, match="a network for gender; expected one for refinement"):
        RefinementNetwork(models / "tiny_gender.json")
    with pytest.raises(ModelError, match=r"none\.tflite: No such file"):
        RefinementNetwork(tmp_path / "none.tflite")
