import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.output.mqtt.messages import Message
from edge.output.mqtt.outbox import Outbox

ONLINE = Message("status", "online", retain=True)


def event(number):
    return Message("event", str(number))


def drain(outbox):
    return list(iter(outbox.pop, None))


def payloads(messages):
    return [message.payload for message in messages]


def test_the_oldest_are_dropped_and_counted():
    outbox = Outbox(3)
    outbox.put(event(number) for number in range(10))
    assert outbox.dropped == 7
    assert payloads(drain(outbox)) == ["7", "8", "9"]


def test_the_latest_retained_message_is_sent_on_every_connection():
    outbox = Outbox(10)
    outbox.put([Message("state", "1", retain=True), event(1), Message("state", "2", retain=True)])
    for _ in range(2):
        outbox.connected(ONLINE)
        sent = [(message.topic, message.payload) for message in drain(outbox)]
        assert sent[:2] == [("status", "online"), ("state", "2")]
        outbox.disconnected([])
    assert outbox.dropped == 0


def test_messages_of_qos_0_do_not_wait():
    outbox = Outbox(10)
    outbox.put([Message("faces", "1", qos=0)])
    assert (len(outbox), outbox.dropped) == (0, 1)
    outbox.connected(ONLINE)
    outbox.put([Message("faces", "2", qos=0), Message("faces", "3", qos=0)])
    assert payloads(drain(outbox)) == ["online", "3"]
    assert outbox.dropped == 2
    outbox.put([Message("faces", "4", qos=0)])
    outbox.disconnected([])
    assert (len(outbox), outbox.dropped) == (0, 3)


def test_unacknowledged_events_are_sent_again_before_later_ones_but_no_old_state():
    outbox = Outbox(10)
    outbox.put(event(number) for number in range(6))
    outbox.connected(ONLINE)
    outbox.put([Message("state", "old", retain=True)])
    in_flight = [outbox.pop() for _ in range(5)]
    outbox.put([Message("state", "new", retain=True)])
    outbox.disconnected(message for message in in_flight if message is not None)
    outbox.connected(ONLINE)
    assert payloads(drain(outbox)) == ["online", "new", "0", "1", "2", "3", "4", "5"]


def test_whether_a_message_is_the_one_retained():
    outbox = Outbox(10)
    state = Message("state", "1", retain=True)
    assert not outbox.is_retained(state)
    outbox.put([state])
    assert outbox.is_retained(Message("state", "1", retain=True))
    assert not outbox.is_retained(Message("state", "2", retain=True))


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.sampled_from(["event", "state", "faces", "connected", "disconnected", "pop"]), max_size=120)
)
def test_it_is_bounded_and_counts_every_message_that_it_drops(steps):
    outbox, numbers = Outbox(7), itertools.count()
    in_flight: list[Message] = []
    put = arrived = 0
    is_connected = False
    for step in steps:
        if step == "connected":
            if not is_connected:
                outbox.connected(ONLINE)
            is_connected = True
        elif step == "disconnected":
            outbox.disconnected(in_flight)
            in_flight, is_connected = [], False
        elif step == "pop":
            message = outbox.pop()
            in_flight += [message] if message is not None and message.topic == "event" else []
            arrived += message is not None and message.topic == "faces"
        else:
            retain, qos = step == "state", 0 if step == "faces" else 1
            outbox.put([Message(step, str(next(numbers)), retain, qos)])
            put += not retain
        assert len(outbox) <= 7 + 3
    rest = [*in_flight, *drain(outbox)]
    order = [int(message.payload) for message in rest if message.topic == "event"]
    assert order == sorted(order)
    arrived += sum(message.topic in {"event", "faces"} for message in rest)
    assert put == arrived + outbox.dropped
