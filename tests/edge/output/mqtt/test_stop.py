"""How long the end of a run waits for a broker."""

import contextlib
import os
import signal
import socket
import time

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from edge.types import Box
from tests.support.broker import Listener, needs_mosquitto, payload_of, wait_until
from tests.support.reports import with_new_ids

NEAR = Box(100, 60, 80, 80)
# It takes half a second; the rest is for a machine that does something else besides.
LIMIT_S = 1.5


@needs_mosquitto
def test_a_broker_that_stands_still_is_not_waited_for(broker, sink_on, frame_and_report, log):
    sink = sink_on(broker.port)
    listener = Listener(broker.port, "emotiny/kitchen/#")
    listener.wait_topic("emotiny/kitchen/status", "online")
    sink.send(*frame_and_report(1, NEAR))
    wait_until(lambda: sink.unsent == 0)
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        begun_s = time.monotonic()
        sink.close()
        assert time.monotonic() - begun_s < LIMIT_S
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    # It finds what was sent, and publishes the last will itself.
    listener.wait_topic("emotiny/kitchen/camera", "offline")
    listener.wait_topic("emotiny/kitchen/status", "offline")
    listener.close()


def test_a_broker_that_does_not_answer_at_all_is_not_waited_for(sink_on, log):
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # nobody accepts them, and the system answers no further ones
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        sink = sink_on(full.getsockname()[1])
        time.sleep(0.2)  # it connects for five seconds
        begun_s = time.monotonic()
        sink.close()
        assert time.monotonic() - begun_s < LIMIT_S
        log.wait("an attempt to connect is still under way; it is abandoned")


@needs_mosquitto
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_slow_network_has_the_time_for_the_last_messages(broker, proxy, sink_on, frame_and_report):
    sink = sink_on(proxy.port)
    listener = Listener(broker.port, "emotiny/kitchen/#", version=MQTTProtocolVersion.MQTTv5)
    listener.wait_topic("emotiny/kitchen/status", "online")
    for number in range(6):
        sink.send(*with_new_ids(number, *frame_and_report(number, NEAR)))
    wait_until(lambda: sum(m.topic.endswith("/event") for m in listener.received) == 6)
    proxy.bytes_s = 4000
    begun_s = time.monotonic()
    sink.close()
    assert time.monotonic() - begun_s > 0.5  # longer than a broker that takes nothing
    last = listener.wait_topic("emotiny/kitchen/status", "offline")
    assert dict(getattr(last.properties, "UserProperty", [])).keys() >= {
        "at",
        "seq",
    }  # the device's own, not the will
    left = [m for m in listener.received if m.topic.endswith("/event") and payload_of(m)["event"] == "left"]
    assert len(left) == 6
    listener.close()
