"""Writes to the standard streams, which may be closed or lead to a full disk."""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

from edge.errors import OutputError
from edge.system.journal import is_journal, priority_prefix

_STDERR = 2


def open_missing_streams() -> None:
    """Opens /dev/null in place of each standard stream that is closed.

    A program that is started by `emotiny run >&-` has no descriptor 1. Without this, the next file that it
    opens gets that number, and whatever a library prints ends up in it.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(_STDERR, "w", closefd=False)


def write_text(stream: TextIO, text: str) -> None:
    """Writes the text as it is, without adding a newline, and flushes.

    Raises:
        BrokenPipeError: the reader of the stream is gone.
        OutputError: the stream cannot be written to.
    """
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        _discard(stream.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise OutputError(f"cannot write to {stream.name}: {error.strerror}") from error


def print_message(text: str, level: int = logging.INFO) -> None:
    """Prints a line of the command itself to standard error.

    A line that cannot be written, as on a full disk, is lost: the exit code still tells what happened.

    Args:
        text: one line, without the newline.
        level: of `logging`; the journal shows the line with this priority.
    """
    prefix = priority_prefix(level) if is_journal(os.environ) else ""
    try:
        print(f"{prefix}emotiny: {text}", file=sys.stderr, flush=True)  # noqa: T201
    except OSError:
        _discard(_STDERR)


def _discard(descriptor: int) -> None:
    """Sends what the stream still holds to /dev/null, or Python's own flush at exit would fail again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, descriptor)
    os.close(null)
