"""`report`: prints a report about this board, for an issue."""

from __future__ import annotations

import argparse
import sys

from edge.bench.report import board_report
from edge.system.stdio import write_text


def run(_: argparse.Namespace, __: object) -> int:
    """Measures this board for about a minute and prints the report.

    Raises:
        EdgeError: A network, a runtime or the cascade cannot be used.
    """
    for line in board_report():
        write_text(sys.stdout, line + "\n")
    return 0
