"""Contracts: the JSON file next to a network that is fine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

import numpy as np

from edge.detection.detector import FaceDetector
from edge.detection.settings import DetectorSettings
from edge.inference.classifier import Classifier
from edge.inference.contract import MODELS_FOLDER, Contract, find_model, read_model
from edge.inference.preprocess import crop_face
from edge.labels import FACE_TASKS, LABELS
from edge.types import Box
from tests.fuzz.mutate import Kind
from tests.fuzz.target import BrokenPromiseError, Command, Target


class Contracts(Target):
    """A line with the network's name, then its contract."""

    kind: ClassVar[Kind] = "text"

    dictionary = (
        *(b'"format"', b'"name"', b'"task"', b'"sha256"', b'"bytes"', b'"labels"', b'"input"', b'"height"'),
        *(
            b'"width"',
            b'"channels"',
            b'"dtype"',
            b'"range"',
            b'"output"',
            b'"kind"',
            b'"temperature"',
            b'"crop"',
        ),
        *(b'"margin"', b'"shift_y"', b'"parameters"', b'"figures"', b'"training"', b'"uint8"', b'"int8"'),
        *(
            b'"logits"',
            b'"scores"',
            b'"detection"',
            b"NaN",
            b"Infinity",
            b"-Infinity",
            b"null",
            b"true",
            b"1e999",
        ),
        *(
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b'"',
            b"\\u0000",
            b"\\ud800",
            b"\\",
            b"-0.0",
            b"1E5",
            b"9" * 5000,
        ),
        *(task.encode() for task in LABELS),
        *(label.encode() for labels in LABELS.values() for label in labels),
        *(b"[" * 100, b'{"a":' * 40, b"\xff", b"\xef\xbb\xbf", b"\n", b"\xe2\x80\xa8"),
    )

    def __init__(self, folder) -> None:
        super().__init__(folder)
        self._random = np.random.default_rng(0)
        self._networks = {path.stem: path for path in sorted(MODELS_FOLDER.glob("*.tflite"))}

    def corpus(self) -> list[bytes]:
        made = []
        for name, path in self._networks.items():
            whole = path.with_suffix(".json").read_bytes()
            # Without what is for people, in which most changes would lie.
            short = replace(Contract.from_json(whole.decode()), figures={}, training={}).to_json()
            made += [name.encode() + b"\n" + content for content in (whole, short.encode(), short.encode())]
        return made

    def try_input(self, content: bytes) -> bool:
        path = self._write(content)
        contract, _ = read_model(path)
        if find_model(path.parent, contract.task) != path:
            raise BrokenPromiseError("the only contract of a task is not found")
        gray = self._random.integers(0, 256, (240, 320), np.uint8)
        if contract.task in FACE_TASKS:
            named = {contract.task: path}
            detector = FaceDetector.open(DetectorSettings(), named.get("proposal"), named.get("refinement"))
            detector.detect_all(gray)
            return True
        classifier = Classifier(path, contract.task)
        for box in (Box(0, 0, 48, 48), Box(-20, 100, 90, 90)):
            crop = crop_face(gray, box, contract.size, contract.framing, 12.0)
            total = sum(classifier.classify(crop).values)
            if not 0.99 < total < 1.01:
                raise BrokenPromiseError(f"scores sum to {total}")
        return True

    @contextmanager
    def command(self, content: bytes) -> Iterator[Command | None]:
        path = self._write(content)
        task = path.stem.partition("_")[0]
        words = ("--source", "demo", "--fast", "--max-frames", "1")
        yield Command(["run", *words, f"--{task}-model", str(path)])

    def _write(self, content: bytes):
        first, _, text = content.partition(b"\n")
        # A name that was damaged is no part of the contract.
        name = first.decode(errors="replace")
        network = self._networks.get(name, next(iter(self._networks.values())))
        folder = self.folder / "models"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        shutil.copy(network, folder)
        path = folder / f"{network.stem}.json"
        path.write_bytes(text)
        return path
