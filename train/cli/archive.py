"""`archive`: writes runs into one file each."""

from __future__ import annotations

import argparse
import logging

from train.runs.archive import archive
from train.runs.lookup import runs_named

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Archives all runs that each name stands for."""
    for name in arguments.names:
        for folder in runs_named(name, arguments.runs):
            path = arguments.archives / f"{folder.name}.zip"
            archive(folder, path)
            logger.info("%s", path)
