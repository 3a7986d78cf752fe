"""One display of how far a command is: all its phases in one line, and the time that remains.

On a terminal the line is written in place, several times a second; into a file, once a minute at most.
"""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TextIO, TypeVar

_Item = TypeVar("_Item")
# Takes the seconds that the whole present stage takes, None if that is not known, and the share of it that is
# done; returns the seconds that remain of all stages, None if unknown.
Outlook = Callable[[float | None, float], float | None]

_IN_PLACE_S, _LINE_S = 0.2, 60.0  # between two updates, on a terminal and in a file
_CLEAR = "\r\x1b[K"
EPOCHS = "epochs"  # the unit of the phase that decides how long a stage takes
# Shares of a phase that were done in less time say little of the rest.
_LEAST_MEASURED_S = 2.0


class Phase:
    """A part of the work, such as the epochs of a run, or the batches of an epoch."""

    def __init__(self, display: Display, name: str, unit: str, total: int | None, done: int) -> None:
        """Takes the display, the phase's name, the items' name in the plural, and their number."""
        self._display, self._name, self.unit = display, name, unit
        self._total, self._done = total, done
        # When the first item was done, and the share of the phase then. It took longer than all others: it
        # includes what is prepared once, such as the compilation of a network's step.
        self._first: tuple[float, float] | None = None

    @property
    def is_single(self) -> bool:
        """Whether there is but one item, and no name: nothing that is worth being shown."""
        return self._total == 1 and not self._name

    def advance(self, count: int = 1) -> None:
        """Counts finished items."""
        self._done += count
        self._display.note_first()
        self._display.update()

    def describe(self) -> str:
        """Returns how far the phase is, in a few words."""
        if not self.unit:
            return self._name
        of_all = "" if self._total is None else f" of {self._total:,}"
        counted = f"{self._done:,}{of_all} {self.unit}"
        return f"{self._name}: {counted}" if self._name else counted

    def share(self, within: float = 0.0) -> float:
        """Returns the share of the phase that is done, 0 to 1; `within` is the share of the present item."""
        return min(1.0, (self._done + within) / self._total) if self._total else 0.0

    def note_first(self, now_s: float, within: float) -> None:
        """Notes when the first item, or a part of it, was done."""
        if self._first is None:
            self._first = (now_s, self.share(within))

    def whole_s(self, within: float = 0.0) -> float | None:
        """Returns the seconds that the whole phase takes at its speed so far; None if that is not known."""
        if self._first is None:
            return None
        elapsed_s, gained = self._display.clock() - self._first[0], self.share(within) - self._first[1]
        if gained <= 0 or elapsed_s < _LEAST_MEASURED_S:
            return None
        return elapsed_s / gained


class Display:
    """Shows the open phases, the outermost first."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """Takes the stream, by default standard error as it is at each use, and a clock in seconds."""
        self._stream, self.clock = stream, clock
        self._phases: list[Phase] = []
        self._outlook: Outlook | None = None
        self._next_s: float | None = None
        self._is_drawn = False

    @contextmanager
    def phase(self, name: str, unit: str, total: int | None, done: int = 0) -> Iterator[Phase]:
        """Opens a phase within those that are open.

        Args:
            name: what is done; empty if the phase around it says so.
            unit: what is counted, in the plural; empty if nothing is.
            total: number of items; None if it is not known.
            done: number of items that are done already.
        """
        if self._is_terminal():
            self._next_s = self.clock()  # a phase that lasts must not hide behind the one before
        elif self._next_s is None:
            self._next_s = self.clock() + _LINE_S  # before, what is logged at the start is enough
        phase = Phase(self, name, unit, total, done)
        self._phases.append(phase)
        try:
            self.update()
            yield phase
        finally:
            self._phases.remove(phase)
            if not self._phases:
                self.clear()

    @contextmanager
    def outlook(self, outlook: Outlook) -> Iterator[None]:
        """Shows, until the block ends, the time that remains of all stages instead of the outermost phase.

        Args:
            outlook: computes it from the time that the epochs take, the part of a stage that takes longest.
        """
        before, self._outlook = self._outlook, outlook
        try:
            yield
        finally:
            self._outlook = before

    def note_first(self) -> None:
        """Notes, in each open phase, that something was done."""
        now_s, within = self.clock(), 0.0
        for phase in reversed(self._phases):
            phase.note_first(now_s, within)
            within = phase.share(within)

    def update(self) -> None:
        """Shows how far the phases are, if the last time is long enough ago."""
        now_s = self.clock()
        if self._next_s is None or now_s < self._next_s or not self._phases:
            return
        if self._is_terminal():
            self._next_s = now_s + _IN_PLACE_S
            width = shutil.get_terminal_size().columns - 1
            self._write(f"{_CLEAR}{self.text()[:width]}")
            self._is_drawn = True
        else:
            self._next_s = now_s + _LINE_S
            self._write(f"{self.text()}\n")

    def clear(self) -> None:
        """Removes the line from the terminal; in a file, what is written next stands for the next line."""
        if self._is_drawn:
            self._write(_CLEAR)
            self._is_drawn = False
            self._next_s = self.clock()
        elif self._next_s is not None and not self._is_terminal():
            self._next_s = self.clock() + _LINE_S

    def text(self) -> str:
        """Returns the line: the time that remains in all, and how far each open phase is."""
        remaining = self.remaining()
        phases = ", ".join(phase.describe() for phase in self._phases if not phase.is_single)
        return f"{remaining} | {phases}" if remaining else phases

    def remaining(self) -> str:
        """Returns the time that remains in all, such as "about 2 h 10 min left"; empty if it is not known."""
        whole_s, share = self._measured()
        if self._outlook is not None:
            seconds = self._outlook(whole_s, share)
        else:
            seconds = None if whole_s is None else whole_s * (1 - share)
        return "" if seconds is None or seconds < 1 else f"about {duration(seconds)} left"

    def _measured(self) -> tuple[float | None, float]:
        """Returns how long the phase whose time is shown takes, and the share of it that is done."""
        within = 0.0
        for index in reversed(range(len(self._phases))):
            phase = self._phases[index]
            if index == 0 if self._outlook is None else phase.unit == EPOCHS:
                return phase.whole_s(within), phase.share(within)
            within = phase.share(within)
        return None, 0.0

    def _is_terminal(self) -> bool:
        return (self._stream or sys.stderr).isatty()

    def _write(self, text: str) -> None:
        stream = self._stream or sys.stderr
        try:
            stream.write(text)
            stream.flush()
        except OSError:  # a terminal that was closed must not end hours of training
            return


class LogHandler(logging.StreamHandler[TextIO]):
    """Writes log lines to standard error, above the display's line."""

    def __init__(self, display: Display) -> None:
        """Takes the display on the same stream."""
        super().__init__(sys.stderr)
        self._display = display

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record."""
        self._display.clear()
        super().emit(record)


# The process has one standard error, and what is shown there comes from all its parts.
DISPLAY = Display()


def tracked(
    items: Iterable[_Item], name: str, unit: str, total: int | None = None, done: int = 0
) -> Iterator[_Item]:
    """Yields the items and shows how many are done.

    Args:
        items: what is worked on, one after the other.
        name: what is done; empty if the phase around it says so.
        unit: what the items are, in the plural.
        total: number of items, with those that are done; by default the length of `items`, if it has one.
        done: number of items that were done before.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with DISPLAY.phase(name, unit, total, done) as phase:
        for item in items:
            yield item
            phase.advance()


def duration(seconds: float) -> str:
    """Returns a time in the two largest units that matter, such as "2 h 10 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
