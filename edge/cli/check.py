"""`check`: looks at everything that a run needs."""

from __future__ import annotations

import argparse
import sys

from edge.diagnostics.check import run_checks
from edge.settings.loader import settings_of
from edge.settings.settings import Settings
from edge.system.journal import start_logging
from edge.system.signals import StopSignals
from edge.system.stdio import write_text


def run(arguments: argparse.Namespace, stop: StopSignals[Settings]) -> int:
    """Prints a line for each check and returns the exit code of the first that failed, or 0.

    Raises:
        ConfigError: a setting cannot be used.
    """
    settings = settings_of(arguments)
    start_logging(settings.log_level)
    code = 0
    for result in run_checks(settings, stop, arguments.lens):
        write_text(sys.stdout, f"{'wrong' if result.error else 'ok':5}  {result.name}: {result.text}\n")
        code = code or (result.error.exit_code if result.error else 0)
    return code
