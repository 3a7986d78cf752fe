import threading

import pytest

from edge.aim.deadline import Deadline
from tests.support.clock import Clock


def test_it_ends_after_its_time():
    clock = Clock(50.0)
    deadline = Deadline(threading.Event(), 600, clock)
    assert (deadline.left_s(), deadline.is_set(), deadline.wait(0)) == (600, False, False)
    clock.now_s = 649.9
    assert not deadline.is_set()
    assert deadline.left_s() == pytest.approx(0.1)
    clock.now_s = 651
    assert (deadline.left_s(), deadline.is_set(), deadline.wait(1000)) == (0, True, True)


def test_it_ends_when_the_other_event_does():
    stop = threading.Event()
    deadline = Deadline(stop, 600, Clock())
    threading.Timer(0.05, stop.set).start()
    assert deadline.wait(60)
    assert deadline.is_set()
