"""Starts several workers of one training on this machine, and ends all of them together."""

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
# Longest time from the exit of workers that lost another one to the exit of the one that they lost.
_CAUSE_S = 5.0


def launch(count: int, command: Sequence[str], logs: Path, grace_s: float = 10.0) -> int:
    """Runs a command as several workers and waits for them; if one fails, the others are ended.

    The first worker, the chief, writes to this process' standard streams; the others write to
    `worker-<index>.log`.

    Args:
        count: number of workers.
        command: program and arguments, the same for all; TF_CONFIG gives each worker its address.
        logs: folder for the other workers' output; created if it does not exist.
        grace_s: seconds from SIGTERM until a worker is killed.

    Returns:
        0 if all workers returned 0; else the exit code of the first worker that failed by itself, or 128 plus
        the number of the signal that ended it.

    Raises:
        ConfigError: the count is below 1, or there is no such program.
        OutputError: the logs cannot be written.
    """
    if count < 1:
        raise ConfigError(f"{count} workers, expected 1 or more")
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    with ExitStack() as stack:
        workers = stack.enter_context(_ending(grace_s))
        stack.enter_context(_sigterm_interrupts())
        for index in range(count):
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            environment = {**os.environ, "TF_CONFIG": json.dumps(task)}
            output = _open(stack, logs / f"worker-{index}.log") if index else None
            try:
                workers.append(subprocess.Popen(command, env=environment, stdout=output, stderr=output))
            except OSError as error:
                raise ConfigError(f"cannot start {command[0]}: {error.strerror}") from error
        return _wait(workers, logs)


def free_ports(count: int) -> list[int]:
    """Returns ports of this machine on which nothing listens, all of them different."""
    with ExitStack() as stack:
        # All are held until the last is found, so that no two are the same.
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


def _wait(workers: Sequence[subprocess.Popen[bytes]], logs: Path) -> int:
    """Waits until all workers have succeeded or one has failed; returns what `launch` returns."""
    limit = float("inf")
    while True:
        codes = [worker.poll() for worker in workers]
        failed = [(index, code) for index, code in enumerate(codes) if code]
        # A worker that loses another one exits with 1, and may exit before the one that it lost.
        causes = [(index, code) for index, code in failed if code != EdgeError.exit_code]
        if failed and (causes or time.monotonic() > limit):
            index, code = (causes or failed)[0]
            where = f"; see {logs / f'worker-{index}.log'}" if index else ""
            logger.error("worker %d of %d exited with %d%s", index, len(workers), code, where)
            return code if code > 0 else 128 - code
        if failed:
            limit = min(limit, time.monotonic() + _CAUSE_S)
        if all(code == 0 for code in codes):
            return 0
        time.sleep(_POLL_S)


@contextmanager
def _ending(grace_s: float) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Yields a list of workers, and ends all that are in it on exit."""
    workers: list[subprocess.Popen[bytes]] = []
    try:
        yield workers
    finally:
        for worker in workers:
            worker.terminate()  # does nothing to a worker that has exited
        deadline = time.monotonic() + grace_s
        for worker in workers:
            try:
                worker.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Lets SIGTERM interrupt this process as Ctrl-C does, so that its workers are ended first."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _open(stack: ExitStack, path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return stack.enter_context(path.open("wb")).fileno()
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
