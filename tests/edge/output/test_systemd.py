"""What systemd is told, heard on a real datagram socket."""

import os
import socket
import subprocess
import sys

import pytest

from edge.output.systemd import SystemdSink, open_notify
from edge.types import Box

NEAR = Box(100, 60, 80, 80)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Ear:
    """systemd's end of the socket."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(20)

    def heard(self):
        """All that was said so far, message by message."""
        said = []
        self.socket.setblocking(False)
        try:
            while True:
                said.append(self.socket.recv(4096).decode().split("\n"))
        except BlockingIOError:
            return said


@pytest.fixture(params=["path", "abstract"])
def ear_and_name(request, tmp_path):
    name = str(tmp_path / "notify") if request.param == "path" else f"@emotiny-test-{os.getpid()}"
    ear = Ear("\0" + name[1:] if name.startswith("@") else name)
    yield ear, name
    ear.socket.close()


def test_ready_with_the_first_frame_and_signs_of_life_with_further_ones(ear_and_name, frame_and_report):
    ear, name = ear_and_name
    clock = Clock()
    sink = SystemdSink(name, 8.0, clock)
    sink.idle("tick")
    assert ear.heard() == []
    sink.send(*frame_and_report(1, NEAR))
    assert ear.heard() == [["READY=1", "WATCHDOG=1", "STATUS=14.1 frames a second, faces: 1"]]
    for _ in range(40):  # eight seconds
        clock.now += 0.2
        sink.send(*frame_and_report(1, NEAR))
    said = [word for message in ear.heard() for word in message]
    assert said.count("WATCHDOG=1") in (3, 4)
    assert sum(word.startswith("STATUS=") for word in said) == 1
    clock.now += 60
    sink.idle("tick")  # a camera that hangs is no sign of life
    assert ear.heard() == []
    sink.close()
    sink.close()
    assert ear.heard() == [["STOPPING=1"]]


def test_a_camera_that_is_gone_is_said_and_is_a_sign_of_life(ear_and_name):
    ear, name = ear_and_name
    clock = Clock()
    sink = SystemdSink(name, 8.0, clock)
    sink.idle("gone")
    (first,) = ear.heard()
    assert first == [
        "EXTEND_TIMEOUT_USEC=60000000",
        "WATCHDOG=1",
        "STATUS=the camera is gone, it is tried again",
    ]
    for _ in range(100):
        clock.now += 0.2
        sink.idle("gone")
    assert 3 <= len(ear.heard()) <= 20
    sink.close()


def test_switched_off_from_the_start_is_ready_and_a_sign_of_life(ear_and_name, frame_and_report):
    """A retained OFF comes before the first picture is processed: without READY systemd would kill it."""
    ear, name = ear_and_name
    clock = Clock()
    sink = SystemdSink(name, 8.0, clock)
    sink.idle("off")
    assert ear.heard() == [["READY=1", "WATCHDOG=1", "STATUS=switched off"]]
    clock.now += 3
    sink.idle("off")
    assert ear.heard() == [["WATCHDOG=1"]]
    clock.now += 3
    sink.send(*frame_and_report(1, NEAR))
    assert ear.heard() == [["WATCHDOG=1", "STATUS=14.1 frames a second, faces: 1"]]
    sink.close()


def test_a_loop_that_holds_back_is_alive_and_its_last_status_stays(ear_and_name, frame_and_report):
    ear, name = ear_and_name
    clock = Clock()
    sink = SystemdSink(name, 8.0, clock)
    sink.send(*frame_and_report(1, NEAR))
    ear.heard()
    for _ in range(40):  # eight seconds
        clock.now += 0.2
        sink.idle("rest")
    assert ear.heard() in ([["WATCHDOG=1"]] * 3, [["WATCHDOG=1"]] * 4)
    sink.close()


@pytest.mark.parametrize("why", ["a frame", "off"])
def test_ready_is_said_again_until_it_was_heard(tmp_path, frame_and_report, why):
    """systemd that is just restarting itself has no socket for a moment."""
    name = str(tmp_path / "notify")
    sink = SystemdSink(name, 8.0, Clock())

    def tell():
        if why == "off":
            sink.idle("off")
        else:
            sink.send(*frame_and_report(1, NEAR))

    tell()
    ear = Ear(name)
    tell()
    tell()
    assert [message[0] for message in ear.heard()] == ["READY=1"]
    ear.socket.close()
    sink.close()


def test_a_socket_that_nobody_reads_stops_nothing(tmp_path, frame_and_report):
    sink = SystemdSink(str(tmp_path / "nobody"), 8.0, Clock())
    sink.send(*frame_and_report(1, NEAR))
    sink.close()


@pytest.mark.parametrize(
    ("more", "alive_s"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 7.5),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
    ],
)
def test_the_environment_says_where_and_how_often(ear_and_name, more, alive_s):
    sink = open_notify({"NOTIFY_SOCKET": ear_and_name[1], **more})
    assert sink is not None
    assert sink._alive_s == alive_s
    sink.close()
    assert open_notify({}) is None


def test_run_tells_systemd(ear_and_name, models):
    ear, name = ear_and_name
    command = [
        *(sys.executable, "-m", "edge", "run", "--source", "demo", "--fast", "--max-frames", "5"),
        *("--emotion-model", str(models / "tiny_emotion.json")),
        *("--gender-model", str(models / "tiny_gender.json")),
    ]
    environment = os.environ | {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "4000000"}
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
    said = [word for message in ear.heard() for word in message]
    assert said[0] == "READY=1"
    assert "WATCHDOG=1" in said
    assert said[-1] == "STOPPING=1"
