"""The loops that are compared: (a) a full search, (b) the loop as usually written, and (c) this package's."""

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
from edge.detection.detector import FaceDetector
from edge.detection.haar import find_cascade
from edge.inference.classifier import Classifier
from edge.inference.interpreter import open_interpreter
from edge.inference.preprocess import crop_face
from edge.labels import EMOTIONS, GENDERS, TASKS, Task
from edge.output.console import ConsoleSink
from edge.output.jsonl import JsonLinesSink
from edge.pipeline.loop import Pipeline
from edge.settings.settings import Settings
from edge.sources.replay import ReplayCamera
from edge.types import Box, Frame, Gray, Report

_Floats: TypeAlias = npt.NDArray[np.float32]

_CLASSIC_SIDE = 64


class Loop(Protocol):
    """One way to work on a frame.

    Attributes:
        timer: Times the loop's stages.
    """

    timer: StageTimer

    def step(self, frame: Frame) -> list[Observation]:
        """Works on a frame and returns its faces; frames come in order, and their times never fall."""


class FullSearchLoop:
    """Searches every frame in full size at a scale factor of 1.1, and runs both networks on every face."""

    def __init__(self, settings: Settings) -> None:
        """Opens the cascade and the networks of the settings."""
        self.timer = StageTimer()
        self._search = self.timer.timed("detect", _cascade().detectMultiScale)
        self._crop = self.timer.timed("crop", crop_face)
        emotion = _network(settings.models.emotion, "emotion", settings.models.threads)
        gender = _network(settings.models.gender, "gender", settings.models.threads)
        self._classifiers = (
            (self.timer.timed("emotion", emotion.classify), emotion),
            (self.timer.timed("gender", gender.classify), gender),
        )

    def step(self, frame: Frame) -> list[Observation]:
        """Searches, crops and classifies."""
        faces = []
        for box in _boxes(self._search(frame.gray, scaleFactor=1.1, minNeighbors=3)):
            labels = []
            for classify, network in self._classifiers:
                contract = network.contract
                crop = self._crop(frame.gray, box, contract.size, contract.framing)
                labels.append(classify(crop).label)
            faces.append(Observation(box, 0, *labels))
        return faces


class ClassicLoop:
    """Works as usual loops do: a scale factor of 1.3, five neighbours, two float networks at 64x64.

    The networks are mini-Xception (Arriaga et al. 2017, arXiv:1710.07557) with constant weights: they take as
    long as trained ones, and their labels mean nothing.
    """

    def __init__(self, settings: Settings) -> None:
        """Opens the cascade and the two networks."""
        self.timer = StageTimer()
        self._search = self.timer.timed("detect", _cascade().detectMultiScale)
        self._crop = self.timer.timed("crop", _classic_crop)
        self._networks = [
            self.timer.timed(task, _float_network(classes, settings.models.threads))
            for task, classes in (("emotion", len(EMOTIONS)), ("gender", len(GENDERS)))
        ]

    def step(self, frame: Frame) -> list[Observation]:
        """Searches, crops and classifies."""
        faces = []
        for box in _boxes(self._search(frame.gray, scaleFactor=1.3, minNeighbors=5)):
            crop = self._crop(frame.gray, box)
            emotion, gender = (int(network(crop).argmax()) for network in self._networks)
            faces.append(Observation(box, 0, EMOTIONS[emotion], GENDERS[gender]))
        return faces


class EmotinyLoop:
    """Works on a frame as `emotiny run` does, including the output of its report."""

    def __init__(
        self, settings: Settings, detector: FaceDetector | None = None, *, with_stages: bool = True
    ) -> None:
        """Opens what `emotiny run` opens, except a camera.

        Args:
            settings: Settings of the run.
            detector: Used instead of the one that the settings name.
            with_stages: Whether its stages are timed, which takes time, too.
        """
        self.timer = timer = StageTimer()
        self._now_s = 0.0
        stream = _NullStream()
        sink = JsonLinesSink(stream) if settings.output == "jsonl" else ConsoleSink(stream)
        self._pipeline = pipeline = Pipeline.from_settings(
            settings, sinks=[sink], camera=ReplayCamera([]), clock=lambda: self._now_s
        )
        if detector is not None:
            pipeline.tracker.detector = detector
        if not with_stages:
            return
        timer.instrument(pipeline.tracker.detector.proposer, propose="propose")
        timer.instrument(pipeline.tracker.detector.judge, refine="judge")
        timer.instrument(pipeline.tracker, update="tracker")
        for task in TASKS:
            timer.instrument(getattr(pipeline.scheduler.reader, task), classify=task)
        timer.instrument(pipeline.scheduler, read="scheduler")

    def step(self, frame: Frame) -> list[Observation]:
        """Tracks, classifies and reports, as if the frame came at its own time."""
        return [
            Observation(face.detection.box, face.id, face.emotion.label, face.gender.label)
            for face in self.process(frame).faces
        ]

    def process(self, frame: Frame) -> Report:
        """Does the work of `step` and returns the report, which takes less time than observations."""
        self._now_s = frame.captured_at
        return self._pipeline.process(frame)


class _NullStream(io.StringIO):
    """A stream that discards what is written to it."""

    def write(self, text: str) -> int:
        return len(text)


# By the letter that tables and results use.
LOOPS: dict[str, Callable[[Settings], Loop]] = {"a": FullSearchLoop, "b": ClassicLoop, "c": EmotinyLoop}
DESCRIPTIONS = {
    "a": "plain: cascade at 1.1 on every whole frame, both networks on every face",
    "b": "classic: cascade at 1.3 and 5 neighbours on every whole frame, two float networks at 64x64",
    "c": "emotiny",
}


def _network(path: Path | None, task: Task, threads: int) -> Classifier:
    return Classifier(path, task, threads)


def _cascade() -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(str(find_cascade()))


def _boxes(detections: Sequence[Sequence[int]]) -> list[Box]:
    return [Box(*(int(value) for value in detection)) for detection in detections]


def _classic_crop(gray: Gray, box: Box) -> _Floats:
    """Returns the face as (1, 64, 64, 1) float32, -1 to 1."""
    face = cv2.resize(gray[box.y : box.y + box.height, box.x : box.x + box.width], (_CLASSIC_SIDE,) * 2)
    scaled = (face.astype(np.float32) / 255 - 0.5) * 2
    return np.asarray(scaled[np.newaxis, :, :, np.newaxis], np.float32)


def _float_network(classes: int, threads: int) -> Callable[[_Floats], _Floats]:
    """Returns a function from a (1, 64, 64, 1) crop to (1, classes) scores."""
    path = Path(__file__).with_name(f"mini_xception_{classes}.tflite.gz")
    interpreter = open_interpreter(gzip.decompress(path.read_bytes()), threads)
    input_index = interpreter.get_input_details()[0]["index"]
    output_index = interpreter.get_output_details()[0]["index"]

    def scores(crop: _Floats) -> _Floats:
        interpreter.set_tensor(input_index, crop)
        interpreter.invoke()
        return interpreter.get_tensor(output_index)

    return scores
