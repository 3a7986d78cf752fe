"""The demo: drawn frames in which the cascade finds every face and nothing else."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge.sources.demo
from edge.detection.haar import find_cascade
from edge.errors import CameraError
from edge.labels import EMOTIONS
from edge.sources.demo import FPS, Demo, open_demo
from edge.sources.settings import CaptureSettings

FACES = Path(edge.sources.demo.__file__).with_name("demo_faces")


@pytest.fixture(scope="module")
def demo() -> Demo:
    return Demo(FACES)


def test_a_frame_depends_on_its_index_alone(demo: Demo) -> None:
    first, again = demo.frame(200), Demo(FACES).frame(200)
    assert first.shape == (480, 640)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert (first != demo.frame(201)).any()


def test_all_emotions_have_their_turn(demo: Demo) -> None:
    shown = {demo.frame(round(FPS * (2.5 * number + 1)))[200:280, 150:320].tobytes() for number in range(7)}
    assert len(shown) == len(EMOTIONS)


def test_the_cascade_finds_every_face_and_nothing_else(demo: Demo) -> None:
    cascade = cv2.CascadeClassifier(str(find_cascade()))
    # The 70 s after which emotions and visits repeat, in steps that reach every phase of both.
    indices = range(0, 70 * FPS, 9)
    counts = np.array([len(cascade.detectMultiScale(demo.frame(index), 1.2, 4)) for index in indices])
    faces = np.array([2 if index / FPS % 14 >= 3 else 1 for index in indices])
    assert (counts >= faces).mean() >= 0.95
    assert (counts <= faces).mean() >= 0.95


def test_the_demo_says_that_it_is_one(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), open_demo(CaptureSettings(), fast=True) as camera:
        assert camera.name == "demo"
    assert "demo: drawn faces and no camera" in caplog.text


def test_the_demo_has_a_pace(demo: Demo) -> None:
    with open_demo(CaptureSettings(), fast=True) as camera:
        times = [frame.captured_at for _, frame in zip(range(30), camera, strict=False) if frame is not None]
    assert times == pytest.approx([index / 15 for index in range(30)])


@pytest.mark.parametrize("damage", [Path.unlink, Path.touch, lambda path: path.write_text("not a picture")])
def test_a_missing_or_damaged_face_is_named(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    folder = tmp_path / "demo"
    shutil.copytree(FACES, folder)
    (folder / "sad-male.png").write_bytes(b"")
    damage(folder / "sad-male.png")
    with pytest.raises(CameraError, match=r"sad-male\.png: missing or damaged, and so is this installation"):
        Demo(folder)
