"""The start of the app of Home Assistant, as a process, with a real HTTP server as the Supervisor."""

import json
import os
import pwd
import signal
import stat
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from homeassistant.emotiny.run import camera_groups, settings_of
from tests.support.broker import Broker, Listener, needs_mosquitto

RUN = Path(__file__).parents[2] / "homeassistant" / "emotiny" / "run.py"
LIMIT_S = 60
TOKEN = "the app's token"
PASSWORD = "only for us"
SERVICE = {
    **{"host": "core-mosquitto", "port": 1883, "username": "addons", "password": PASSWORD},
    **{"ssl": False, "protocol": "3.1.1"},
}
# Stands in for emotiny: prints its arguments, its environment, and its processes' rights.
SHOW = """#!{python}
import json, os, sys
from pathlib import Path
status = dict(line.split(":\\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps([sys.argv[1:], dict(os.environ), status, Path("/proc/self/cmdline").read_text()]))
"""


class Supervisor:
    """The Supervisor's answer about its broker, and what it was asked."""

    def __init__(self):
        self.status, self.body = 200, json.dumps({"result": "ok", "data": SERVICE}).encode()
        self.asked: list[tuple[str, str | None]] = []
        supervisor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                supervisor.asked.append((self.path, self.headers["Authorization"]))
                self.send_response(supervisor.status)
                self.send_header("Content-Length", str(len(supervisor.body)))
                self.end_headers()
                self.wfile.write(supervisor.body)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def supervisor():
    supervisor = Supervisor()
    yield supervisor
    supervisor.close()


