"""Writes to the standard streams, which may be closed or lead to a full disk."""

from __future__ import annotations

import io
import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


def escape_unprintable() -> None:
    """Has standard output replace what its encoding lacks by an escape, as standard error does.

    A message may hold the name of a file, which need not be UTF-8, or an ellipsis, which Latin-1 lacks.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


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


@contextmanager
def without_native_lines(pattern: re.Pattern[bytes]) -> Iterator[None]:
    """Keeps lines that match the pattern from standard error while a library of native code writes to it.

    Python cannot reach what such a library prints. All other lines are written when the block ends, in order;
    until then they are in a file without a name in memory. Nothing is kept back where that cannot be had.
    """
    try:
        hidden = os.memfd_create("stderr")
    except (AttributeError, OSError):  # not Linux, or forbidden
        yield
        return
    sys.stderr.flush()
    real = os.dup(_STDERR)
    os.dup2(hidden, _STDERR)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(real, _STDERR)
        os.close(real)
        with os.fdopen(hidden, "rb") as file:
            file.seek(0)
            lines = b"".join(line for line in file if not pattern.match(line))
        if lines:
            os.write(_STDERR, lines)


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
