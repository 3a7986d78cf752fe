"""When which part of the frame is searched: all within the interval, and no more in a frame than must be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as fuzzing
from hypothesis import strategies as st

from edge.detection.haar_proposer import HaarProposer
from edge.detection.proposal import ProposalNetwork
from edge.detection.search import SearchPart, SearchScale, plan_search
from edge.tracking.search_schedule import SearchSchedule
from edge.types import Box
from tests.support.faces import scene

SCALE = SearchScale((14.0, 36.0), 81_920)
PLAN = plan_search((480, 640), 24, SCALE)
# Quarters of a frame of 640x480, each to be searched in a frame of its own.
QUARTERS = tuple(SearchPart(Box(x, y, 320, 240), (320, 240), 1.0) for y in (0, 240) for x in (0, 320))
QUIET = scene()
PIXELS = 90_000  # in one frame, where there is no hurry


def searched(schedule, seconds, fps, plan=QUARTERS, interval_s=1.0, gray=QUIET, from_s=0.0):
    """The parts of each frame, {time: parts}."""
    times = [from_s + number / fps for number in range(round(seconds * fps))]
    return {at_s: schedule.due(gray, at_s, plan, interval_s) for at_s in times}


@pytest.mark.parametrize("fps", [5, 10, 15, 30, 60])
@pytest.mark.parametrize("interval_s", [0.25, 0.65, 2.0])
def test_the_whole_plan_is_searched_once_in_each_interval(fps, interval_s):
    found = searched(SearchSchedule(), 10, fps, interval_s=interval_s)
    parts = [part for due in found.values() for part in due]
    begun = [at_s for at_s, due in found.items() if QUARTERS[0] in due]
    gaps = np.diff(begun)
    assert begun[0] == 0
    # In whole frames, and as many frames as it takes to search four parts.
    assert all(gaps >= interval_s - 1e-9)
    assert all(gaps <= max(interval_s, 1 / fps) + 1 / fps + 1e-9)
    counts = [parts.count(part) for part in QUARTERS]
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("frame_hw", [(240, 320), (480, 640), (720, 1280), (1080, 1920)])
@pytest.mark.parametrize("fps", [10, 30])
def test_a_search_for_the_smallest_faces_ends_in_time_at_every_frame_size(frame_hw, fps):
    plan = plan_search(frame_hw, 24, SCALE)
    found = searched(SearchSchedule(), 0.65, fps, plan, 0.65, np.zeros(frame_hw, np.uint8))
    taken = [part for due in found.values() for part in due]
    assert sorted(taken, key=plan.index) == list(plan)


@pytest.mark.parametrize("fps", [15, 30, 60])
def test_a_frame_is_searched_in_little_at_high_rates(fps):
    """With fewer parts than frames in an interval, no frame gets more than one large part, but the first."""
    _, *later = searched(SearchSchedule(), 3, fps, interval_s=1.0).values()
    assert max(len(due) for due in later) == 1
    _, *later = searched(SearchSchedule(), 3, fps, PLAN, 1.0).values()
    assert all(len(due) <= 1 or sum(part.pixels for part in due) <= PIXELS for due in later)


def test_small_parts_share_a_frame():
    found = searched(SearchSchedule(), 1, 30, PLAN, 1.0)
    assert sum(1 for due in found.values() if due) < len(PLAN)


@given(st.lists(st.floats(0.001, 3), min_size=1, max_size=40), st.floats(0, 2))
@fuzzing(max_examples=60, deadline=None, derandomize=True)
def test_work_is_bounded_at_any_rate_and_no_part_is_left_out(gaps_s, interval_s):
    schedule, at_s = SearchSchedule(), 0.0
    queue: list[SearchPart] = []
    for gap_s in gaps_s:
        due = schedule.due(QUIET, at_s, PLAN, interval_s)
        assert len(due) <= 4
        for part in due:
            if not queue:
                queue = list(PLAN)
            assert part in queue  # none a second time before all were searched
            queue.remove(part)
        at_s += gap_s


@pytest.mark.parametrize("interval_s", [0.25, 0.65])
def test_at_low_rates_a_search_goes_on_in_every_frame(interval_s):
    found = searched(SearchSchedule(), 6, 2, PLAN, interval_s)
    assert all(found.values())
    assert set(PLAN) == {part for due in list(found.values())[:2] for part in due}


def test_the_search_rests_between_two():
    found = searched(SearchSchedule(), 3, 30, PLAN, 1.0)
    busy = [bool(due) for due in found.values()]
    assert 3 <= sum(busy) <= 3 * len(PLAN)
    assert not any(busy[25:29])


def test_an_interval_that_shortens_lets_the_next_search_begin():
    schedule = SearchSchedule()
    searched(schedule, 0.5, 10, interval_s=2.0)
    assert schedule.due(QUIET, 0.5, QUARTERS, 2.0) == []
    assert schedule.due(QUIET, 0.6, QUARTERS, 0.25)


@pytest.mark.parametrize("quarter", range(4))
def test_what_moved_is_searched_first(quarter):
    schedule = SearchSchedule()
    searched(schedule, 1, 15)
    moved = QUIET.copy()
    area = QUARTERS[quarter].area
    moved[area.y + 60 : area.y + 160, area.x + 60 : area.x + 160] = 230
    assert schedule.has_moved(moved)
    assert schedule.due(moved, 1.0, QUARTERS, 1.0)[0] == QUARTERS[quarter]


@pytest.mark.parametrize("quarter", range(4))
def test_where_nothing_moves_it_begins_where_a_face_was(quarter):
    schedule = SearchSchedule()
    found = searched(schedule, 1, 15)
    assert [part for due in found.values() for part in due] == list(QUARTERS)  # nothing is known yet
    schedule.found(QUARTERS[quarter])
    assert schedule.due(QUIET, 1.0, QUARTERS, 1.0)[0] == QUARTERS[quarter]


def test_where_a_face_was_long_ago_counts_less_than_where_one_was_just_now():
    schedule = SearchSchedule()
    for part in (*[QUARTERS[1]] * 9, QUARTERS[2], QUARTERS[2], QUARTERS[2]):
        schedule.found(part)
    assert schedule.due(QUIET, 0.0, QUARTERS, 0.0)[0] == QUARTERS[2]


def test_noise_is_no_motion_and_a_person_is():
    schedule = SearchSchedule()
    assert schedule.has_moved(QUIET)  # nothing to compare with
    schedule.due(QUIET, 0.0, PLAN, 1.0)
    assert not schedule.has_moved(QUIET)
    assert not schedule.has_moved(scene(seed=1, noise=10))
    assert schedule.has_moved(scene(("happy", 20, 20, 60)))


def test_motion_is_against_the_beginning_of_the_last_search():
    """A person who comes in slowly moves as well as one who hurries."""
    schedule = SearchSchedule()
    searched(schedule, 0.5, 15, interval_s=9.0)
    slow = [np.full_like(QUIET, 128 + level) for level in range(0, 24, 2)]
    assert [schedule.has_moved(gray) for gray in slow].index(True) >= 4
    assert schedule.has_moved(slow[-1])


def test_frames_of_another_size_begin_anew():
    schedule = SearchSchedule()
    schedule.due(QUIET, 0.0, PLAN, 9.0)
    schedule.found(PLAN[0])
    schedule.reset()
    small = np.zeros((240, 320), np.uint8)
    plan = plan_search((240, 320), 24, SCALE)
    assert schedule.has_moved(small)
    assert schedule.due(small, 0.1, plan, 9.0)[0] == plan[0]


@pytest.mark.parametrize("hw", [(1, 1), (1, 640), (480, 1), (3, 5), (23, 31)])
@pytest.mark.parametrize("kind", [ProposalNetwork, HaarProposer])
def test_frames_smaller_than_what_motion_is_looked_for_in(hw, kind):
    schedule, plan, gray = SearchSchedule(), kind().plan(hw), np.zeros(hw, np.uint8)
    for number in range(4):
        schedule.due(gray + np.uint8(60 * number), number / 2, plan, 0.25)
    assert not schedule.has_moved(gray + np.uint8(180))
