"""SIGINT and SIGTERM end a run, SIGHUP restarts it with new settings."""

from __future__ import annotations

import logging
import os
import pty
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from edge.errors import ConfigError
from edge.system.signals import StopSignals

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Restores the handlers, and ignores the signals meanwhile."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in HANDLED}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def refuse(error: Exception) -> Callable[[], str]:
    def renew() -> str:
        raise error

    return renew


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run(number: signal.Signals) -> None:
    stop: StopSignals[str] = StopSignals()
    with stop:
        stop.arm(lambda: "new")
        before = stop.is_set()
        signal.raise_signal(number)
        assert (before, stop.is_set(), stop.new_settings) == (False, True, None)
        assert stop.wait(60)


def test_sighup_restarts_the_run_with_new_settings() -> None:
    stop: StopSignals[str] = StopSignals()
    with stop:
        stop.arm(lambda: "new")
        signal.raise_signal(signal.SIGHUP)
        assert stop.is_set()
        assert stop.new_settings == "new"
        stop.arm(lambda: "newer")
        assert not stop.is_set()
        signal.raise_signal(signal.SIGHUP)
        assert stop.wait(0)
        assert stop.new_settings == "newer"


def test_the_end_counts_more_than_new_settings() -> None:
    stop: StopSignals[str] = StopSignals()
    with stop:
        stop.arm(lambda: "new")
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGTERM)
        assert stop.is_set()
        assert stop.new_settings is None


