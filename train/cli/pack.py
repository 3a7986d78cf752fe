"""`pack`: writes what the training on an accelerator needs into one file."""

from __future__ import annotations

import argparse
import logging

from edge.files import atomic_write
from train.accelerator.pack import write_pack
from train.runs.packing import arrays_for

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Packs the datasets of a task."""
    arrays = arrays_for(arguments.task, arguments.data, arguments.runs / "cache")
    atomic_write(arguments.out, lambda path: write_pack(path, arrays, arguments.lossy))
    size = arguments.out.stat().st_size / 2**20
    logger.info("%s: %d rows for training, %.1f MiB", arguments.out, len(arrays["labels"]), size)
