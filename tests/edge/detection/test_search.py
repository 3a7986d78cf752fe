"""The parts of a search: together they see every face of every size, and none is large."""

import math

import pytest
from hypothesis import given
from hypothesis import settings as fuzzing
from hypothesis import strategies as st

from edge.detection.search import SearchPart, SearchScale, plan_search
from edge.types import Box

NETWORK, CASCADE = SearchScale((14.0, 36.0), 81_920), SearchScale((24, 60), 20_000)
SIZES_WH = [(160, 120), (320, 240), (640, 480), (480, 640), (1280, 720), (1920, 1080), (1920, 400)]

plans = st.tuples(
    st.integers(160, 1920), st.integers(120, 1080), st.floats(16, 60), st.sampled_from([NETWORK, CASCADE])
)


def holds(part, scale, x, y, side):
    """Whether a face lies wholly in a window, at a size that it is searched for."""
    area = part.area
    low, high = scale.sides_px
    return (
        low * 0.98 <= side / part.reduction <= high * 1.02
        and area.x - 1 <= x - side / 2
        and x + side / 2 <= area.x + area.width + 1
        and area.y - 1 <= y - side / 2
        and y + side / 2 <= area.y + area.height + 1
    )


@given(plans, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
@fuzzing(max_examples=300, deadline=None, derandomize=True)
def test_a_face_of_any_size_at_any_place_lies_in_a_window_at_a_size_that_is_searched_for(
    planned, size, across, down
):
    width, height, smallest_px, scale = planned
    least, most = max(smallest_px, scale.sides_px[0]), min(width, height)  # no frame is enlarged
    side = least * (most / least) ** size
    x, y = side / 2 + across * (width - side), side / 2 + down * (height - side)
    plan = plan_search((height, width), smallest_px, scale)
    assert any(holds(part, scale, x, y, side) for part in plan), (x, y, side)


@given(plans)
@fuzzing(max_examples=200, deadline=None, derandomize=True)
def test_windows_lie_in_the_frame_are_small_and_few(planned):
    width, height, smallest_px, scale = planned
    plan = plan_search((height, width), smallest_px, scale)
    for part in plan:
        assert part.area.clipped((height, width)) == part.area
        assert part.pixels == part.size_wh[0] * part.size_wh[1]
        assert part.pixels <= scale.max_pixels * 1.03
        assert part.reduction >= 1
        for reduced, whole in zip(part.size_wh, part.area[2:], strict=True):
            assert reduced <= whole
            assert abs(reduced - whole / part.reduction) <= 0.5
    # What neighbouring windows share and the coarser copies take, together, is as much as the finest copy.
    finest = width * height / max(1.0, smallest_px / scale.sides_px[0]) ** 2
    assert len(plan) <= 4 + 4 * math.ceil(finest / scale.max_pixels)
    assert len(set(plan)) == len(plan)


@pytest.mark.parametrize("size_wh", SIZES_WH)
@pytest.mark.parametrize("scale", [NETWORK, CASCADE], ids=["network", "cascade"])
def test_the_smallest_faces_come_first(size_wh, scale):
    reductions = [part.reduction for part in plan_search(size_wh[::-1], 24, scale)]
    assert reductions == sorted(reductions)
    assert reductions[0] == pytest.approx(24 / scale.sides_px[0])


def test_a_small_frame_is_one_window_of_each_size():
    plan = plan_search((120, 160), 24, NETWORK)
    assert all(part.area == Box(0, 0, 160, 120) for part in plan)
    assert plan[0].size_wh == (93, 70)


def test_a_frame_is_never_enlarged():
    plan = plan_search((480, 640), 5, NETWORK)
    assert plan[0].reduction == 1


@pytest.mark.parametrize("frame_hw", [(1, 1), (1, 640), (480, 1), (3, 3), (24, 24), (6000, 8000)])
def test_frames_of_any_size_have_a_plan(frame_hw):
    for scale in (NETWORK, CASCADE):
        plan = plan_search(frame_hw, 24, scale)
        assert plan
        assert all(isinstance(part, SearchPart) and min(part.size_wh) >= 1 for part in plan)
        assert all(part.area.clipped(frame_hw) == part.area for part in plan)


def test_the_same_frames_have_the_same_plan():
    assert plan_search((480, 640), 24, NETWORK) is plan_search((480, 640), 24, NETWORK)
