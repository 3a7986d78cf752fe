"""The command line: `python -m quantize COMMAND`."""

from __future__ import annotations

import logging
import sys
from importlib import import_module

from edge.errors import EdgeError, OutputError
from edge.files import os_error_reason
from edge.system.stdio import open_missing_streams
from quantize.cli.parser import parser
from train.tensorflow_env import set_threads


def main(argv: list[str] | None = None) -> int:
    """Runs a command and returns the exit code: 0, or that of the error (see `edge.errors`)."""
    open_missing_streams()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        arguments = parser().parse_args(argv)
        set_threads(arguments.threads)  # before the command's module imports TensorFlow
        import_module(f"quantize.cli.{arguments.module}").run(arguments)
    except EdgeError as error:
        print(f"quantize: error: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"quantize: error: {error.filename or 'a file'}: {os_error_reason(error)}", file=sys.stderr)
        return OutputError.exit_code
    except KeyboardInterrupt:
        print("quantize: stopped; nothing half-written is left in models/", file=sys.stderr)
        return 130
    return 0