@pytest.fixture
def command(tmp_path, supervisor):
    """The command that starts the app, and its environment."""
    for folder in ("bin", "memory"):
        (tmp_path / folder).mkdir()
    write_program(tmp_path, SHOW.format(python=sys.executable))
    user = pwd.getpwuid(os.geteuid()).pw_name  # the rights of another one would not reach the test's folder
    words = [sys.executable, "-W", "error", str(RUN), "--user", user, "--supervisor", supervisor.url]
    words += ["--options", str(tmp_path / "options.json"), "--memory", str(tmp_path / "memory")]
    environment = {
        **{"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(RUN.parents[2])},
        **{"SUPERVISOR_TOKEN": TOKEN, "HASSIO_TOKEN": TOKEN, "HOME": str(tmp_path)},
    }
    return words, environment


def write_program(folder, text):
    program = folder / "bin" / "emotiny"
    program.write_text(text)
    program.chmod(0o755)


@pytest.fixture
def start(command, tmp_path):
    """Starts the app with options; returns exit code, output and errors."""

    def run(options, **more):
        text = options if isinstance(options, str) else json.dumps(options)
        (tmp_path / "options.json").write_text(text)
        words, environment = command
        done = subprocess.run(
            words,
            env={name: text for name, text in (environment | more).items() if text is not None},
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
        assert "Traceback" not in done.stderr
        assert PASSWORD not in done.stderr
        return done.returncode, done.stdout, done.stderr

    return run


def shown(result):
    """Returns arguments, settings, rights and command line of what stood in for emotiny."""
    code, out, err = result
    assert code == 0, err
    words, environment, status, line = json.loads(out)
    return words, environment, status, line


def settings_in(environment):
    return {name: text for name, text in environment.items() if name.startswith("EMOTINY_")}


def test_options_and_the_supervisor_s_broker_become_settings(start, supervisor):
    options = {
        **{"source": "/dev/video2", "rotate": "90", "mirror": True, "size": "640x480", "min_face": 40},
        **{"cpu_share": 0.5, "device": "hall", "log_level": "debug", "mqtt_tls": False},
    }
    words, environment, _, line = shown(start(options))
    assert words == ["run"]
    settings = settings_in(environment)
    password_file = Path(settings.pop("EMOTINY_MQTT_PASSWORD_FILE"))
    assert settings == {
        "EMOTINY_SOURCE": "/dev/video2",
        "EMOTINY_PICTURE_ROTATE": "90",
        "EMOTINY_PICTURE_MIRROR": "true",
        "EMOTINY_PICTURE_SIZE": "640x480",
        "EMOTINY_DETECTOR_MIN_FACE": "40",
        "EMOTINY_BUDGET_CPU_SHARE": "0.5",
        "EMOTINY_MQTT_DEVICE": "hall",
        "EMOTINY_LOG_LEVEL": "debug",
        "EMOTINY_MQTT_HOST": "core-mosquitto",
        "EMOTINY_MQTT_PORT": "1883",
        "EMOTINY_MQTT_TLS": "false",
        "EMOTINY_MQTT_USERNAME": "addons",
    }
    assert supervisor.asked == [("/services/mqtt", f"Bearer {TOKEN}")]
    assert password_file.read_text() == f"{PASSWORD}\n"
    assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(password_file.parent.stat().st_mode) == 0o700
    assert environment["HOME"] == pwd.getpwuid(os.geteuid()).pw_dir
    # Neither the password nor the key to the Supervisor is where others could see it, or of use to emotiny.
    assert PASSWORD not in line
    assert all(PASSWORD not in text and TOKEN not in text for text in environment.values())


def test_a_broker_of_one_s_own_goes_before_the_supervisor_s(start, supervisor, tmp_path):
    options = {"mqtt_host": "broker.local", "mqtt_port": 8883, "mqtt_tls": True, "mqtt_username": ""}
    settings = settings_in(shown(start(options, SUPERVISOR_TOKEN=None))[1])
    assert settings == {
        "EMOTINY_MQTT_HOST": "broker.local",
        "EMOTINY_MQTT_PORT": "8883",
        "EMOTINY_MQTT_TLS": "true",
    }
    assert supervisor.asked == []
    assert list((tmp_path / "memory").iterdir()) == []  # no password, no file


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")
def test_emotiny_has_no_rights_and_cannot_gain_any(start):
    _, _, status, _ = shown(start({}))
    assert status["NoNewPrivs"] == "1"
    assert status["CapBnd"] == status["CapInh"] == status["CapAmb"] == "0" * 16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rotate": "45"}, "option rotate '45': expected one of 0, 90, 180, 270"),
        ({"size": "big"}, "option size 'big': expected WIDTHxHEIGHT, such as 640x480"),
        (
            {"size": "9000x9"},
            "picture size 9000x9: each side must be 16 to 8192 (settings are from the app's",
        ),
        ({"min_face": "all"}, "option min_face 'all': expected a whole number"),
        ({"min_face": 2}, "(settings are from the app's options)"),
        ({"cpu_share": "half"}, "option cpu_share 'half': expected a number"),
        ({"mirror": "maybe"}, "option mirror 'maybe': expected true or false"),
        ({"device": "my hall"}, "mqtt device 'my hall': expected letters, digits, _ and -"),
        ({"source": ["0"]}, "option source: expected a text, a number, or true or false"),
        ({"mqtt_host": "mqtt://me:only for us@host"}, "mqtt host"),
        ({"mqtt_password": PASSWORD}, "option mqtt_password: of use with mqtt_host only"),
        ({"mqtt_port": 8883}, "option mqtt_port: of use with mqtt_host only"),
        ({"sorce": "0"}, "option sorce: unknown; known are source, rotate, "),
        ([], "options.json: expected a JSON object"),
        ("{", "options.json: cannot be read: not JSON"),
        ("[" * 10_000, "options.json: cannot be read: nested more than 32 levels deep"),
        (" " * 70_000, "options.json: cannot be read: "),
    ],
)
def test_an_option_that_cannot_work_is_one_line_and_exit_code_2(start, options, message):
    code, out, err = start(options)
    assert (code, out) == (2, "")
    assert err.startswith("emotiny: error: ") and message in err
    assert err.count("\n") == 1


def test_without_options_there_is_one_line_too(start, command):
    words, _ = command
    words[words.index("--options") + 1] = "/nowhere/options.json"
    code, _, err = start({})
    assert code == 2
    assert err == "emotiny: error: options /nowhere/options.json: cannot be read: No such file or directory\n"


