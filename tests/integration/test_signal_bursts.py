"""Bursts of SIGINT and SIGTERM in every phase of a run: each ends it in time, and none leaves a traceback.

Usually there are a few bursts. With `SIGNAL_BURSTS=100` in the environment there are 100 in each phase, and
with `SIGNAL_SEED=N` others than usual. A test is named after its seed, and `-s` shows how the runs ended.
"""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.scripted_server import ScriptedServer

FIRST = int(os.environ.get("SIGNAL_SEED", "0"))
SEEDS = range(FIRST, FIRST + int(os.environ.get("SIGNAL_BURSTS", "2")))
ROOT = Path(__file__).parents[2]

# A run ends within a second or two; the rest is for a machine that does something else besides. A lock that
# waits for itself does so for ever.
LIMIT_S = 20
# More than FFmpeg waits for a picture, so that some reads return while the process ends.
STALL_S = 5.5

SUMMARY = r"emotiny: \d+ frames in .*\n"
HUNG = r"WARNING edge\.sources\.live: \S+: a read is still in progress; it is abandoned\n"
TRYING_AGAIN = r"WARNING edge\.sources\.fault_log: .*; trying again\n"
RUNTIME = r"INFO: Created TensorFlow Lite .*\n"  # LiteRT's own words
BROKER = r"WARNING edge\.output\.mqtt\.\w+: .*\n"


