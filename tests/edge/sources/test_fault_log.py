"""What the log says about a camera that comes and goes."""

from __future__ import annotations

import logging

import pytest

from edge.sources.fault_log import FaultLog
from tests.support.cameras import StoppedClock

GONE, ABSENT = "camera: unplugged?", "camera: no such device"


class Camera:
    """A camera whose fate is told to a log, on a clock that only its own life moves."""

    def __init__(self) -> None:
        self.clock = StoppedClock()
        self.log = FaultLog(self.clock)

    def plays(self, seconds: float) -> None:
        """Delivers a picture every ten seconds."""
        self.log.delivers("camera")
        for _ in range(int(seconds // 10)):
            self.clock.now_s += 10
            self.log.delivers("camera")

    def fails(self, fault: str, times: int = 1, wait_s: float = 30.0) -> None:
        for _ in range(times):
            self.log.lost(fault)
            self.clock.now_s += wait_s


@pytest.fixture
def camera(caplog: pytest.LogCaptureFixture) -> Camera:
    caplog.set_level(logging.INFO)
    return Camera()


def test_a_fault_is_logged_once_and_then_hourly(camera: Camera, caplog: pytest.LogCaptureFixture) -> None:
    camera.fails(ABSENT, times=121)
    assert caplog.messages == [f"{ABSENT}; trying again"] * 2
    camera.plays(10)
    assert caplog.messages[2:] == ["camera: delivers again"]


def test_a_camera_that_never_failed_does_not_deliver_again(
    camera: Camera, caplog: pytest.LogCaptureFixture
) -> None:
    camera.plays(500)
    assert caplog.messages == []


def test_a_loss_after_stable_pictures_is_a_new_one(camera: Camera, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(5):
        camera.plays(130)
        camera.fails(GONE)
    camera.plays(0)
    assert caplog.messages == [f"{GONE}; trying again", "camera: delivers again"] * 5


def test_one_that_comes_and_goes_is_logged_three_times_and_then_hourly_until_it_is_stable(
    camera: Camera, caplog: pytest.LogCaptureFixture
) -> None:
    while camera.clock.now_s < 24 * 3600:
        camera.plays(10)
        camera.fails(GONE)
    first, again = f"{GONE}; trying again", "camera: delivers again"
    last = f"{GONE}; it comes and goes, so further losses are logged once an hour; trying again"
    assert caplog.messages[:5] == [first, again, first, again, last]
    hourly = caplog.messages[5:]
    assert set(hourly) == {first}
    assert len(hourly) == pytest.approx(23, abs=1)
    camera.plays(110)
    assert caplog.messages[5:] == hourly
    camera.plays(20)
    camera.fails(GONE)
    assert caplog.messages[-2:] == [again, first]


def test_faults_without_an_end_take_no_memory_without_an_end(camera: Camera) -> None:
    for number in range(1000):
        camera.fails(f"camera: no picture after {number} pictures")
    assert len(camera.log._logged_s) <= 10
