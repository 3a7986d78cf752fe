"""Networks: a .tflite file whose contract is fine and has the checksum of the damaged file.

What passes the trial is opened and run in this process, which must survive that.
"""

from __future__ import annotations

import hashlib
import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from edge.inference import trial, trial_process
from edge.inference.contract import MODELS_FOLDER, Contract, read_model
from edge.inference.interpreter import ENVIRONMENT_VARIABLE, chosen_runtime
from edge.inference.network import Network
from tests.fuzz.mutate import Kind
from tests.fuzz.target import Command, Target

_TINY = MODELS_FOLDER.parent / "tests" / "models"
_SIZES_HW = ((240, 320), (64, 64), (8, 8), (480, 640))
_PICTURES = 4


class _ForkedTrial:
    """What `subprocess.Popen` is to the trial, as a fork of this process: it need not import anything."""

    def __init__(self, runtime: str) -> None:
        self.returncode = 0
        self._runtime = runtime
        self._pid = 0

    def __enter__(self) -> _ForkedTrial:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def communicate(self, content: bytes = b"", timeout: float | None = None) -> tuple[bytes, bytes]:
        """Runs the trial with this standard input, and returns what it prints."""
        if not self._pid:
            self._files = [tempfile.TemporaryFile() for _ in range(3)]  # noqa: SIM115 - closed below
            self._files[0].write(content)
            self._files[0].seek(0)
            self._pid = os.fork()
            if not self._pid:
                self._run()
        descriptor = os.pidfd_open(self._pid)
        try:
            ended, _, _ = select.select([descriptor], [], [], timeout)
        finally:
            os.close(descriptor)
        if not ended:
            raise subprocess.TimeoutExpired("trial", timeout or 0)
        _, status = os.waitpid(self._pid, 0)
        self.returncode = os.waitstatus_to_exitcode(status)
        printed = []
        for file in self._files[1:]:
            file.seek(0)
            printed.append(file.read())
        for file in self._files:
            file.close()
        return printed[0], printed[1]

    def kill(self) -> None:
        """Ends the trial."""
        os.kill(self._pid, signal.SIGKILL)

    def _run(self) -> None:
        code = 1
        try:
            for number, file in enumerate(self._files):
                os.dup2(file.fileno(), number)
            os.environ[ENVIRONMENT_VARIABLE] = self._runtime
            sys.stdin = os.fdopen(0, encoding="utf-8")
            trial_process.main()
            code = 0
        finally:
            os._exit(code)


class Networks(Target):
    """A byte that chooses the contract, then the network's file; run by LiteRT."""

    runtime: ClassVar[str] = "litert"
    # A trial may take 20 s, and then is a refusal.
    limit_s: ClassVar[float] = 40.0
    kind: ClassVar[Kind] = "offsets"
    # Numbers and offsets of flatbuffers; the identifier.
    dictionary = (
        *(b"TFL3", bytes(4), b"\1\0\0\0", b"\2\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\0\0\x80\x7f"),
        *(b"\0\0\xc0\x7f", b"\0\0\0\x40", b"\x08\0\0\0", b"\xf0\xff\xff\xff", b"\0\1", b"\x03\0", b"\x09\0"),
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        os.environ[ENVIRONMENT_VARIABLE] = self.runtime
        chosen_runtime()
        paths = [*sorted(_TINY.glob("*.tflite")), *sorted(MODELS_FOLDER.glob("*.tflite"))]
        self._models = [read_model(path) for path in paths]
        self._random = np.random.default_rng(0)

    def corpus(self) -> list[bytes]:
        return [bytes((number,)) + content for number, (_, content) in enumerate(self._models)]

    def try_input(self, content: bytes) -> bool:
        path, contract = self._write(content)
        real = trial._start
        trial._start = _ForkedTrial  # type: ignore[assignment]
        try:
            network = Network.open(path, contract.task)
        finally:
            trial._start = real
        sizes = [(contract.size, contract.size), *(_SIZES_HW if contract.task == "proposal" else ())]
        for size_hw in sizes:
            sized = network.resized(size_hw)
            for _ in range(_PICTURES):
                sized.run(self._random.integers(0, 256, size_hw, np.uint8))
        return True

    @contextmanager
    def command(self, content: bytes) -> Iterator[Command | None]:
        path, contract = self._write(content)
        words = ["--source", "demo", "--fast", "--max-frames", "1"]
        words += [f"--{contract.task}-model", str(path)]
        yield Command(["run", *words], {ENVIRONMENT_VARIABLE: self.runtime})

    def _write(self, content: bytes) -> tuple[Path, Contract]:
        contract, _ = self._models[content[0] % len(self._models) if content else 0]
        network = content[1:]
        digest = hashlib.sha256(network).hexdigest()
        contract = replace(contract, sha256=digest, size_bytes=len(network), figures={}, training={})
        path = self.folder / f"{contract.name}.tflite"
        path.write_bytes(network)
        path.with_suffix(".json").write_text(contract.to_json())
        return path, contract


class TfliteNetworks(Networks):
    """The same, run by tflite-runtime, which checks less."""

    runtime: ClassVar[str] = "tflite"
