"""Brokers that answer, but acknowledge nothing, or not everything."""

import pytest

from edge.output.mqtt.in_flight import InFlight
from edge.output.mqtt.messages import Message
from edge.types import Box
from tests.support.broker import wait_until
from tests.support.clock import Clock
from tests.support.scripted_server import acknowledge_only
from tests.support.short_delays import ShortAcknowledgement

STATE = Message("state", "1", retain=True)
FACES = Message("faces", "1", qos=0)


def tick(in_flight, clock, seconds, *, backlog=False):
    for _ in range(seconds):
        clock.now_s += 1
        in_flight.tick(backlog=backlog)


@pytest.fixture
def clock():
    return Clock(100.0)


@pytest.fixture
def in_flight(clock):
    return InFlight(30.0, clock)


def test_a_message_and_a_subscription_are_overdue_after_the_limit(in_flight, clock):
    in_flight.subscribed(1)
    tick(in_flight, clock, 1)
    in_flight.sent(2, STATE, 10)
    tick(in_flight, clock, 29)
    assert (in_flight.overdue(), len(in_flight)) == ("", 1)
    tick(in_flight, clock, 1)
    assert in_flight.overdue() == "the subscription"
    in_flight.subscription_acknowledged(1)
    assert in_flight.overdue() == ""
    tick(in_flight, clock, 1)
    assert in_flight.overdue() == "a message on state"
    assert in_flight.acknowledged(2) == STATE
    assert (in_flight.overdue(), len(in_flight)) == ("", 0)
    assert in_flight.acknowledged(2) is None


def test_messages_of_qos_0_are_never_overdue(in_flight, clock):
    in_flight.sent(1, FACES, 10)
    tick(in_flight, clock, 100)
    assert (in_flight.overdue(), len(in_flight)) == ("", 0)


def test_a_broker_has_its_time_after_a_slow_network_has_carried_the_message(in_flight, clock):
    in_flight.sent(1, STATE, 10)
    tick(in_flight, clock, 100, backlog=True)
    tick(in_flight, clock, 30)
    assert in_flight.overdue() == ""
    tick(in_flight, clock, 1)
    assert in_flight.overdue() == "a message on state"


def test_an_acknowledgement_is_one_for_all_packets_before_it(in_flight):
    for number, size in ((1, 20), (2, 30), (3, 40)):
        in_flight.sent(number, FACES if number == 2 else STATE, size)
    assert in_flight.acknowledged(2) is None  # paho's own
    assert in_flight.taken_bytes == 0
    assert in_flight.acknowledged(3) == STATE
    assert in_flight.largest_untaken() is None
    assert in_flight.taken_bytes == 40
    in_flight.sent(4, FACES, 40)
    assert in_flight.largest_untaken() is None  # one as large was taken before
    in_flight.sent(5, FACES, 41)
    in_flight.sent(6, FACES, 5)
    packet = in_flight.largest_untaken()
    assert packet is not None
    assert packet.number == 5


def test_a_broker_that_does_not_close_the_connection_has_taken_the_packet(in_flight, clock):
    in_flight.sent(1, FACES, 41)
    tick(in_flight, clock, 6)
    assert in_flight.largest_untaken() is None
    assert in_flight.taken_bytes == 41


@pytest.mark.parametrize(
    ("script", "what"),
    [
        (acknowledge_only("", subscription=False), "the subscription"),
        (acknowledge_only(""), "a message on emotiny/kitchen/camera"),
        (acknowledge_only(r".*(?<!/event)"), "a message on emotiny/kitchen/event"),
        (acknowledge_only(r".*", subscription=False), "the subscription"),
    ],
)
def test_a_broker_that_acknowledges_too_little_is_left_with_growing_delays(
    server, sink_on, frame_and_report, log, backoff, script, what
):
    mute = server(script)
    sink = sink_on(mute.port, version="3.1.1", settings_class=ShortAcknowledgement, backoff=backoff)
    sink.send(*frame_and_report(1, Box(100, 60, 80, 80)))
    assert log.wait("does not acknowledge").partition("does not")[2] == (
        f" acknowledge {what} within 1 s; is it overloaded, or does its storage hang? Trying again"
    )
    wait_until(lambda: len(mute.accepted_s) >= 3)
    assert [delay_s / backoff.FACTOR for delay_s in backoff.delays_s[:2]] == [2.0, 16.0]
    sink.close()


def test_a_broker_that_acknowledges_everything_is_not_left(server, sink_on, log, backoff):
    good = server(acknowledge_only(".*"))
    sink_on(good.port, version="3.1.1", settings_class=ShortAcknowledgement, backoff=backoff)
    log.wait("connected")
    with pytest.raises(AssertionError, match="does not become true"):
        wait_until(lambda: backoff.delays_s, 2.5)
    assert not log.faults()
