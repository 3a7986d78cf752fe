"""`python -m edge`, and the program `emotiny`."""

from __future__ import annotations

import signal
import sys

from edge.system.core_dumps import forbid_core_dumps


def main() -> int:
    """Runs the command line and returns its exit code."""
    forbid_core_dumps()
    # Until the command line can answer a signal, one ends the program without a traceback: to import it takes
    # a good part of a second on a small board.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from edge.cli.main import main as command_line

    return command_line()


if __name__ == "__main__":
    sys.exit(main())
