"""Starts several workers of one training on this machine, and ends them together."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edge.errors import ConfigError, EdgeError, OutputError

logger = logging.getLogger(__name__)

_POLL_S = 0.2
# How long the end of one worker may take to show after the others have noticed.
_ECHO_S = 5.0


def launch(count: int, command: Sequence[str], logs: Path, grace_s: float = 10.0) -> int:
    """Runs a command as so many workers and waits for them; when one fails, the others are ended.

    The first, the chief, has this process' own output; what the others say goes to `worker-<index>.log`.

    Args:
        count: number of workers.
        command: program and arguments, the same for all; each finds its place in TF_CONFIG.
        logs: folder for the others' output, made if it is not there.
        grace_s: seconds that a worker has to end after SIGTERM, before it is killed.

    Returns:
        0 if all ended with 0; else what the first that failed of itself ended with, 128 and the signal's
        number if it was a signal.

    Raises:
        ConfigError: a count below 1, or no such program.
        OutputError: the logs cannot be written.
    """
    if count < 1:
        raise ConfigError(f"{count} workers, expected 1 or more")
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(count)]
    with ExitStack() as stack:
        workers = stack.enter_context(_ended(grace_s))
        stack.enter_context(_sigterm_interrupts())
        for index in range(count):
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            environment = {**os.environ, "TF_CONFIG": json.dumps(task)}
            output = _opened(stack, logs / f"worker-{index}.log") if index else None
            try:
                workers.append(subprocess.Popen(command, env=environment, stdout=output, stderr=output))
            except OSError as error:
                raise ConfigError(f"cannot start {command[0]}: {error.strerror}") from error
        return _first_failure(workers, logs)


def _first_failure(workers: Sequence[subprocess.Popen[bytes]], logs: Path) -> int:
    """Waits until all have ended well, or one has not: its exit code."""
    limit = float("inf")
    while True:
        codes = [worker.poll() for worker in workers]
        failed = [(index, code) for index, code in enumerate(codes) if code]
        # Who loses another worker ends with 1, and may be quicker than the one that it lost.
        causes = [(index, code) for index, code in failed if code != EdgeError.exit_code]
        if failed and (causes or time.monotonic() > limit):
            index, code = (causes or failed)[0]
            where = f"; see {logs / f'worker-{index}.log'}" if index else ""
            logger.error("worker %d of %d ended with %d%s", index, len(workers), code, where)
            return code if code > 0 else 128 - code
        if failed:
            limit = min(limit, time.monotonic() + _ECHO_S)
        if all(code == 0 for code in codes):
            return 0
        time.sleep(_POLL_S)


@contextmanager
def _ended(grace_s: float) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Workers of which none is left afterwards."""
    workers: list[subprocess.Popen[bytes]] = []
    try:
        yield workers
    finally:
        for worker in workers:
            worker.terminate()  # does nothing to one that has ended
        deadline = time.monotonic() + grace_s
        for worker in workers:
            try:
                worker.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """SIGTERM ends this process as Ctrl-C does: not before its workers have ended."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _opened(stack: ExitStack, path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return stack.enter_context(path.open("wb")).fileno()
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on; held until all are found, so that no two are the same."""
    with ExitStack() as stack:
        doors = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [door.getsockname()[1] for door in doors]
