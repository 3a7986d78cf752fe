"""Fixtures of training and conversion: a dataset that a tiny network learns in seconds, and a scene."""

import logging
from contextlib import contextmanager

import numpy as np
import pytest

from tests.support.faces import picture_of


@pytest.fixture(scope="session")
def interrupted_after():
    """A context that interrupts training (Ctrl-C) after the epoch whose log line starts with `line`."""

    @contextmanager
    def interrupted(line):
        class Interrupt(logging.Handler):
            def emit(self, record):
                if record.getMessage().startswith(line):
                    raise KeyboardInterrupt

        logger, handler = logging.getLogger("train.training.fit"), Interrupt()
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        try:
            with pytest.raises(KeyboardInterrupt):
                yield
        finally:
            logger.removeHandler(handler)

    return interrupted


@pytest.fixture(scope="session")
def toy():
    """A dataset of 560 images of 16x16; the label is the position of a bright square in noise."""
    from edge.labels import EMOTIONS
    from train.data import Dataset

    random = np.random.default_rng(0)
    labels = np.arange(560, dtype=np.int64) % 7
    images = random.integers(0, 76, (560, 16, 16), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        top, left = divmod(int(label), 3)
        image[1 + 5 * top : 5 + 5 * top, 1 + 5 * left : 5 + 5 * left] += 180
    images[::8] = 255 - images[::8]  # both ends of the gray levels occur
    splits = np.where(np.arange(560) < 420, "train", "val")
    return Dataset("toy", images, labels, EMOTIONS, tuple(map(str, range(560))), splits)


@pytest.fixture(scope="session")
def toy_recipe():
    """A recipe for a network of a few hundred parameters, which is trained in seconds."""
    from edge.inference.preprocess import Framing
    from train.augment import Augmentation
    from train.models.spec import NetSpec, Stage
    from train.recipes.recipe import Recipe

    return Recipe(
        "toy",
        "emotion",
        NetSpec(stem=6, stages=(Stage(8, 2),), head=4, classes=7, size=16),
        Framing(1.0, 0.0),
        epochs=4,
        batch_size=8,
        learning_rate=1e-2,
        augmentation=Augmentation(
            rotate_deg=2, shift=0.02, scale=0.02, contrast=(0.9, 1.1), brightness=5, flip=0
        ),
    )


@pytest.fixture(scope="session")
def toy_run(toy, toy_recipe, tmp_path_factory):
    """The folder of a finished run of the toy recipe; tests that change it must copy it."""
    from train.training.fit import fit

    folder = tmp_path_factory.mktemp("toy") / "run"
    fit(toy_recipe, toy, folder)
    return folder


@pytest.fixture(scope="session")
def scene():
    """A function that draws the face of an emotion at (200, 120), 240 pixels wide, in an image of 640x490."""

    def make(emotion):
        picture = np.full((490, 640), 128, np.uint8)
        picture[:480] = picture_of(emotion)
        return picture

    return make
