"""What everything that proposes faces must do: the network and the Haar cascade alike."""

import math

import cv2
import numpy as np
import pytest

from edge.detection.haar_proposer import HaarProposer
from edge.detection.proposal import ProposalNetwork
from edge.detection.search import SearchPart
from edge.labels import EMOTIONS
from edge.types import Box
from tests.support.faces import scene

MOST = 24  # candidates of one part
RANDOM = np.random.default_rng(0)


@pytest.fixture(scope="module", params=[ProposalNetwork, HaarProposer], ids=["network", "cascade"])
def proposer(request):
    # Drawn and averaged faces resemble real ones less: what is tested is where they are proposed.
    return request.param(threshold=0.1) if request.param is ProposalNetwork else request.param()


def proposals(proposer, gray):
    """What is proposed in all parts of a picture."""
    found = []
    for part in proposer.plan(gray.shape):
        candidates = proposer.propose(gray, part)
        assert len(candidates) <= MOST
        confidences = [each.confidence for each in candidates]
        assert confidences == sorted(confidences, reverse=True)
        assert all(0 <= confidence <= 1 for confidence in confidences)
        assert all(math.isfinite(value) for each in candidates for value in each)
        found += candidates
    return found


def is_proposed(found, x, y, side):
    """Whether a square is near enough to a face for the judge to find the face from there."""
    return any(
        math.hypot(each.x - x - side / 2, each.y - y - side / 2) < side / 3
        and abs(math.log(each.side / side)) < 0.6
        for each in found
    )


@pytest.mark.parametrize("side", [30, 40, 60, 90, 130, 180, 240, 300, 400])
def test_every_face_of_the_project_is_proposed_at_every_size(proposer, side):
    missed = []
    for emotion in EMOTIONS:
        for x, y in ((40, 30), (600 - side, 440 - side)):
            if not is_proposed(proposals(proposer, scene((emotion, x, y, side))), x, y, side):
                missed.append((emotion, x, y))
    assert len(missed) <= 2


@pytest.mark.parametrize("wh", [(161, 121), (203, 327), (325, 243), (643, 477), (1283, 719), (1920, 1080)])
def test_places_are_in_pixels_of_the_whole_frame(proposer, wh):
    """In each corner there is a face; no side is a multiple of what the parts are reduced by."""
    side = min(wh) // 4
    inset = side // 3  # the cascade wants some of what is around a face
    right, bottom = wh[0] - side - inset, wh[1] - side - inset
    places = [(inset, inset), (right, inset), (inset, bottom), (right, bottom)]
    gray = scene(*(("happy", x, y, side) for x, y in places), size_wh=wh)
    found = proposals(proposer, gray)
    assert [is_proposed(found, x, y, side) for x, y in places] == [True] * 4


def test_faces_in_one_part_are_not_proposed_in_another_one(proposer):
    gray = scene(("surprise", 20, 20, 30))
    plan = proposer.plan(gray.shape)
    elsewhere = [part for part in plan if part.area.clipped((60, 60)) is None]
    assert elsewhere
    assert not any(proposer.propose(gray, part) for part in elsewhere)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_nothing_is_proposed_on_a_wall(proposer, level):
    assert proposals(proposer, np.full((480, 640), level, np.uint8)) == []


def test_a_hazy_face_is_proposed_like_a_clear_one(proposer):
    hazy = scene(("surprise", 200, 120, 200)).astype(float) * 0.3 + 140
    assert is_proposed(proposals(proposer, hazy.astype(np.uint8)), 200, 120, 200)


@pytest.mark.parametrize(
    "hw", [(1, 1), (1, 640), (480, 1), (3, 3), (7, 9), (23, 7), (24, 24), (25, 400), (1, 8000)]
)
def test_frames_too_small_for_a_face(proposer, hw):
    proposals(proposer, RANDOM.integers(0, 256, hw, dtype=np.uint8))
    assert proposals(proposer, np.full(hw, 90, np.uint8)) == []


def test_noise_is_worked_through_and_the_work_is_bounded(proposer):
    proposals(proposer, RANDOM.integers(0, 256, (480, 640), dtype=np.uint8))


def test_the_frame_stays_as_it_is_and_equal_frames_have_equal_candidates(proposer):
    gray = scene(("happy", 100, 60, 120), ("sad", 380, 200, 160))
    before = gray.copy()
    gray.flags.writeable = False
    first = proposals(proposer, gray)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(4)
    assert proposals(proposer, gray.copy()) == first
    cv2.setNumThreads(threads)
    np.testing.assert_array_equal(gray, before)


def test_frames_may_be_parts_of_larger_arrays(proposer):
    gray = scene(("happy", 100, 60, 120))
    around = RANDOM.integers(0, 256, (600, 800), dtype=np.uint8)
    around[50:530, 70:710] = gray
    assert proposals(proposer, around[50:530, 70:710]) == proposals(proposer, gray)


def test_the_plan_goes_down_to_the_smallest_face_that_is_asked_for():
    for kind in (ProposalNetwork, HaarProposer):
        near, far = (kind(None, smallest_px).plan((480, 640)) for smallest_px in (100, 24))
        assert min(part.reduction for part in near) > 3 * min(part.reduction for part in far)
        assert sum(part.pixels for part in near) < sum(part.pixels for part in far) / 4


def test_a_part_of_the_smallest_size_there_can_be(proposer):
    assert proposer.propose(scene(), SearchPart(Box(5, 5, 1, 1), (1, 1), 1.0)) == []