@pytest.mark.parametrize(
    "error", [ConfigError("no setting\n'sorce'"), PermissionError(13, "Permission denied")]
)
def test_settings_that_cannot_be_used_keep_the_old_ones(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    stop: StopSignals[str] = StopSignals()
    with stop:
        stop.arm(refuse(error))
        signal.raise_signal(signal.SIGHUP)
        assert not stop.is_set()
        assert not stop.is_set()  # it is read once for each signal
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().endswith("; keeping the old settings")
    assert "\n" not in record.getMessage()


def test_a_bug_while_settings_are_read_ends_the_run() -> None:
    stop: StopSignals[str] = StopSignals()
    with stop, pytest.raises(ZeroDivisionError):
        stop.arm(refuse(ZeroDivisionError()))
        signal.raise_signal(signal.SIGHUP)
        stop.is_set()


def test_earlier_handlers_come_back() -> None:
    with StopSignals[str]():
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN
    assert [signal.getsignal(number) for number in HANDLED] == [signal.SIG_IGN] * 3


@pytest.mark.parametrize("late", HANDLED)
def test_signals_after_one_that_ended_the_run_are_ignored(late: signal.Signals) -> None:
    signal.signal(late, signal.SIG_DFL)
    stop: StopSignals[str] = StopSignals()
    with stop:
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(late) is signal.SIG_IGN


def in_a_process(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, check=False, timeout=30, capture_output=True, text=True)


# Sends a second signal at every call of and in a handler, and ends when it should.
_NESTED = """
import signal, sys
from edge.system.signals import StopSignals
number = signal.Signals(int(sys.argv[1]))
depth = 0
def again(frame, event, argument):
    global depth
    if depth < 9 and event in ("call", "c_call") and frame.f_code.co_name != "<module>":
        depth += 1
        signal.raise_signal(number)
with StopSignals() as stop:
    stop.arm(lambda: "new")
    sys.setprofile(again)
    signal.raise_signal(number)
    sys.setprofile(None)
    assert depth, "no second signal came while the first was handled"
    sys.exit(0 if stop.wait(1) else 1)
"""


@pytest.mark.parametrize("number", HANDLED)
def test_a_signal_that_comes_while_one_is_handled_does_not_hang(number: signal.Signals) -> None:
    ended = in_a_process(_NESTED, str(int(number)))
    assert (ended.returncode, ended.stderr) == (0, "")


_WAITING = """
from edge.system.signals import StopSignals
with StopSignals() as stop:
    stop.arm(lambda: "new")
    print("ready", flush=True)
    while not stop.wait(0.001):
        pass
    print("ended", flush=True)
    import time
    time.sleep(0.05)  # what comes late is answered, too
"""


@pytest.mark.parametrize("seed", range(12))
def test_a_burst_of_signals_ends_the_run_once(seed: int) -> None:
    chance = random.Random(seed)
    with subprocess.Popen([sys.executable, "-c", _WAITING], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for _ in range(chance.randint(2, 5)):
            process.send_signal(chance.choice([signal.SIGINT, signal.SIGTERM]))
            time.sleep(chance.uniform(0, 0.001))
        try:
            assert process.stdout.read() == "ended\n"
            assert process.wait(10) == 0
        finally:
            process.kill()


def test_a_wait_ends_soon_after_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sleeps in short pieces, and looks after each."""
    pieces: list[float] = []

    def interrupted(seconds: float) -> None:
        pieces.append(seconds)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("edge.system.signals.time.sleep", interrupted)
    with StopSignals[str]() as stop:
        assert stop.wait(60)
    assert len(pieces) == 1
    assert pieces[0] < 0.1


def test_a_wait_without_a_signal_ends_by_itself() -> None:
    with StopSignals[str]() as stop:
        assert not stop.wait(0.03)


_INTERRUPTED = """
import builtins, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal
before = builtins.__import__
def interrupted(name, *rest, **more):
    if name == sys.argv[1]:
        signal.raise_signal(signal.SIGINT)
    return before(name, *rest, **more)
builtins.__import__ = interrupted
from edge.__main__ import main
main()
"""


@pytest.mark.parametrize("module", ["edge.system.core_dumps", "edge.cli.main"])
def test_an_interrupt_while_the_program_is_loaded_prints_no_traceback(module: str) -> None:
    ended = in_a_process(_INTERRUPTED, module)
    assert (ended.returncode, ended.stderr) == (-signal.SIGINT, "")


# Sends a signal while a command is loaded, which would go on for ever.
_LOADING = """
import signal, sys, time
import edge.cli.main
class Command:
    @staticmethod
    def run(arguments, stop):
        time.sleep(60)
def load(name):
    signal.raise_signal(int(sys.argv[2]))
    return Command
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)  # as `edge.__main__` leaves them in a terminal
edge.cli.main.import_module = load
sys.exit(edge.cli.main.main([sys.argv[1]]))
"""


@pytest.mark.parametrize("command", ["run", "check", "schema", "cameras"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_command_is_loaded_ends_the_program(number: signal.Signals, command: str) -> None:
    ended = in_a_process(_LOADING, command, str(int(number)))
    assert (ended.returncode, ended.stderr) == (-number, "")


# Sends signals when the command line has ended, and is itself interrupted while it ends.
_LATE = """
import signal, sys
import edge.cli.main
from edge.__main__ import main
def command_line():
    raise KeyboardInterrupt
edge.cli.main.main = command_line
code = main()
signal.raise_signal(signal.SIGINT)
signal.raise_signal(signal.SIGTERM)
sys.exit(code)
"""


def test_a_signal_after_the_end_changes_nothing() -> None:
    ended = in_a_process(_LATE)
    assert (ended.returncode, ended.stderr) == (130, "")


# Asks for a reload while a command is loaded.
_ASKED = """
import signal, sys
import edge.cli.main
class Command:
    @staticmethod
    def run(arguments, stop):
        return 0 if sys.argv[1] == "run" or signal.getsignal(signal.SIGHUP) is signal.SIG_DFL else 9
def load(name):
    signal.raise_signal(signal.SIGHUP)
    return Command
edge.cli.main.import_module = load
signal.signal(signal.SIGHUP, signal.SIG_DFL)
sys.exit(edge.cli.main.main([sys.argv[1]]))
"""


@pytest.mark.parametrize("command", ["run", "schema"])
def test_a_reload_that_is_asked_for_too_early_ends_nothing(command: str) -> None:
    """Systemd would take it for a clean end, and not start the service again."""
    ended = in_a_process(_ASKED, command)
    assert (ended.returncode, ended.stderr) == (0, "")


_IN_A_TERMINAL = """
import sys
from contextlib import suppress
from edge.system.signals import StopSignals, has_terminal

with StopSignals(ends_with_terminal=has_terminal()) as stop:
    stop.arm(lambda: "new")
    with suppress(OSError):  # the terminal may be closed while the last byte is written
        print("ready", flush=True)
    ended = stop.wait(60)
sys.exit(0 if ended and stop.new_settings is None else 3 if ended else 4)
"""


def test_a_run_ends_when_its_terminal_is_closed() -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", _IN_A_TERMINAL])
    assert b"ready" in os.read(terminal, 100)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_sighup_reloads_while_the_terminal_is_open() -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", _IN_A_TERMINAL])
    assert b"ready" in os.read(terminal, 100)
    os.kill(pid, signal.SIGHUP)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    os.close(terminal)
