"""Shows on standard error how far a command is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from edge.system.stdio import write_text

_Item = TypeVar("_Item")
# Seconds between two lines in a log file.
_LINE_S = 60.0


def counted(
    items: Sequence[_Item], name: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[_Item]:
    """Yields the items and counts them: on a terminal in place, else in a line at first and every minute.

    Args:
        items: What is worked on, one after the other.
        name: What the items are, in the plural.
        clock: Returns non-decreasing seconds.

    Raises:
        OutputError: standard error cannot be written to.
    """
    is_terminal = sys.stderr.isatty()
    next_line_s = clock()
    for number, item in enumerate(items):
        if is_terminal:
            if number % max(1, len(items) // 200) == 0:
                write_text(sys.stderr, f"\r{name}: {number}/{len(items)}\x1b[K")
        elif clock() >= next_line_s:
            write_text(sys.stderr, f"{name}: {number}/{len(items)}\n")
            next_line_s = clock() + _LINE_S
        yield item
    if is_terminal:
        write_text(sys.stderr, "\r\x1b[K")
