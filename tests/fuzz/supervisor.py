"""Watches the process that takes the inputs, from outside: it may hang or die."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.fuzz.target import base_environment

# For the start of a worker, which imports what it needs.
_START_S = 60.0
_SHOWN = 3000  # characters of what a worker printed before it died


@dataclass(frozen=True)
class Outcome:
    """What became of an input.

    Attributes:
        kind: `accepted`, `refused` or `failure`.
        text: The message, or what went wrong.
        peak_kb: Largest resident memory meanwhile; 0 if it is not known.
        child_kb: The same of the worker's own children so far.
    """

    kind: str
    text: str
    peak_kb: int = 0
    child_kb: int = 0


class Supervisor:
    """Hands inputs to a worker, which is started again when it has died or hung."""

    def __init__(self, place: str, folder: Path, limit_s: float, command_s: float) -> None:
        """Starts no worker yet.

        Args:
            place: Module and class of the target.
            folder: Folder for the worker.
            limit_s: Seconds that an input may take.
            command_s: Seconds more that its command line may take.
        """
        self._place, self._folder = place, folder
        self._limit_s, self._command_s = limit_s, command_s
        self._process: subprocess.Popen[bytes] | None = None
        self._is_fresh = True
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._printed.close()

    def run(self, content: bytes, *, sampled: bool = False) -> Outcome:
        """Returns what becomes of an input; `sampled` gives it to the command line, too."""
        process = self._process or self._start()
        limit_s = (
            self._limit_s + (self._command_s + 5 if sampled else 0) + (_START_S if self._is_fresh else 0)
        )
        self._printed.seek(0)
        self._printed.truncate()
        header = json.dumps({"bytes": len(content), "sampled": sampled}).encode() + b"\n"
        assert process.stdin is not None
        try:
            process.stdin.write(header + content)
            process.stdin.flush()
        except BrokenPipeError:
            return self._dead()
        line = self._read_line(process, limit_s)
        if line is None:
            self.stop()
            return Outcome("failure", f"hangs: no answer within {limit_s:g} s")
        if not line.endswith(b"\n"):
            return self._dead()
        self._is_fresh = False
        return Outcome(**json.loads(line))

    def stop(self) -> None:
        """Ends the worker, and what it has started."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _start(self) -> subprocess.Popen[bytes]:
        self._is_fresh = True
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "tests.fuzz.worker", self._place, str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
            env=base_environment() | {"OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,
        )
        return self._process

    def _read_line(self, process: subprocess.Popen[bytes], limit_s: float) -> bytes | None:
        """Returns the next answer, without its newline if the worker died; None if it took too long."""
        assert process.stdout is not None
        until_s, line = time.monotonic() + limit_s, b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, until_s - time.monotonic()))
            if not ready:
                return None
            part = os.read(process.stdout.fileno(), 1 << 16)
            if not part:
                break
            line += part
        return line

    def _dead(self) -> Outcome:
        assert self._process is not None
        code = self._process.wait()
        cause = f"of {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        self._printed.seek(0)
        printed = self._printed.read().decode(errors="backslashreplace")[-_SHOWN:]
        self.stop()
        return Outcome("failure", f"the process dies {cause}\n{printed}")
