import threading

import numpy as np
import pytest

from edge.aim.latest import LatestFrame
from tests.support.clock import Clock

LIMIT_S = 30


@pytest.fixture
def clock():
    return Clock(100.0)


@pytest.fixture
def latest(clock):
    latest = LatestFrame(clock)
    yield latest
    latest.close()


@pytest.fixture
def waiting(latest):
    """Begins to wait in another thread, and returns a function that returns what it got."""

    def begin(timeout_s=LIMIT_S):
        got, began = [], threading.Event()
        real = latest._changed.wait_for

        def wait_for(*arguments):
            began.set()
            return real(*arguments)

        latest._changed.wait_for = wait_for
        thread = threading.Thread(target=lambda: got.append(latest.wait(timeout_s)))
        thread.start()
        assert began.wait(LIMIT_S)

        def end():
            thread.join(LIMIT_S)
            assert got
            return got[0]

        return end

    return begin


def test_nothing_is_kept_while_nobody_waits(latest, frame_and_report):
    latest.put(*frame_and_report(1))
    assert latest._shot is None
    assert latest.wait(0.0) is None


def test_whoever_waits_gets_a_copy_of_the_next_frame(latest, waiting, frame_and_report):
    end = waiting()
    frame, report = frame_and_report(7)
    latest.put(frame, report)
    frame.gray[:] = 0
    shot = end()
    assert (shot.number, shot.report) == (1, report)
    assert np.all(shot.gray == 90)
    latest.put(*frame_and_report(8))  # nobody waits any longer
    assert latest._shot is shot


def test_a_frame_a_tenth_of_a_second_at_most(latest, waiting, clock, frame_and_report):
    end = waiting()
    latest.put(*frame_and_report(1))
    assert end().report.frame == 1
    end = waiting()
    clock.now_s += 0.09
    latest.put(*frame_and_report(2))
    clock.now_s += 0.02
    latest.put(*frame_and_report(3))
    assert end().report.frame == 3


def test_closing_ends_the_wait_and_forgets_the_frame(latest, waiting, clock, frame_and_report):
    end = waiting()
    latest.put(*frame_and_report(1))
    end()
    clock.now_s += 1
    end = waiting()
    latest.close()
    assert end() is None
    latest.put(*frame_and_report(2))
    assert latest._shot is None


def test_the_reason_why_there_is_no_frame(latest, frame_and_report):
    reasons = [latest.reason]
    latest.note("off")
    reasons.append(latest.reason)
    latest.put(*frame_and_report(1))
    reasons.append(latest.reason)
    assert reasons == [None, "off", None]
