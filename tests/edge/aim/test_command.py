"""`emotiny aim`: what it prints and refuses, how it ends, and what the broker is told."""

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

import edge.cli.aim
from edge.cli.main import main
from edge.errors import CameraError
from edge.tracking.tracker import FaceTracker
from edge.types import Box
from tests.support.aim_client import LIMIT_S, get, picture_in, view
from tests.support.broker import Broker, Listener, free_port, needs_mosquitto, retained_on
from tests.support.home_assistant import shown_state
from tests.support.room import write_room


@pytest.fixture
def words(models):
    return [
        *("aim", "--config", os.devnull, "--port", "0"),
        *("--emotion-model", str(models / "tiny_emotion.json")),
        *("--gender-model", str(models / "tiny_gender.json")),
    ]


@contextmanager
def program(*words, **more):
    """Runs the real program until its page is open; yields the process, the port and its lines."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "edge", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        (port,) = re.findall(r":(\d+)/", lines[0])
        yield process, int(port), lines
    finally:
        process.kill()
        process.communicate()


def test_it_prints_how_to_open_the_page_and_ends_at_a_signal(words):
    with program(*words, "--source", "demo") as (process, port, lines):
        assert lines == [
            f"open http://127.0.0.1:{port}/\n",
            f"from another machine: ssh -L {port}:127.0.0.1:{port} USER@THIS_DEVICE, and then open "
            f"http://127.0.0.1:{port}/ there\n",
            "it shows lines instead of the picture, to one viewer, and ends after 10 minutes, or at Ctrl-C\n",
        ]
        assert view(port)["report"]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0
        assert out == ""
        assert "aim: the page is open at http://127.0.0.1" in err
        assert "aim: a viewer at 127.0.0.1 looks" in err
        assert "aim: the page is closed" in err
        assert "Traceback" not in err
        with pytest.raises(OSError):
            get(port, "/")


def test_another_address_is_said_on_the_console_with_its_token(words):
    with program(*words, "--source", "demo", "--address", "0.0.0.0", "--show-picture") as (
        process,
        port,
        lines,
    ):
        (token,) = re.findall(rf"^open http://\S+:{port}/\?token=(\S{{22,}})\n$", lines[0])
        assert lines[1:] == [
            "other machines can connect, and the connection is not encrypted: who has the whole address sees "
            "this page\n",
            "it shows the picture itself, to one viewer, and ends after 10 minutes, or at Ctrl-C\n",
        ]
        assert get(port, "/")[0] == 403
        assert view(port, query=f"?token={token}")["real"]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0
        assert token not in err


def test_it_ends_by_itself(words, monkeypatch, capfd, caplog):
    monkeypatch.setattr(edge.cli.aim, "_MINUTE_S", 1.0)
    caplog.set_level(logging.INFO)
    began_s = time.monotonic()
    assert main([*words, "--source", "demo", "--minutes", "2"]) == 0
    assert 2 <= time.monotonic() - began_s < LIMIT_S
    out, err = capfd.readouterr()
    assert "ends after 2 minutes" in out
    assert "emotiny: aim: ended after 2 minutes, as --minutes says\n" in err
    assert [record.getMessage() for record in caplog.records if "page" in record.getMessage()][-1] == (
        "aim: the page is closed"
    )


def test_a_video_s_end_is_the_page_s_end(words, tmp_path, happy):
    import cv2

    clip = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 10, (640, 480))
    for _ in range(5):
        writer.write(cv2.cvtColor(happy, cv2.COLOR_GRAY2BGR))
    writer.release()
    assert main([*words, "--source", str(clip)]) == 0


def test_what_may_be_a_face_is_hidden_although_it_is_not_reported(words, tmp_path, monkeypatch):
    everything = [[Box(0, 0, 960, 720)], []]
    monkeypatch.setattr(FaceTracker, "possible_boxes", property(lambda _: everything[0]))
    clip = tmp_path / "room.avi"
    write_room(clip, 20)
    port = free_port()
    seen = []

    def look():
        while True:
            try:
                seen.append(bool(picture_in(view(port))[1].any()))
                break
            except OSError:
                pass
        everything.pop(0)
        until_s = time.monotonic() + LIMIT_S
        while not seen[-1] and time.monotonic() < until_s:
            seen.append(bool(picture_in(view(port))[1].any()))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=look)
    thread.start()
    assert main([*words[:3], "--port", str(port), *words[5:], "--source", str(clip)]) == 0
    thread.join(LIMIT_S)
    assert (seen[0], seen[-1]) == (False, True)


def refusal(capfd, *words):
    """Returns the exit code and the only line on standard error; nothing was printed."""
    code = main([str(word) for word in words])
    out, err = capfd.readouterr()
    (line,) = [each for each in err.splitlines() if each.startswith("emotiny: ")]
    assert out == ""
    assert "Traceback" not in err
    return code, line.removeprefix("emotiny: error: ")


@pytest.mark.parametrize(
    ("more", "code", "text"),
    [
        (["--minutes", "0"], 2, "--minutes 0: must be 1 to 60"),
        (["--minutes", "61"], 2, "--minutes 61: must be 1 to 60"),
        (["--minutes", "many"], 2, "argument --minutes: invalid int value: 'many' (see --help)"),
        (["--port", "70000"], 2, "--port 70000: must be 0 to 65535"),
        (["--lens", "0"], 2, "argument --lens: '0': expected degrees, 10 to 170"),
        (["--address", "here"], 2, "--address 'here': expected an address of this device"),
        (["--address", "192.0.2.1"], 4, "--address 192.0.2.1 --port 0: "),
        (["--annotate", "seen.mp4"], 2, "unrecognized arguments: --annotate seen.mp4"),
        (["--source", "/dev/video99"], 1, "/dev/video99: "),
        (["--source", "nonsense://x"], 2, "source nonsense://x: unknown kind"),
    ],
)
def test_bad_input_is_one_line(words, capfd, more, code, text):
    got, line = refusal(capfd, *words, *more)
    assert (got, line[: len(text)]) == (code, text)


def test_a_taken_port_is_one_line(words, capfd):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = refusal(capfd, *words, "--source", "demo", "--port", port)
    assert code == 4
    assert line.startswith(f"--address 127.0.0.1 --port {port}: another program listens there")


def test_pictures_are_no_camera(words, capfd, tmp_path):
    import cv2
    import numpy as np

    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((64, 64), np.uint8))
    code, line = refusal(capfd, *words, "--source", tmp_path)
    assert (code, line) == (2, f"source {tmp_path}: pictures; expected a camera, a stream or a video")


def test_the_demo_is_not_played_in_place_of_a_camera(words, capfd, monkeypatch):
    monkeypatch.setattr(edge.cli.aim, "_MINUTE_S", 1.0)  # a demo would not end
    monkeypatch.setattr("edge.sources.factory.query_all", lambda: ([], {}))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, line = refusal(capfd, *words)
    why = "is one connected? `emotiny cameras` says where to look"
    assert (code, line) == (1, f"auto: no camera answers; {why}")


def test_a_camera_that_the_service_has(words, capfd, monkeypatch):
    def busy(*_, **__):
        raise CameraError("/dev/video0: does not open; is another program using it (`fuser /dev/video0`)?")

    monkeypatch.setattr(edge.cli.aim, "open_source", busy)
    monkeypatch.setattr(edge.cli.aim, "service_state", lambda: "active")
    code, line = refusal(capfd, *words)
    assert code == 1
    assert line == (
        "/dev/video0: does not open; is another program using it (`fuser /dev/video0`)?; fix: the service "
        "has the camera while it runs, `sudo systemctl stop emotiny`"
    )


def test_settings_that_store_or_wait_are_not_used(words, tmp_path, monkeypatch):
    monkeypatch.setattr(edge.cli.aim, "_MINUTE_S", 1.0)
    monkeypatch.setenv("EMOTINY_ANNOTATE", str(tmp_path / "seen.mp4"))
    monkeypatch.setenv("EMOTINY_MAX_FRAMES", "1")
    monkeypatch.setenv("EMOTINY_RECONNECT", "true")
    began_s = time.monotonic()
    assert main([*words, "--source", "demo", "--minutes", "1"]) == 0
    assert time.monotonic() - began_s >= 1
    assert main([*words, "--source", "/dev/video99"]) == 1
    assert list(tmp_path.iterdir()) == []


def page_in_home_assistant(broker):
    """Returns what Home Assistant shows of the page, if it starts now."""
    retained = {topic: message.payload.decode() for topic, message in retained_on(broker.port).items()}
    assert retained["emotiny/hall/aim"] in {"ON", "OFF"}
    announced = json.loads(retained["homeassistant/device/emotiny_hall/config"])
    return shown_state(announced["cmps"]["aim"], retained)


@needs_mosquitto
def test_the_broker_and_home_assistant_are_told_while_the_page_is_open(words, tmp_path):
    broker = Broker(tmp_path)
    listener = Listener(broker.port)
    try:
        mqtt = ("--mqtt-host", "127.0.0.1", "--mqtt-port", str(broker.port), "--mqtt-device", "hall")
        with program(*words, *mqtt, "--source", "demo") as (process, *_):
            listener.wait_topic("emotiny/hall/status", "online")
            assert page_in_home_assistant(broker) == "on"
            process.send_signal(signal.SIGTERM)
            listener.wait_topic("emotiny/hall/status", "offline")
        assert retained_on(broker.port)["emotiny/hall/aim"].payload == b"OFF"
        assert page_in_home_assistant(broker) == "unavailable"
        listener.clear()
        with program(*words, *mqtt, "--source", "demo") as (process, *_):
            listener.wait_topic("emotiny/hall/status", "online")
            assert page_in_home_assistant(broker) == "on"
            process.kill()
            listener.wait_topic("emotiny/hall/status", "offline")  # the last will
        # Whoever looks at the device now sees that nothing of it holds; its next start says so.
        assert retained_on(broker.port)["emotiny/hall/aim"].payload == b"ON"
        assert page_in_home_assistant(broker) == "unavailable"
        command = ["run", *words[1:3], *words[5:], *mqtt, "--source", "demo", "--log-level", "error"]
        run = subprocess.Popen(
            [sys.executable, "-m", "edge", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            listener.clear()
            listener.wait_topic("emotiny/hall/status", "online")
            assert page_in_home_assistant(broker) == "off"
        finally:
            run.kill()
            run.wait()
    finally:
        listener.close()
        broker.kill()


def test_no_connection_to_the_broker_before_the_camera_delivers(words, capfd):
    """A second client of the device's name would end the connection of the service, which has the camera."""
    connected = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as broker:

        def accept():
            broker.settimeout(LIMIT_S)
            try:
                broker.accept()[0].close()
                connected.set()
            except OSError:
                pass

        thread = threading.Thread(target=accept)
        thread.start()
        mqtt = ("--mqtt-host", "127.0.0.1", "--mqtt-port", broker.getsockname()[1])
        assert refusal(capfd, *words, *mqtt, "--source", "rtsp://127.0.0.1:1/none")[0] == 1
        assert not connected.is_set()
        broker.shutdown(socket.SHUT_RDWR)
        thread.join(LIMIT_S)
