"""How far a command is, on a terminal and in a log file."""

import io

import pytest

from edge.cli.progress import counted


class _Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    """Returns a clock on which every item takes 25 seconds."""
    seconds = iter(range(0, 10_000, 25))
    return lambda: float(next(seconds))


def test_a_log_file_gets_a_line_at_first_and_every_minute(monkeypatch, clock):
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    assert list(counted("abcdefgh", "letters", clock)) == list("abcdefgh")
    lines = stream.getvalue().splitlines()
    assert lines[0] == "letters: 0/8"
    assert 2 <= len(lines) <= 4


def test_a_terminal_shows_one_line_and_clears_it(monkeypatch):
    stream = _Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    assert list(counted("ab", "letters")) == ["a", "b"]
    assert "\n" not in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K")
    assert "letters: 1/2" in stream.getvalue()
