"""Notifications to systemd, received on a real datagram socket."""

import os
import socket
import subprocess
import sys

import pytest

from edge.output.systemd import SystemdSink, open_notify
from edge.types import Box
from tests.support.clock import Clock

NEAR = Box(100, 60, 80, 80)


class Systemd:
    """systemd's end of the socket."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(20)

    def received(self):
        """Returns the lines of every message since the last call."""
        messages = []
        self.socket.setblocking(False)
        try:
            while True:
                messages.append(self.socket.recv(4096).decode().split("\n"))
        except BlockingIOError:
            return messages


@pytest.fixture(params=["path", "abstract"])
def systemd_and_name(request, tmp_path):
    name = str(tmp_path / "notify") if request.param == "path" else f"@emotiny-test-{os.getpid()}"
    systemd = Systemd("\0" + name[1:] if name.startswith("@") else name)
    yield systemd, name
    systemd.socket.close()


def test_ready_with_the_first_frame_and_the_watchdog_with_later_ones(systemd_and_name, frame_and_report):
    systemd, name = systemd_and_name
    clock = Clock()
    sink = SystemdSink(name, 8.0, clock)
    sink.idle("tick")
    assert systemd.received() == []
    sink.send(*frame_and_report(1, NEAR))
    assert systemd.received() == [["READY=1", "WATCHDOG=1", "STATUS=14.1 frames a second, faces: 1"]]
    for _ in range(40):  # eight seconds
        clock.now_s += 0.2
        sink.send(*frame_and_report(1, NEAR))
    lines = [line for message in systemd.received() for line in message]
    assert lines.count("WATCHDOG=1") in (3, 4)
    assert sum(line.startswith("STATUS=") for line in lines) == 1
    clock.now_s += 60
    sink.idle("tick")  # a camera that hangs does not notify the watchdog
    assert systemd.received() == []
    sink.close()
    sink.close()
    assert systemd.received() == [["STOPPING=1"]]


def test_a_camera_that_is_gone_is_reported_and_the_watchdog_is_notified(systemd_and_name):
    systemd, name = systemd_and_name
    clock = Clock()
    sink = SystemdSink(name, 8.0, clock)
    sink.idle("gone")
    (first,) = systemd.received()
    assert first == [
        "EXTEND_TIMEOUT_USEC=60000000",
        "WATCHDOG=1",
        "STATUS=the camera is gone, it is tried again",
    ]
    for _ in range(100):
        clock.now_s += 0.2
        sink.idle("gone")
    assert 3 <= len(systemd.received()) <= 20
    sink.close()


def test_no_more_time_to_start_is_asked_for_after_the_start(systemd_and_name, frame_and_report):
    systemd, name = systemd_and_name
    clock = Clock(100.0)
    sink = SystemdSink(name, 8.0, clock)
    sink.send(*frame_and_report(1, NEAR))
    systemd.received()
    clock.now_s += 10
    sink.idle("gone")
    assert systemd.received() == [["WATCHDOG=1", "STATUS=the camera is gone, it is tried again"]]
    sink.close()


def test_switched_off_from_the_start_is_ready_and_notifies_the_watchdog(systemd_and_name, frame_and_report):
    """A retained OFF arrives before the first frame is processed: without READY systemd would end the run."""
    systemd, name = systemd_and_name
    clock = Clock()
    sink = SystemdSink(name, 8.0, clock)
    sink.idle("off")
    assert systemd.received() == [["READY=1", "WATCHDOG=1", "STATUS=switched off"]]
    clock.now_s += 3
    sink.idle("off")
    assert systemd.received() == [["WATCHDOG=1"]]
    clock.now_s += 3
    sink.send(*frame_and_report(1, NEAR))
    assert systemd.received() == [["WATCHDOG=1", "STATUS=14.1 frames a second, faces: 1"]]
    sink.close()


def test_a_loop_that_rests_notifies_the_watchdog_and_keeps_its_status(systemd_and_name, frame_and_report):
    systemd, name = systemd_and_name
    clock = Clock()
    sink = SystemdSink(name, 8.0, clock)
    sink.send(*frame_and_report(1, NEAR))
    systemd.received()
    for _ in range(40):  # eight seconds
        clock.now_s += 0.2
        sink.idle("rest")
    assert systemd.received() in ([["WATCHDOG=1"]] * 3, [["WATCHDOG=1"]] * 4)
    sink.close()


@pytest.mark.parametrize("why", ["a frame", "off"])
def test_ready_is_sent_again_until_it_was_received(tmp_path, frame_and_report, why):
    """While systemd restarts itself there is no socket for a moment."""
    name = str(tmp_path / "notify")
    sink = SystemdSink(name, 8.0, Clock())

    def notify():
        if why == "off":
            sink.idle("off")
        else:
            sink.send(*frame_and_report(1, NEAR))

    notify()
    systemd = Systemd(name)
    notify()
    notify()
    assert [message[0] for message in systemd.received()] == ["READY=1"]
    systemd.socket.close()
    sink.close()


def test_a_socket_that_nobody_reads_is_no_error(tmp_path, frame_and_report):
    sink = SystemdSink(str(tmp_path / "nobody"), 8.0, Clock())
    sink.send(*frame_and_report(1, NEAR))
    sink.close()


@pytest.mark.parametrize(
    ("variables", "times_s"),
    [
        ({}, []),
        ({"WATCHDOG_USEC": "30000000"}, [0.0, 7.5, 15.0]),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, []),
    ],
)
def test_the_environment_names_the_socket_and_the_watchdog_s_timeout(
    systemd_and_name, frame_and_report, variables, times_s
):
    systemd, name = systemd_and_name
    clock = Clock()
    sink = open_notify({"NOTIFY_SOCKET": name, **variables}, clock)
    assert sink is not None
    notified_s = []
    while clock.now_s < 20.0:
        sink.send(*frame_and_report(1, NEAR))
        if any("WATCHDOG=1" in message for message in systemd.received()):
            notified_s.append(clock.now_s)
        clock.now_s += 0.5
    sink.close()
    assert notified_s == times_s


def test_without_systemd_there_is_no_sink():
    assert open_notify({}) is None


def test_a_run_notifies_systemd(systemd_and_name, models):
    systemd, name = systemd_and_name
    command = [
        *(sys.executable, "-m", "edge", "run", "--source", "demo", "--fast", "--max-frames", "5"),
        *("--emotion-model", str(models / "tiny_emotion.json")),
        *("--gender-model", str(models / "tiny_gender.json")),
    ]
    environment = os.environ | {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "4000000"}
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
    lines = [line for message in systemd.received() for line in message]
    assert lines[0] == "READY=1"
    assert "WATCHDOG=1" in lines
    assert lines[-1] == "STOPPING=1"
