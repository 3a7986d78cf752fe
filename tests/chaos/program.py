"""The program as a process, with what it logs and what it takes."""

from __future__ import annotations

import contextlib
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Use:
    """What a process takes.

    Attributes:
        resident_mb: Resident memory.
        threads: Number of threads.
        descriptors: Number of open files; None where only root may count them, because the process
            is not dumpable.
    """

    resident_mb: float
    threads: int
    descriptors: int | None


class Program:
    """`python -m edge run`, one process after the other.

    Attributes:
        lines: (monotonic seconds, text) of all that all processes have written to standard error.
        started_s: Monotonic time of the present process's start.
    """

    def __init__(self, folder: Path, options: Sequence[str]) -> None:
        self.lines: list[tuple[float, str]] = []
        self.started_s = 0.0
        self._output = folder / "output.jsonl"
        self._command = [sys.executable, "-W", "error", "-m", "edge", "run", *options]
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def code(self) -> int | None:
        """Exit code; None while the process is running."""
        return self._process.poll() if self._process else None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Starts a process."""
        self.started_s = time.monotonic()
        with self._output.open("w") as output:
            self._process = subprocess.Popen(self._command, stdout=output, stderr=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal; does nothing if the process has ended."""
        if self._process is not None:
            self._process.send_signal(number)

    def wait(self, limit_s: float) -> int | None:
        """Waits for the end of the process and of its log; returns its code, None if it does not end."""
        if self._process is None:
            return None
        try:
            code = self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return None
        if self._reader is not None:
            self._reader.join(limit_s)
        return code

    def kill(self) -> None:
        """Ends the process as a loss of power would."""
        if self._process is not None:
            self._process.kill()
            self.wait(30)

    def fill_disk(self) -> None:
        """Lets the file that holds standard output grow no more."""
        size = max(1, self._output.stat().st_size)
        _, hard = resource.prlimit(self.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (size, hard))

    def use(self) -> Use:
        """Measures the process."""
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines()
        )
        descriptors = None
        with contextlib.suppress(PermissionError):
            descriptors = len(list(Path(f"/proc/{self.pid}/fd").iterdir()))
        resident_kb, _ = status["VmRSS"].split()
        return Use(int(resident_kb) / 1024, int(status["Threads"]), descriptors)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                self.lines.append((time.monotonic(), line.rstrip("\n")))
