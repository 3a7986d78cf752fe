"""`python -m edge`, and the program `emotiny`."""

from __future__ import annotations

# First of all: until the command line can answer a signal, one ends the program without a traceback, and to
# import the rest takes a good part of a second on a small board. Even `signal`, which first makes its
# enumerations, takes long enough for one to come.
import _signal  # type: ignore[import-not-found]

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import os
import signal
import sys
from contextlib import suppress

from edge.system.core_dumps import forbid_core_dumps


def main() -> int:
    """Runs the command line and returns its exit code.

    If a camera's read hangs, it does not return but ends the process: a read that returns while the
    interpreter shuts down would abort it. Only this program may do so; others that use the package have more
    to end.
    """
    forbid_core_dumps()
    from edge.cli.main import main as command_line

    try:
        code = command_line()
    except KeyboardInterrupt:  # another one, while the command line answered the first
        code = 128 + signal.SIGINT
    # Everything is closed. A further signal must not change the exit code or print a traceback.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    live = sys.modules.get("edge.sources.live")  # absent unless the command used a camera
    if live is not None and live.has_hung_read():
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(code)
    return code


if __name__ == "__main__":
    sys.exit(main())
