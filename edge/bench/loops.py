"""Three ways to do a frame's work: in full, as it is usually written, and as this package does it."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from edge.bench.accuracy import Observation
from edge.bench.timing import StageTimer
from edge.detection.haar import find_cascade
from edge.inference.classifier import Classifier
from edge.inference.contract import MODELS_FOLDER, find_model
from edge.inference.interpreter import open_interpreter
from edge.inference.preprocess import crop_face
from edge.labels import EMOTIONS, GENDERS, TASKS, Task
from edge.output.console import ConsoleSink
from edge.output.jsonl import JsonLinesSink
from edge.pipeline.loop import Pipeline
from edge.settings.settings import Settings
from edge.sources.replay import ReplayCamera
from edge.types import Box, Frame, Gray

_Floats: TypeAlias = npt.NDArray[np.float32]

_CLASSIC_SIDE = 64


class Loop(Protocol):
    """One way to do a frame's work.

    Attributes:
        stopwatch: what its stages take.
    """

    stopwatch: StageTimer

    def step(self, frame: Frame) -> list[Observation]:
        """Does a frame's work; frames come in order, times never fall."""


class FullSearchLoop:
    """The whole picture searched in full size at a factor of 1.1, both networks on every face of a frame."""

    def __init__(self, settings: Settings) -> None:
        """Opens the cascade and the networks that ship."""
        self.stopwatch = StageTimer()
        self._search = self.stopwatch.timed("detect", _cascade().detectMultiScale)
        self._crop = self.stopwatch.timed("crop", crop_face)
        self._emotion = _network(settings.emotion_model, "emotion", settings.threads)
        self._gender = _network(settings.gender_model, "gender", settings.threads)
        self._read_emotion = self.stopwatch.timed("emotion", self._emotion.classify)
        self._read_gender = self.stopwatch.timed("gender", self._gender.classify)

    def step(self, frame: Frame) -> list[Observation]:
        """Searches, crops and reads."""
        found = self._search(frame.gray, scaleFactor=1.1, minNeighbors=3)
        seen = []
        for box in _boxes(found):
            scores = []
            for read, network in ((self._read_emotion, self._emotion), (self._read_gender, self._gender)):
                contract = network.contract
                scores.append(read(self._crop(frame.gray, box, contract.size, contract.framing)))
            seen.append(Observation(box, 0, scores[0].label, scores[1].label))
        return seen


class ClassicLoop:
    """As it is usually written: a factor of 1.3, five neighbours, two float networks at 64x64.

    The networks are mini-Xception (Arriaga et al. 2017, arXiv:1710.07557) with constant weights: they take
    the time that they take, and what they say means nothing.
    """

    def __init__(self, settings: Settings) -> None:
        """Opens the cascade and the two networks."""
        self.stopwatch = StageTimer()
        self._search = self.stopwatch.timed("detect", _cascade().detectMultiScale)
        self._crop = self.stopwatch.timed("crop", _classic_crop)
        self._readers = [
            self.stopwatch.timed(task, _float_network(classes, settings.threads))
            for task, classes in (("emotion", len(EMOTIONS)), ("gender", len(GENDERS)))
        ]

    def step(self, frame: Frame) -> list[Observation]:
        """Searches, crops and reads."""
        seen = []
        for box in _boxes(self._search(frame.gray, scaleFactor=1.3, minNeighbors=5)):
            pixels = self._crop(frame.gray, box)
            emotion, gender = (int(read(pixels).argmax()) for read in self._readers)
            seen.append(Observation(box, 0, EMOTIONS[emotion], GENDERS[gender]))
        return seen


class EmotinyLoop:
    """What `run` does with a frame, down to what it says of it."""

    def __init__(self, settings: Settings) -> None:
        """Opens what `run` opens, but for the camera."""
        self.stopwatch = timer = StageTimer()
        self._now_s = 0.0
        nowhere = _Nowhere()
        sink = JsonLinesSink(nowhere) if settings.output == "jsonl" else ConsoleSink(nowhere)
        self._pipeline = pipeline = Pipeline.from_settings(
            settings, sinks=[sink], camera=ReplayCamera([]), clock=lambda: self._now_s
        )
        timer.instrument(pipeline.tracker.detector, detect="detect", verify="verify")
        timer.instrument(pipeline.tracker, update="tracker")
        for task in TASKS:
            timer.instrument(getattr(pipeline.scheduler.reader, task), classify=task)
        timer.instrument(pipeline.scheduler, read="scheduler")

    def step(self, frame: Frame) -> list[Observation]:
        """Follows, reads and reports, as if frames came at their times."""
        self._now_s = frame.captured_at
        report = self._pipeline.process(frame)
        return [
            Observation(face.detection.box, face.id, face.emotion.label, face.gender.label)
            for face in report.faces
        ]


class _Nowhere(io.StringIO):
    """Forgets what is written to it."""

    def write(self, text: str) -> int:
        return len(text)


# By the letters that the tables use.
LOOPS: dict[str, Callable[[Settings], Loop]] = {"a": FullSearchLoop, "b": ClassicLoop, "c": EmotinyLoop}
MEANINGS = {
    "a": "plain: cascade at 1.1 on every whole frame, both networks on every face",
    "b": "classic: cascade at 1.3 and 5 neighbours on every whole frame, two float networks at 64x64",
    "c": "emotiny",
}


def _network(path: Path | None, task: Task, threads: int) -> Classifier:
    return Classifier(path or find_model(MODELS_FOLDER, task), task, threads)


def _cascade() -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(find_cascade()))


def _boxes(found: Sequence[Sequence[int]]) -> list[Box]:
    return [Box(*(int(value) for value in each)) for each in found]


def _classic_crop(gray: Gray, box: Box) -> _Floats:
    """(1, 64, 64, 1) float32, -1 to 1."""
    face = cv2.resize(gray[box.y : box.y + box.height, box.x : box.x + box.width], (_CLASSIC_SIDE,) * 2)
    return ((face.astype(np.float32) / 255 - 0.5) * 2)[np.newaxis, :, :, np.newaxis]


def _float_network(classes: int, threads: int) -> Callable[..., _Floats]:
    path = Path(__file__).with_name(f"mini_xception_{classes}.tflite.gz")
    interpreter = open_interpreter(gzip.decompress(path.read_bytes()), threads)
    pixels, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def read(
        crop: _Floats,
    ) -> _Floats:
        interpreter.set_tensor(pixels, crop)
        interpreter.invoke()
        return interpreter.get_tensor(answer)

    return read