class Run:
    """The real program, at work until signals end it."""

    def __init__(self, chance: random.Random, *arguments: str) -> None:
        self._chance = chance
        self.signalled_s = 0.0  # when the first signal was sent
        command = [sys.executable, "-W", "error", "-m", "edge", "run", "--output", "jsonl"]
        self.process = subprocess.Popen(
            [*command, "--log-level", "warning", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        with self.process:
            self.process.kill()

    def wait_for_a_report(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline()

    def wait_for_an_error(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if re.fullmatch(TRYING_AGAIN, line):
                return
        pytest.fail("it ended")

    def sleep(self, most_s: float) -> None:
        time.sleep(self._chance.uniform(0, most_s))

    def signal(self) -> None:
        self.signalled_s = self.signalled_s or time.monotonic()
        self.process.send_signal(self._chance.choice([signal.SIGINT, signal.SIGTERM]))

    def burst(self) -> None:
        """Sends 2 to 5 signals, each up to a millisecond after the one before."""
        self.signal()
        for _ in range(self._chance.randint(1, 4)):
            self.sleep(0.001)
            self.signal()

    def end(self) -> str:
        """Returns what the run wrote to standard error; fails if it does not end."""
        try:
            return re.sub(RUNTIME, "", self.process.communicate(timeout=LIMIT_S)[1])
        except subprocess.TimeoutExpired:
            pytest.fail(f"it still runs {LIMIT_S} s after the signals")


class Ends:
    """How the runs of each phase ended."""

    def __init__(self) -> None:
        self._found: dict[str, list[tuple[float, str]]] = defaultdict(list)

    def check(self, run: Run, phase: str, codes: tuple[int, ...], *lines: str) -> str:
        """Checks exit code and standard error of a run that was sent its signals; returns standard error."""
        err = run.end()
        seconds = time.monotonic() - run.signalled_s
        before_us = is_before_the_program(err)
        how = "in Python, before the program" if before_us else str(run.process.returncode)
        self._found[phase].append((seconds, how))
        if not (phase == "start" and before_us):
            assert run.process.returncode in codes, err
            assert re.fullmatch("".join(f"({line})?" for line in lines), err), err
        return err

    def __str__(self) -> str:
        return "\n".join(
            f"{phase}: {len(found)} bursts, slowest end {max(found)[0]:.2f} s, "
            f"exit codes {dict(Counter(how for _, how in found).most_common())}"
            for phase, found in self._found.items()
        )


def is_before_the_program(err: str) -> bool:
    """Whether it was Python that a signal interrupted, before it had loaded anything of this program."""
    words = "Traceback", "Fatal Python error", "KeyboardInterrupt"
    return any(word in err for word in words) and f'File "{ROOT}' not in err


def be_silent(connection: socket.socket) -> None:
    """Answers nothing, until the other side has closed."""
    while connection.recv(4096):
        pass


def send_and_stall(connection: socket.socket) -> None:
    """Sends a stream of pictures, and then nothing more: a read of the next one hangs."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n")
    for number in range(40):
        jpeg = cv2.imencode(".jpg", np.full((240, 320), 3 * number, np.uint8))[1].tobytes()
        head = f"--b\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
        connection.sendall(head.encode() + jpeg + b"\r\n")
    be_silent(connection)


@pytest.fixture(autouse=True, scope="module")
def _interruptible() -> Iterator[None]:
    """What a shell starts in the background is deaf to Ctrl-C, and so are the processes it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


Serve = Callable[[Callable[[socket.socket], None]], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that runs a script on every connection; returns its port."""
    servers: list[ScriptedServer] = []

    def start(script: Callable[[socket.socket], None]) -> int:
        servers.append(ScriptedServer(script))
        return servers[-1].port

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    print(f"\n{ends}")


@pytest.fixture(scope="module")
def foreign() -> tuple[str, ...]:
    """Networks that are tried in a process of their own at the start."""
    models = ROOT / "tests" / "models"
    emotion, gender = (str(models / f"tiny_{task}.json") for task in ("emotion", "gender"))
    return "--emotion-model", emotion, "--gender-model", gender


@pytest.fixture(scope="module")
def start_s(foreign: tuple[str, ...]) -> float:
    """Seconds to the first report, without what only a first start takes."""
    seconds = []
    for _ in range(2):
        started_s = time.monotonic()
        with Run(random.Random(0), "--source", "demo", *foreign) as run:
            run.wait_for_a_report()
            seconds.append(time.monotonic() - started_s)
    return min(seconds)


@pytest.fixture
def chance(request: pytest.FixtureRequest, seed: int) -> random.Random:
    return random.Random(f"{request.function.__name__} {seed}")


@pytest.mark.parametrize("seed", SEEDS)
def test_during_the_start(
    seed: int, chance: random.Random, ends: Ends, foreign: tuple[str, ...], start_s: float
) -> None:
    with Run(chance, "--source", "demo", *(foreign if seed % 2 else ())) as run:
        run.sleep(start_s)
        run.burst()
        # Before the program has something to end in order, the first signal simply ends it.
        ends.check(run, "start", (0, -signal.SIGINT, -signal.SIGTERM), SUMMARY)


@pytest.mark.parametrize("seed", SEEDS)
def test_during_the_run(seed: int, chance: random.Random, ends: Ends) -> None:
    with Run(chance, "--source", "demo", "--fast") as run:
        run.wait_for_a_report()
        run.sleep(0.5)
        run.burst()
        assert ends.check(run, "run", (0,), SUMMARY)


@pytest.mark.parametrize("seed", SEEDS)
def test_during_a_rest(seed: int, chance: random.Random, ends: Ends) -> None:
    """Between two frames, and while no camera answers."""
    if seed % 2:
        with Run(chance, "--source", "demo", "--max-fps", "0.05") as run:
            run.wait_for_a_report()
            run.sleep(1)
            run.burst()
            assert ends.check(run, "rest between two frames", (0,), SUMMARY)
    else:
        with Run(chance, "--source", "/dev/video97", "--reconnect") as run:
            run.wait_for_an_error()
            run.sleep(1)
            run.burst()
            assert ends.check(run, "rest without a camera", (0,), SUMMARY)


@pytest.mark.parametrize("seed", SEEDS)
def test_during_a_stalled_read(seed: int, chance: random.Random, ends: Ends, serve: Serve) -> None:
    with Run(chance, "--source", f"http://127.0.0.1:{serve(send_and_stall)}/", "--reconnect") as run:
        run.wait_for_a_report()
        run.sleep(STALL_S)
        run.burst()
        assert ends.check(run, "stalled read", (0,), TRYING_AGAIN, HUNG, SUMMARY)


@pytest.mark.parametrize("seed", SEEDS)
def test_during_the_shutdown(seed: int, chance: random.Random, ends: Ends, serve: Serve) -> None:
    """Also of a connection to a broker that does not answer."""
    mqtt = ("--mqtt-host", "127.0.0.1", "--mqtt-device", "bursts", "--mqtt-port")
    with Run(chance, "--source", "demo", *((*mqtt, str(serve(be_silent))) if seed % 2 else ())) as run:
        run.wait_for_a_report()
        run.signal()
        run.sleep(1.0 if seed % 2 else 0.3)
        run.burst()
        assert ends.check(run, "shutdown", (0,), BROKER, SUMMARY)
