"""SIGINT and SIGTERM end a run, SIGHUP restarts it with new settings."""

from __future__ import annotations

import logging
import signal
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


@pytest.mark.parametrize("early", [False, True])
def test_earlier_handlers_come_back(early: bool) -> None:
    with StopSignals[str]() as stop:
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN
        if early:
            stop.restore()
            assert [signal.getsignal(number) for number in HANDLED] == [signal.SIG_IGN] * 3
    assert [signal.getsignal(number) for number in HANDLED] == [signal.SIG_IGN] * 3
