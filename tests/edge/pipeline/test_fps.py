import pytest

from edge.pipeline.fps import FpsMeter
from edge.types import Rates


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_one_frame_has_no_rate(clock):
    assert FpsMeter(clock).tick(captured=1, dropped=0) == Rates(0.0, 0.0, 0)


def test_ten_frames_in_nine_tenths_of_a_second_are_ten_a_second(clock):
    meter = FpsMeter(clock)
    for frame in range(10):
        rates = meter.tick(captured=3 * (frame + 1), dropped=2 * frame)
        clock.now += 0.1
    assert rates.processed_fps == pytest.approx(10)
    assert rates.capture_fps == pytest.approx(30)
    assert rates.dropped == 18


def test_the_rate_follows_a_change_within_the_window(clock):
    meter = FpsMeter(clock, window_s=2.0)
    for _ in range(50):
        meter.tick(captured=0, dropped=0)
        clock.now += 0.02
    for _ in range(25):
        rates = meter.tick(captured=0, dropped=0)
        clock.now += 0.1
    assert rates.processed_fps == pytest.approx(10)


def test_frames_that_are_further_apart_than_the_window_have_a_rate(clock):
    meter = FpsMeter(clock, window_s=2.0)
    for frame in range(4):
        rates = meter.tick(captured=300 * frame, dropped=0)
        clock.now += 10
    assert rates == Rates(30, 0.1, 0)
    assert meter.rates() == Rates(0, 0, 0)


def test_a_stall_shows_zero(clock):
    meter = FpsMeter(clock, window_s=2.0)
    for frame in range(20):
        meter.tick(captured=frame, dropped=1)
        clock.now += 0.1
    assert meter.rates().processed_fps == pytest.approx(10)
    clock.now += 2.0
    assert meter.rates() == Rates(0.0, 0.0, 1)


def test_a_clock_that_stands_still_is_no_division_by_zero(clock):
    meter = FpsMeter(clock)
    meter.tick(captured=1, dropped=0)
    assert meter.tick(captured=2, dropped=0).processed_fps > 0
