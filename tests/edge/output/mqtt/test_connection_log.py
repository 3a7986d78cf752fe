import logging

import pytest

from edge.output.mqtt.connection_log import ConnectionLog
from edge.output.mqtt.faults import Fault
from tests.support.clock import Clock


@pytest.fixture
def lines(caplog):
    """Returns what was logged so far."""
    caplog.set_level(logging.INFO, "edge.output.mqtt")
    return lambda: [record.getMessage().removeprefix("MQTT broker b: ") for record in caplog.records]


def test_a_long_absence_is_logged_once_an_hour(lines):
    clock = Clock()
    log = ConnectionLog("b", clock)
    for _ in range(2 * 60):
        log.disconnected(Fault("cannot be reached"))
        clock.now_s += 60.0
    log.connected()
    assert lines() == [
        "cannot be reached; trying again",
        "cannot be reached (59 times more in the last hour); trying again",
        "connected again, after 7200 s",
    ]


def test_another_reason_is_logged_too(lines):
    log = ConnectionLog("b", Clock())
    for text in ("its name is not known?", "cannot be reached", "its name is not known?", "refuses"):
        log.disconnected(Fault(text))
    assert lines() == [
        "its name is not known? Trying again",
        "cannot be reached; trying again",
        "refuses; trying again",
    ]


def test_a_refusal_is_an_error_and_all_else_a_warning(caplog):
    log = ConnectionLog("b", Clock())
    log.disconnected(Fault("cannot be reached"))
    log.disconnected(Fault("refuses", refused=True))
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]


def test_repeated_losses_are_logged_three_times_and_again_after_a_stable_connection(lines):
    clock = Clock()
    log = ConnectionLog("b", clock)
    for number in range(20):
        log.connected()
        clock.now_s += 5
        log.still_connected()
        text = "lost" if number < 3 else f"lost {number}"
        log.disconnected(Fault(text, repeated_hint="is there another?"))
    three_losses = [
        "connected",
        "lost; trying again",
        "connected again, after 0 s",
        "lost; trying again",
        "connected again, after 0 s",
        "lost; it comes and goes, so further losses are not logged for now; is there another? Trying again",
    ]
    assert lines() == three_losses
    log.connected()
    clock.now_s += 119
    log.still_connected()
    assert lines() == three_losses
    clock.now_s += 1
    log.still_connected()
    log.still_connected()
    assert lines() == [*three_losses, "connected again, after 205 s"]
    log.disconnected(Fault("lost"))
    assert lines()[-1] == "lost; trying again"


def test_repeated_losses_without_a_hint(lines):
    log = ConnectionLog("b", Clock())
    for _ in range(3):
        log.connected()
        log.disconnected(Fault("lost"))
    assert lines()[-1] == "lost; it comes and goes, so further losses are not logged for now; trying again"


def test_a_connection_that_lasted_was_stable_also_if_nobody_checked(lines):
    clock = Clock()
    log = ConnectionLog("b", clock)
    for _ in range(3):
        log.connected()
        log.disconnected(Fault("lost"))
    log.connected()
    clock.now_s += 120
    log.disconnected(Fault("lost"))
    assert lines()[-2:] == ["connected again, after 120 s", "lost; trying again"]
