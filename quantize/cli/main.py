"""The command line: `python -m quantize COMMAND`."""

from __future__ import annotations

import logging
import sys

from edge.errors import EdgeError, OutputError
from edge.files import os_error_reason
from edge.system.stdio import open_missing_streams
from quantize.cli.parser import parser
from train.progress import DISPLAY, LogHandler
from train.tensorflow_env import import_quietly, set_threads


def main(argv: list[str] | None = None) -> int:
    """Runs a command and returns the exit code: 0, or that of the error (see `edge.errors`)."""
    open_missing_streams()
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[LogHandler(DISPLAY)])
    try:
        arguments = parser().parse_args(argv)
        set_threads(arguments.threads)  # before the command's module imports TensorFlow
        import_quietly(f"quantize.cli.{arguments.module}").run(arguments)
    except EdgeError as error:
        print(f"quantize: error: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"quantize: error: {error.filename or 'a file'}: {os_error_reason(error)}", file=sys.stderr)
        return OutputError.exit_code
    except KeyboardInterrupt:
        DISPLAY.clear()
        print("quantize: stopped; nothing half-written is left in models/", file=sys.stderr)
        return 130
    return 0
