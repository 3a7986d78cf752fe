"""How the time of a frame's stages is added up."""

import pytest

from edge.bench.timing import StageTimer


class Clock:
    """Advances only when told to."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


class Network:
    """Takes 2 ms for a face."""

    def __init__(self, clock):
        self._clock = clock

    def classify(self, crop):
        self._clock.now_s += 0.002
        if crop is None:
            raise ValueError("no crop")
        return crop * 2


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def timer(clock):
    return StageTimer(clock)


def test_a_frame_has_the_sum_of_each_stage_that_ran(timer, clock):
    network = Network(clock)
    timer.instrument(network, classify="emotion")
    for calls in (2, 0, 1):
        for _ in range(calls):
            assert network.classify(21) == 42
        timer.end_frame()
    assert timer.frames == [{"emotion": pytest.approx(4.0)}, {}, {"emotion": pytest.approx(2.0)}]


def test_only_the_given_object_is_timed(timer, clock):
    timer.instrument(Network(clock), classify="emotion")
    Network(clock).classify(1)
    timer.end_frame()
    assert timer.frames == [{}]


def test_a_call_that_raises_is_timed_too(timer, clock):
    classify = timer.timed("emotion", Network(clock).classify)
    with pytest.raises(ValueError, match="no crop"):
        classify(None)
    timer.end_frame()
    assert timer.frames == [{"emotion": pytest.approx(2.0)}]


def test_a_discarded_frame_is_not_counted(timer, clock):
    classify = timer.timed("emotion", Network(clock).classify)
    classify(1)
    timer.discard_frame()
    timer.end_frame()
    assert timer.frames == [{}]
