"""Keeps what is in the memory of this program from being written to the disk when it crashes."""

from __future__ import annotations

import ctypes
import resource
import sys
from contextlib import suppress

# From linux/prctl.h.
_PR_SET_DUMPABLE = 4


def forbid_core_dumps() -> None:
    """Forbids the system to write a core dump of this process, which would hold pictures and passwords.

    The limit alone is not enough: the kernel ignores it where it hands core dumps to a program (core_pattern
    begins with `|`), as on Ubuntu. A process that is not dumpable has no core dump anywhere. Nor can other
    processes of its user attach to it (gdb, strace, py-spy), or read its environment; root can.
    """
    with suppress(OSError, ValueError):  # the unit's filter of system calls may forbid it; it has LimitCORE
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl.argtypes = (ctypes.c_int, *4 * (ctypes.c_ulong,))
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
