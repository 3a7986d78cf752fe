"""`restore`: restores runs from their archives."""

from __future__ import annotations

import argparse
import logging

from edge.errors import DataError
from train.runs.archive import restore

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Restores the named runs, or all archived runs that do not exist yet."""
    archived = sorted(path.stem for path in arguments.archives.glob("*.zip"))
    if not archived:
        raise DataError(f"no archived runs in {arguments.archives}")
    unknown = sorted(set(arguments.names) - set(archived))
    if unknown:
        raise DataError(f"no run {unknown[0]!r} in {arguments.archives}; expected {', '.join(archived)}")
    for name in arguments.names or archived:
        folder = arguments.runs / name
        if not arguments.names and folder.exists():
            logger.info("%s exists already", folder)
            continue
        restore(arguments.archives / f"{name}.zip", folder)
        logger.info("%s", folder)
