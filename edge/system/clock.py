"""Whether this machine's clock can be believed."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Literal

ClockState = Literal["synchronized", "unsynchronized", "unknown"]

# The folder of systemd-timesyncd, which puts a file there once it has set the clock since the boot.
_TIMESYNCD = Path("/run/systemd/timesync")
# What adjtimex(2) returns while nobody has set the clock from another one.
_TIME_ERROR = 5
# At least the size of `struct timex`, which has 208 bytes with 64 bits.
_TIMEX_BYTES = 512


def _read_kernel_state() -> int:
    """Returns the kernel's state of the clock as adjtimex(2) does; -1 where that cannot be asked."""
    try:
        # All zero, so that nothing is set. A service that must not set the clock may not even ask: -1.
        return int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    except (AttributeError, OSError):  # not Linux
        return -1


def clock_state(
    kernel_state: Callable[[], int] = _read_kernel_state, timesyncd: Path = _TIMESYNCD
) -> ClockState:
    """Returns whether the clock was set from another one; takes some microseconds.

    A board without a battery, such as most Raspberry Pis, starts with the time of its last shutdown.

    Args:
        kernel_state: Returns what adjtimex(2) does; -1 if that cannot be asked.
        timesyncd: Folder in `/run` of systemd-timesyncd, which need not exist.
    """
    state = kernel_state()
    if (state >= 0 and state != _TIME_ERROR) or (timesyncd / "synchronized").exists():
        return "synchronized"
    return "unsynchronized" if state == _TIME_ERROR or timesyncd.exists() else "unknown"
