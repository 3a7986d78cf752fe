"""What judges a walk finds what is wrong. A judge that finds nothing would let every walk pass."""

from __future__ import annotations

import json

import pytest

from tests.chaos.events import EventOrder
from tests.chaos.journal import Journal
from tests.chaos.network import complete_packets
from tests.chaos.watcher import Seen


def event(seq, kind="changed", *, run="a", id_=1, emotion="happy", connection=1):
    fields = {
        **{"run": run, "seq": seq, "key": f"{run}-{seq}", "event": kind, "event_type": kind},
        **{"id": id_, "emotion": emotion, "gender": "female"},
    }
    return Seen("event", json.dumps(fields), fields, False, 0.0, connection)


APPEARED = event(1, "appeared")


def problems(*events, queue=200):
    order = EventOrder()
    found = [order.add(each) for each in events]
    return [each for each in (*found, order.settle(queue)) if each]


def test_events_in_order_are_fine():
    again = event(1, "appeared", run="b")
    assert not problems(APPEARED, event(2, emotion="sad"), event(3, "left", emotion="sad"), again)


def test_an_event_may_come_twice_in_a_row():
    assert not problems(APPEARED, APPEARED, event(2, "left"))
    assert problems(APPEARED, event(2, "left"), APPEARED)


@pytest.mark.parametrize(
    "wrong",
    [
        [event(2)],  # the first one is missing
        [APPEARED, event(3)],
        [APPEARED, event(2)],  # nothing has changed
        [APPEARED, event(2, "appeared")],
        [APPEARED, event(2, "left", emotion="sad")],
        [APPEARED, event(2, "left", id_=2)],
        [APPEARED, event(1, "appeared", run="b"), event(2, "left")],
        [APPEARED, event(1, "appeared", id_=2)],
    ],
)
def test_what_is_missing_out_of_order_or_false_is_found(wrong):
    assert problems(*wrong)


def test_what_does_not_fit_the_queue_may_be_missing():
    kept = [event(seq, emotion=f"{seq}") for seq in range(8, 18)]
    assert not problems(APPEARED, *kept, queue=10)
    assert problems(APPEARED, *kept[:-2], queue=10)


def test_what_a_killed_broker_had_taken_may_be_missing():
    assert not problems(APPEARED, event(3, connection=2))
    assert problems(APPEARED, event(4, connection=2))


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        "ERROR edge.output.mqtt.connection: MQTT: an error in this program; a message on x is ignored",
        "MQTT broker 127.0.0.1:1883: refuses: Not authorized",
    ],
)
def test_a_line_that_no_fault_explains_is_found(line):
    assert Journal().judge([line], {"broker": 9, "camera": 9})


def test_a_fault_is_one_line():
    journal = Journal()
    line = "WARNING edge.sources.fault_log: http://x/: every read fails at once; unplugged?; trying again"
    assert not journal.judge(["INFO x", line], {"camera": 1})
    assert journal.judge([line], {"camera": 1})


def test_packets_are_split_where_they_end():
    acknowledgement, ping = b"\x40\x02\x00\x01", b"\xd0\x00"
    long = b"\x30\xc8\x01" + bytes(200)
    whole = [acknowledgement, long, ping]
    assert list(complete_packets(b"".join(whole))) == whole
    assert list(complete_packets(b"".join(whole)[:-1])) == whole[:-1]
    assert list(complete_packets(b"\x30\xc8")) == []
