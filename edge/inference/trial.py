"""Tries networks in a process of its own, before this process opens them.

A damaged TFLite file can end the process that reads it, because the runtimes trust what is in it. Of
networks with one flipped bit and a checksum to match, tflite-runtime dies of a tenth while it opens them;
both runtimes die of some at their first reading, when a service has already begun to run with them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge.errors import EdgeError, ModelError
from edge.inference.contract import Contract
from edge.inference.flatbuffer import check_offsets
from edge.inference.interpreter import ENVIRONMENT_VARIABLE, chosen_runtime
from edge.inference.shipped import SHIPPED_SHA256

# Shorter than systemd's watchdog, which the loop does not feed meanwhile.
_TIMEOUT_S = 20
_MODULE = "edge.inference.trial_process"
# The folder that holds the package: an installed one, or the source tree.
_FOLDER = Path(__file__).resolve().parents[2]
# A terminal and systemd send them to both processes. They mean this one, which ends when the trial has ended.
_HELD_BACK = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# (hash, runtime) of what passed, which need not be tried again at a reload. It is not stored, because the
# service writes no files.
_passed: set[tuple[str, str]] = set()


@dataclass(frozen=True)
class ModelFile:
    """A network's file, as it was read.

    Attributes:
        path: Where it was read, for messages.
        contract: Its contract.
        content: Its content, whose hash is the one in the contract.
    """

    path: Path
    contract: Contract
    content: bytes


def require_trial(models: Sequence[ModelFile]) -> None:
    """Has another process open and run networks, unless they come with the package or passed before.

    All are tried in one process, because it spends its time on importing NumPy and the runtime.

    Args:
        models: The networks that this process is about to open.

    Raises:
        ModelError: the runtime refuses a network, or the process died of it or took too long.
        EdgeError: there can be no such process.
        MissingDependencyError: no TFLite runtime is installed.
    """
    foreign = [model for model in models if model.contract.sha256 not in SHIPPED_SHA256]
    if not foreign:
        return
    runtime = chosen_runtime()
    untried = [model for model in foreign if (model.contract.sha256, runtime) not in _passed]
    if not untried:
        return
    for model in untried:
        try:
            check_offsets(model.content)
        except ModelError as error:
            raise ModelError(f"model {model.path}: {error}; copy or convert it again") from error
    _try(untried, runtime)
    _passed.update((model.contract.sha256, runtime) for model in untried)


def _try(models: Sequence[ModelFile], runtime: str) -> None:
    process = _start(runtime)
    with process:
        try:
            out, err = process.communicate(b"".join(map(_message, models)), _TIMEOUT_S)
            late = False
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            late = True
    # A line before and after each step; what is missing was not reached.
    lines = [json.loads(line) for line in out.decode().splitlines()]
    for model in models:
        steps = [line for line in lines if line["sha256"] == model.contract.sha256]
        if steps and steps[-1]["step"] == "passed":
            continue
        if steps and steps[-1]["step"] == "refused":
            raise ModelError(steps[-1]["reason"])
        reason = f"takes more than {_TIMEOUT_S} s" if late else _cause_of_death(process.returncode, err)
        if not steps:
            raise EdgeError(f"cannot try networks in a process of its own: it {reason}")
        when = "while it is opened" if steps[-1]["step"] == "opening" else "at its first reading"
        raise ModelError(
            f"model {model.path}: {reason} {when}, tried in a process of its own with the {runtime} runtime; "
            "the file is damaged: copy or convert it again"
        )


def _start(runtime: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {ENVIRONMENT_VARIABLE: runtime, "OPENBLAS_NUM_THREADS": "1"}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
    try:
        # Not a fork: this process may have threads, and a fork of one that holds a lock hangs.
        return subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            cwd=_FOLDER,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except OSError as error:
        raise EdgeError(f"cannot try networks in a process of its own: {error.strerror}") from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _message(model: ModelFile) -> bytes:
    # Without what is for people, which may hold anything.
    contract = replace(model.contract, figures={}, training={}).to_json()
    header = {"path": str(model.path), "bytes": len(model.content), "contract": contract}
    return json.dumps(header).encode() + b"\n" + model.content


def _cause_of_death(code: int, err: bytes) -> str:
    if code == -signal.SIGXCPU:
        return "takes too long"
    if code < 0:
        return f"ends the interpreter ({_signal_name(-code)})"
    last = err.decode(errors="replace").strip().splitlines()[-1:]
    return f"ends the process with exit code {code} ({''.join(last)[:200]})"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