@pytest.mark.parametrize(
    ("status", "body", "code", "message"),
    [
        (
            400,
            b'{"result":"error","message":"Service not enabled"}',
            1,
            "offers none (HTTP status 400); install",
        ),
        (403, b"", 1, "the Supervisor offers none (HTTP status 403)"),
        (200, b"{}", 1, "is not what was expected"),
        (200, b"<html>", 1, "is not what was expected"),
        (200, b'{"data": []}', 1, "is not what was expected"),
        (200, b"\xff", 1, "is not what was expected"),
        (200, b" " * 70_000 + b'{"data": {"host": "h"}}', 1, "is not what was expected"),
        (200, b'{"data": {}}', 1, "has no host"),
        (200, b'{"data": {"host": "two words"}}', 2, "mqtt host 'two words'"),
        (
            200,
            b'{"data": {"host": "h", "port": "many"}}',
            2,
            "option mqtt_port 'many': expected a whole number",
        ),
    ],
)
def test_a_supervisor_without_a_broker_is_one_line(start, supervisor, status, body, code, message):
    supervisor.status, supervisor.body = status, body
    found, out, err = start({})
    assert (found, out) == (code, "")
    assert message in err and err.count("\n") == 1


def test_a_supervisor_that_does_not_answer_is_one_line(start, supervisor):
    supervisor.close()
    code, _, err = start({})
    assert code == 1
    assert err.startswith(f"emotiny: error: no broker: the Supervisor at {supervisor.url} does not answer: ")
    assert err.count("\n") == 1


def test_without_a_supervisor_mqtt_host_is_asked_for(start):
    code, _, err = start({}, SUPERVISOR_TOKEN=None)
    assert code == 2
    assert err.startswith("emotiny: error: no broker: set mqtt_host, or start this as an app")


def test_the_groups_are_those_of_the_cameras(tmp_path):
    (tmp_path / "video0").touch()  # no device
    assert camera_groups(tmp_path) == []
    (tmp_path / "video1").symlink_to("/dev/tty")
    (tmp_path / "dma_heap").mkdir()
    (tmp_path / "dma_heap" / "system").symlink_to("/dev/null")
    assert camera_groups(tmp_path) == sorted(
        {Path("/dev/tty").stat().st_gid, Path("/dev/null").stat().st_gid} - {0}
    )


def test_every_option_reaches_a_setting():
    options = {"source": "demo", "rotate": 180, "mqtt_password": "x", "mqtt_host": "h", "cpu_share": 0}
    assert settings_of(options) == {
        **{"source": "demo", "picture.rotate": "180", "mqtt.password": "x", "mqtt.host": "h"},
        "budget.cpu_share": "0",
    }


@needs_mosquitto
def test_emotiny_reports_to_the_supervisor_s_broker(command, supervisor, tmp_path, models):
    (tmp_path / "passwords").write_text(f"addons:{PASSWORD}\n")
    subprocess.run(["mosquitto_passwd", "-U", str(tmp_path / "passwords")], check=True)
    broker = Broker(tmp_path, f"password_file {tmp_path / 'passwords'}")
    service = SERVICE | {"host": "127.0.0.1", "port": broker.port}
    supervisor.body = json.dumps({"result": "ok", "data": service}).encode()
    write_program(tmp_path, f'#!/bin/sh\nexec {sys.executable} -W error -m edge "$@"\n')
    (tmp_path / "options.json").write_text(json.dumps({"source": "demo", "device": "hall"}))
    words, environment = command
    environment |= {
        "EMOTINY_OUTPUT": "none",
        "EMOTINY_MODELS_EMOTION": str(models / "tiny_emotion.json"),
        "EMOTINY_MODELS_GENDER": str(models / "tiny_gender.tflite"),
    }
    process = subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        listener = Listener(broker.port, login=("addons", PASSWORD))
        listener.wait_topic("emotiny/hall/status", "online")
        listener.wait_topic("emotiny/hall/faces")
        process.send_signal(signal.SIGTERM)  # the same process: it was replaced
        out, err = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, err
        assert out == "" and "Traceback" not in err and PASSWORD not in err
        listener.close()
    finally:
        process.kill()
        process.communicate()
        broker.kill()
