"""The command line: `python -m train COMMAND`."""

from __future__ import annotations

import logging
import os
import sys

from edge.errors import EdgeError, OutputError
from edge.files import os_error_reason
from edge.system.stdio import open_missing_streams
from train.cli.parser import parser
from train.progress import DISPLAY, LogHandler
from train.tensorflow_env import import_quietly, set_threads


def main(argv: list[str] | None = None) -> int:
    """Runs a command and returns the exit code: 0, or that of the error (see `edge.errors`)."""
    open_missing_streams()
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[LogHandler(DISPLAY)])
    try:
        arguments = parser().parse_args(argv)
        arguments.argv = list(sys.argv[1:] if argv is None else argv)
        set_threads(arguments.threads)  # before the command's module imports TensorFlow
        code = int(import_quietly(f"train.cli.{arguments.module}").run(arguments) or 0)
        sys.stdout.flush()  # a short output is written only now, and its reader may have left
        return code
    except EdgeError as error:
        print(f"train: error: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Python's own flush at exit would fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"train: error: {error.filename or 'a file'}: {os_error_reason(error)}", file=sys.stderr)
        return OutputError.exit_code
    except KeyboardInterrupt as stop:
        DISPLAY.clear()
        print(f"train: stopped{f'; {stop}' if str(stop) else ''}", file=sys.stderr)
        return 130
