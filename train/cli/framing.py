"""`framing`: measures where the face detector's box lies in each dataset's images."""

from __future__ import annotations

import argparse

import numpy as np

from edge.errors import ConfigError
from edge.labels import TASKS
from train.data import load
from train.data.face_boxes import detect_boxes, enlarge, measure_framing


def run(arguments: argparse.Namespace) -> None:
    """Prints a line for each task's dataset."""
    if arguments.count < 1:
        raise ConfigError(f"--count {arguments.count}: expected at least 1")
    for task in TASKS:
        training = load(task, arguments.data).part("train")
        sample = training.take(np.arange(0, len(training), -(-len(training) // arguments.count)))
        images = enlarge(sample.images)
        measured = measure_framing(detect_boxes(images), images.shape[1])
        print(
            f"{training.name}: a face in {measured.found:.1%} of {measured.count} training images; the box "
            f"in shares of the image, 10 % / median / 90 %: width {_triple(measured.width)}, to the right "
            f"{_triple(measured.offset_x)}, down {_triple(measured.offset_y)}; "
            f"the image is {measured.margin:.2f} of the box"
        )


def _triple(values: tuple[float, float, float]) -> str:
    return " / ".join(f"{value:+.2f}" for value in values)
