"""Logs to standard error, with the priority of each line if systemd's journal reads it (sd-daemon(3))."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping

_FORMAT = "%(levelname)s %(name)s: %(message)s"
_STDERR = 2


def start_logging(level: str) -> None:
    """Starts to log to standard error; called again, changes the level.

    Args:
        level: The lowest level that is logged: debug, info, warning or error.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JournalFormatter(_FORMAT) if is_journal(os.environ) else logging.Formatter(_FORMAT))
    logging.basicConfig(handlers=[handler])  # does nothing the second time
    logging.getLogger().setLevel(level.upper())


def is_journal(environment: Mapping[str, str]) -> bool:
    """Returns whether standard error is the stream that systemd connected to its journal."""
    try:
        status = os.fstat(_STDERR)
    except OSError:  # it is closed
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def priority_prefix(level: int) -> str:
    """Returns the priority of a level by syslog(3): 2 critical, 3 error, 4 warning, 6 info, 7 debug."""
    thresholds = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
    return f"<{next((priority for threshold, priority in thresholds if level >= threshold), 7)}>"


class _JournalFormatter(logging.Formatter):
    """Puts the priority before every line: each line of a traceback is an entry of its own in the journal."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = priority_prefix(record.levelno)
        return "\n".join(prefix + line for line in super().format(record).splitlines())
