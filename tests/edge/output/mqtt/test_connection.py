"""What a connection costs the loop, however slow the network is."""

import logging
import time

import pytest

from edge.errors import OutputError
from edge.output.mqtt.connection import Connection
from edge.types import Box
from tests.support.broker import Listener, needs_mosquitto, payload_of, wait_until
from tests.support.reports import with_new_ids

pytestmark = needs_mosquitto

NEAR = Box(100, 60, 80, 80)


def test_a_slow_network_does_not_delay_the_loop(broker, proxy, sink_on, frame_and_report):
    sink = sink_on(proxy.port, queue=20)
    listener = Listener(broker.port)
    listener.wait_topic("emotiny/kitchen/status", "online")
    listener.wait_topic("homeassistant/device/emotiny_kitchen/config")
    proxy.bytes_s = 500
    begun_s, unsent, longest_s = time.monotonic(), [], 0.0
    for number in range(600):
        before_s = time.monotonic()
        sink.send(*with_new_ids(number, *frame_and_report(number, NEAR)))
        longest_s = max(longest_s, time.monotonic() - before_s)
        unsent.append(sink.unsent)
        time.sleep(0.005)
    took_s = time.monotonic() - begun_s
    assert took_s < 15  # the network needs many minutes for the messages
    assert longest_s < 1
    assert 20 <= max(unsent) <= 20 + 7  # further ones are the latest of each topic
    assert sink.dropped > 300
    proxy.bytes_s = None
    listener.clear()
    sink.send(*with_new_ids(9999, *frame_and_report(9999, NEAR)))
    listener.wait(lambda m: m.topic == "emotiny/kitchen/faces" and payload_of(m)["frame"] == 9999)
    listener.close()


def test_a_slow_network_carries_the_latest_readings(broker, proxy, sink_on, frame_and_report):
    sink = sink_on(proxy.port)
    listener = Listener(broker.port)
    listener.wait_topic("emotiny/kitchen/status", "online")
    listener.wait_topic("homeassistant/device/emotiny_kitchen/config")
    proxy.bytes_s = 500
    for number in range(2000):
        sink.send(*frame_and_report(number, NEAR))
        time.sleep(0.001)  # so that the thread can send each
    # The system's own buffer would hold all 2000, which would arrive minutes late.
    assert sink.dropped > 1500
    listener.close()


def test_an_error_while_a_message_is_handled_is_this_program_s_and_ends_nothing(
    broker, sink_on, frame_and_report, log, caplog
):
    obeyed = []

    def fail_at_first(on):
        obeyed.append(on)
        if len(obeyed) <= 100:
            raise ZeroDivisionError

    sink = sink_on(broker.port, switch=fail_at_first)
    listener = Listener(broker.port, "emotiny/kitchen/#")
    listener.wait_topic("emotiny/kitchen/status", "online")
    for _ in range(101):
        listener.client.publish("emotiny/kitchen/enabled/set", b"OFF", 1)
    listener.wait_topic("emotiny/kitchen/enabled/state", "OFF")
    sink.send(*frame_and_report(1, NEAR))
    assert len(obeyed) == 101
    (line,) = log.faults()  # of a hundred errors
    assert line == "MQTT: an error in this program; a message on emotiny/kitchen/enabled/set is ignored"
    (error,) = [record.exc_info for record in caplog.records if record.levelno >= logging.ERROR]
    assert error[0] is ZeroDivisionError
    assert "offline" not in [m.payload.decode() for m in listener.received if m.topic.endswith("/status")]
    listener.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_elsewhere_in_the_thread_ends_the_run(broker, sink_on, frame_and_report, monkeypatch):
    def fail(*arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(Connection, "_note_connected", fail)
    sink = sink_on(broker.port)
    with pytest.raises(OutputError, match="its thread died; the traceback above says why"):
        wait_until(lambda: sink.send(*frame_and_report(2, NEAR)))


def test_an_idle_connection_takes_no_processor_time(broker, sink_on, log):
    sink = sink_on(broker.port)
    log.wait("connected")
    wait_until(lambda: sink.unsent == 0)
    begun_s, worked_s = time.monotonic(), time.process_time()
    time.sleep(2)
    assert time.process_time() - worked_s < (time.monotonic() - begun_s) / 4
    sink.close()
