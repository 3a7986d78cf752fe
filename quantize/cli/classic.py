"""`classic`: writes the float networks that `edge bench` compares with."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from edge.files import atomic_write
from quantize.bench_baseline import classic_network


def run(arguments: argparse.Namespace) -> None:
    """Writes one file for each number of labels, and prints its path."""
    for classes in (7, 2):
        path = arguments.out / f"mini_xception_{classes}.tflite.gz"
        atomic_write(path, partial(_write, classic_network(classes)))
        print(path)


def _write(content: bytes, path: Path) -> None:
    path.write_bytes(content)
