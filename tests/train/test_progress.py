"""The display of how far a command is: in place on a terminal, a line a minute in a file."""

import io
import logging

import pytest

from train.progress import Display, LogHandler, duration


class Clock:
    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    return Clock()


def test_a_file_gets_a_line_a_minute_at_most(clock):
    stream = io.StringIO()
    display = Display(stream, clock)
    with display.phase("gender", "epochs", 4) as epochs:
        for _ in range(3):
            with display.phase("", "batches", 10) as batches:
                for _ in range(10):
                    clock.now_s += 4
                    batches.advance()
            epochs.advance()
    # After one minute, and after two.
    assert stream.getvalue().splitlines() == [
        "about 2 min left | gender: 1 of 4 epochs, 5 of 10 batches",
        "about 40 s left | gender: 2 of 4 epochs, 10 of 10 batches",
    ]


def test_a_terminal_shows_all_phases_in_one_line_that_goes(clock):
    stream = Terminal()
    display = Display(stream, clock)
    with display.phase("gender", "epochs", 120, 2) as epochs, display.phase("", "batches", 400) as batches:
        assert stream.getvalue().endswith("\r\x1b[Kgender: 2 of 120 epochs, 0 of 400 batches")
        clock.now_s += 200  # the first batch takes longer than the others
        batches.advance()
        clock.now_s += 30
        batches.advance(199)
        assert stream.getvalue().split("\r\x1b[K")[-1] == (
            "about 1 h 58 min left | gender: 2 of 120 epochs, 200 of 400 batches"
        )
        epochs.advance()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_a_terminal_shows_a_new_phase_at_once(clock):
    stream = Terminal()
    display = Display(stream, clock)
    with display.phase("reading", "rows", 3) as phase:
        clock.now_s += 1
        phase.advance()
    with display.phase("preparing", "", None):
        assert stream.getvalue().endswith("\r\x1b[Kpreparing")


def test_the_time_of_all_stages_is_shown_instead_of_the_outermost_phase(clock):
    display = Display(io.StringIO(), clock)
    asked = []

    def outlook(whole_s, share):
        asked.append((whole_s, share))
        return 7200.0

    with (
        display.outlook(outlook),
        display.phase("", "stages", 3),
        display.phase("emotion", "epochs", 10) as epochs,
    ):
        epochs.advance()
        clock.now_s += 50
        epochs.advance()
        assert display.text() == "about 2 h 0 min left | 0 of 3 stages, emotion: 2 of 10 epochs"
    assert asked[-1] == pytest.approx((500, 0.2))


def test_a_log_line_is_written_above_the_line_in_place(clock, monkeypatch):
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    display = Display(None, clock)
    handler = LogHandler(display)
    with display.phase("reading", "rows", 9) as phase:
        handler.emit(logging.LogRecord("a", logging.INFO, "a.py", 1, "epoch 1", None, None))
        phase.advance()
    assert stream.getvalue() == (
        "\r\x1b[Kreading: 0 of 9 rows\r\x1b[Kepoch 1\n\r\x1b[Kreading: 1 of 9 rows\r\x1b[K"
    )


def test_a_stream_that_cannot_be_written_ends_nothing(clock):
    class Full(Terminal):
        def write(self, _):
            raise OSError(28, "full")

    with Display(Full(), clock).phase("reading", "rows", 2) as phase:
        phase.advance()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (89, "89 s"), (90, "2 min"), (5399, "1 h 30 min"), (7260, "2 h 1 min")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_log_line_in_a_file_is_the_line_of_that_minute(clock, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    display = Display(None, clock)
    handler = LogHandler(display)
    with display.phase("reading", "rows", 9) as phase:
        clock.now_s += 50
        handler.emit(logging.LogRecord("a", logging.INFO, "a.py", 1, "epoch 1", None, None))
        clock.now_s += 50
        phase.advance()
        assert stream.getvalue() == "epoch 1\n"
        clock.now_s += 10
        phase.advance()
    assert stream.getvalue() == "epoch 1\nabout 70 s left | reading: 2 of 9 rows\n"
