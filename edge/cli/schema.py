"""`schema`: prints the JSON Schema of a line of `--output jsonl`."""

from __future__ import annotations

import argparse
import sys

from edge.output.jsonl import SCHEMA_PATH
from edge.system.stdio import write_text


def run(_: argparse.Namespace, __: object) -> int:
    """Prints the schema."""
    write_text(sys.stdout, SCHEMA_PATH.read_text())
    return 0
