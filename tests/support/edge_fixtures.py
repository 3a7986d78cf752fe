"""What several tests of edge/ look at: the tiny networks, a picture with a face, reports of it, brokers."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge.inference.classifier import Classifier, FaceReader
from edge.labels import EMOTIONS, GENDERS
from edge.types import Box, Detection, Face, Frame, Gray, Rates, Reading, Report, Scores
from tests.support.faces import FACE_BOX, picture_of


@pytest.fixture(autouse=True)
def log_level() -> Iterator[None]:
    """Puts back what a command that runs in this process sets."""
    root = logging.getLogger()
    before = root.level
    yield
    root.setLevel(before)


@pytest.fixture(scope="session", params=EMOTIONS)
def each_face(request) -> Gray:
    return picture_of(request.param)


@pytest.fixture(scope="session")
def happy() -> Gray:
    return picture_of("happy")


@pytest.fixture(scope="session")
def face_box() -> Box:
    return FACE_BOX


@pytest.fixture(scope="session")
def models() -> Path:
    return Path(__file__).parents[1] / "models"


@pytest.fixture(scope="session")
def reader(models: Path) -> FaceReader:
    return FaceReader(
        Classifier(models / "tiny_emotion.json", "emotion"), Classifier(models / "tiny_gender.json", "gender")
    )


@pytest.fixture
def frame_and_report() -> Callable[..., tuple[Frame, Report]]:
    """Makes a frame with as many faces as boxes are given, and the report about it."""

    def make(number: int, *boxes: Box, time_s: float | None = None, size_wh=(320, 240)):
        emotion = Scores(EMOTIONS, (0.01, 0.02, 0.03, 0.81234, 0.04, 0.05, 0.03766))
        gender = Scores(GENDERS, (0.25, 0.75))
        readings = Reading("happy", emotion, emotion), Reading("female", gender, gender)
        faces = tuple(Face(id_, Detection(box), *readings) for id_, box in enumerate(boxes, start=1))
        at_s = number / 12 if time_s is None else time_s
        frame = Frame(number, at_s, np.full((size_wh[1], size_wh[0]), 90, np.uint8))
        return frame, Report(number, at_s, Rates(29.97, 14.123456, 3), faces, brightness=0.4)

    return make


@pytest.fixture
def without_rights() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python in a process that may do what files' modes let it do and no more, as root, too."""
    prefix = []
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root without setpriv (util-linux) may do everything")
        prefix = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"]

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*prefix, sys.executable, *arguments],
            env=os.environ | variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
