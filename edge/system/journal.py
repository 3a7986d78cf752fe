"""Lines on standard error that carry their priority where systemd's journal reads them (sd-daemon(3))."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping

_FORMAT = "%(levelname)s %(name)s: %(message)s"
_STDERR = 2


def start_logging(level: str) -> None:
    """Log records go to standard error from now on; called again, it changes what is logged.

    Args:
        level: the least severe that is logged: debug, info, warning or error.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JournalFormatter(_FORMAT) if is_journal(os.environ) else logging.Formatter(_FORMAT))
    logging.basicConfig(handlers=[handler])  # which does nothing the second time
    logging.getLogger().setLevel(level.upper())


def is_journal(environment: Mapping[str, str]) -> bool:
    """Whether standard error is what systemd connected to its journal, and not something put in its place."""
    try:
        status = os.fstat(_STDERR)
    except OSError:  # it is closed
        return False
    return environment.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def priority_prefix(level: int) -> str:
    """The priority of a level, as syslog(3) numbers them: 2 critical, 3 error, 4 warning, 6 info, 7 debug."""
    steps = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
    return f"<{next((priority for least, priority in steps if level >= least), 7)}>"


class _JournalFormatter(logging.Formatter):
    """Puts the priority before every line: to the journal, each line of a traceback is an entry."""

    def format(self, record: logging.LogRecord) -> str:
        mark = priority_prefix(record.levelno)
        return "\n".join(mark + line for line in super().format(record).splitlines())
