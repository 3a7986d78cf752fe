"""The check of a container's health, against a real run that notifies a real socket."""

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

LIMIT_S = 60
COMMAND = [sys.executable, "-W", "error", "-m"]


@pytest.fixture
def environment(request):
    """That of a container, with a socket of its own, and a limit that is enough for a busy machine."""
    name = f"@emotiny-test-{os.getpid()}-{request.node.name[:40]}"
    return os.environ | {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "5000000"}


@pytest.fixture
def start(models, environment):
    """Starts a run, which ends with the test."""
    started = []

    def run(*words):
        options = (
            "--source",
            "demo",
            "--output",
            "none",
            "--emotion-model",
            str(models / "tiny_emotion.json"),
        )
        process = subprocess.Popen(
            [*COMMAND, "edge", "run", *options, *words], env=environment, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate(timeout=LIMIT_S)


def check(environment):
    command = [*COMMAND, "edge.system.liveness"]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def check_until_alive(environment):
    """Checks until the run has started; returns the line."""
    deadline_s = time.monotonic() + LIMIT_S
    while True:
        code, line = check(environment)
        if code == 0:
            return line
        assert time.monotonic() < deadline_s, line


def test_a_run_is_alive_until_it_hangs_and_again_when_it_goes_on(environment, start):
    process = start()
    assert "frames a second" in check_until_alive(environment)
    process.send_signal(signal.SIGSTOP)
    assert check(environment) == (1, "no sign of life within 5 s\n")
    process.send_signal(signal.SIGCONT)
    assert check(environment)[0] == 0
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    # That nobody listens most of the time is not worth a word.
    assert all(line.startswith(("INFO edge.sources.demo", "emotiny: ")) for line in err.splitlines()), err


def test_a_run_whose_camera_is_gone_is_alive(environment, start):
    start("--source", "/dev/video99", "--reconnect")
    assert "the camera is gone" in check_until_alive(environment)


def test_a_run_that_was_not_started_is_not_alive(environment):
    environment["WATCHDOG_USEC"] = "300000"
    assert check(environment) == (1, "no sign of life within 0.3 s\n")


def test_other_notifications_are_no_sign_of_life(environment):
    environment["WATCHDOG_USEC"] = "2000000"
    process = subprocess.Popen(
        [*COMMAND, "edge.system.liveness"], env=environment, stdout=subprocess.PIPE, text=True
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sent = 0
        while process.poll() is None:
            try:
                sender.sendto(b"READY=1\nSTATUS=WATCHDOG=1", "\0" + environment["NOTIFY_SOCKET"][1:])
                sent += 1
            except OSError:
                pass  # it does not listen yet
            time.sleep(0.01)
    assert sent > 0
    assert process.communicate(timeout=LIMIT_S)[0] == "no sign of life within 2 s\n"
    assert process.returncode == 1


def test_two_checks_at_once_get_in_each_others_way_in_one_line(environment):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind("\0" + environment["NOTIFY_SOCKET"][1:])
        code, line = check(environment)
    name = environment["NOTIFY_SOCKET"]
    assert (code, line) == (1, f"{name}: cannot listen: Address already in use; is another check running?\n")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("NOTIFY_SOCKET", "/run/notify", "NOTIFY_SOCKET '/run/notify': expected a name that begins with @"),
        ("NOTIFY_SOCKET", "@", "NOTIFY_SOCKET '@': expected a name that begins with @"),
        ("NOTIFY_SOCKET", None, "NOTIFY_SOCKET '': expected a name that begins with @"),
        ("NOTIFY_SOCKET", "@" + "n" * 200, "cannot listen: AF_UNIX path too long"),
        ("WATCHDOG_USEC", "30 s", "WATCHDOG_USEC '30 s': expected microseconds, such as 30000000"),
        ("WATCHDOG_USEC", "0", "WATCHDOG_USEC '0': expected microseconds"),
        ("WATCHDOG_USEC", "9" * 40, "WATCHDOG_USEC"),
    ],
)
def test_a_wrong_variable_is_one_line(environment, name, value, line):
    environment.pop(name)
    environment |= {name: value} if value is not None else {}
    code, said = check(environment)
    assert code == 2
    assert line in said and said.count("\n") == 1


def test_it_imports_nothing_but_the_standard_library():
    script = "import sys, edge.system.liveness; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    foreign = set(done.stdout.split()) - sys.stdlib_module_names - {"edge", "__main__"}
    assert not {"cv2", "numpy"} & foreign
