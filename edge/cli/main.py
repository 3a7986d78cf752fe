"""The command line: `python -m edge run | check | cameras | aim | config | forget | bench | ...`."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from edge.errors import EdgeError, MissingDependencyError
from edge.sources.picture_header import limit_opencv
from edge.system import remedies
from edge.system.journal import start_logging
from edge.system.platform import detect_platform
from edge.system.signals import StopSignals, has_terminal
from edge.system.stdio import escape_unprintable, open_missing_streams, print_message

if TYPE_CHECKING:
    from edge.settings.settings import Settings

# The other commands end at a signal as any program does.
_STOPPED_BY_SIGNALS = ("run", "check", "aim")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit code; an error is one line on standard error."""
    open_missing_streams()
    escape_unprintable()
    start_logging("warning")  # until a command has read its settings
    try:
        return _run_command(argv)
    except BrokenPipeError:
        return 0  # the reader of the output has left
    except KeyboardInterrupt:
        return 128 + signal.SIGINT  # what a shell reports of a program that the signal ended
    except EdgeError as error:
        print_message(f"error: {' '.join(str(error).split())}", logging.ERROR)
        return error.exit_code


def _run_command(argv: Sequence[str] | None) -> int:
    # SIGHUP asks a run to read its settings again: before they are read at all, it is no reason to end.
    hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if sys.version_info < (3, 10):  # noqa: UP036 - the imports below fail on an older Python
        raise MissingDependencyError(remedies.python(detect_platform()))
    limit_opencv()
    try:
        import cv2  # noqa: F401 - the commonest fault: OpenCV, or a system library that it needs, is missing
    except ImportError as error:
        reason = " ".join(str(error).split())
        fix = remedies.opencv(error, detect_platform())
        raise MissingDependencyError(f"OpenCV: {reason}; fix: {fix}") from error
    from edge.cli.parser import parser

    arguments = parser().parse_args(argv)
    # A command's module, and what it imports, is loaded only when the command is used.
    command = import_module(f"edge.cli.{arguments.command}")
    # Signals are answered from here on. One that came before has ended the program, because nobody would have
    # looked at it until everything is loaded, or ever.
    ends_with_terminal = hangup is not signal.SIG_IGN and has_terminal()  # nohup ignores SIGHUP
    stop: StopSignals[Settings] = StopSignals(ends_with_terminal=ends_with_terminal)
    if arguments.command in _STOPPED_BY_SIGNALS:
        with stop:
            return int(command.run(arguments, stop))
    signal.signal(signal.SIGHUP, hangup)
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return int(command.run(arguments, stop))
