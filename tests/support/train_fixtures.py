"""Fixtures of training and conversion: a set that a tiny network learns in seconds, and a whole scene."""

import logging
from contextlib import contextmanager

import numpy as np
import pytest

from tests.support.faces import picture_of


@pytest.fixture(scope="session")
def broken_off():
    """A context, of how an epoch's logged line begins: Ctrl-C comes once that is said."""

    @contextmanager
    def until(said):
        class Interrupt(logging.Handler):
            def emit(self, record):
                if record.getMessage().startswith(said):
                    raise KeyboardInterrupt

        logger, handler = logging.getLogger("train.training.fit"), Interrupt()
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        try:
            with pytest.raises(KeyboardInterrupt):
                yield
        finally:
            logger.removeHandler(handler)

    return until


@pytest.fixture(scope="session")
def toy():
    """Each label is a bright square at its own place, in noise: 560 pictures of 16x16."""
    from edge.labels import EMOTIONS
    from train.data import Dataset

    random = np.random.default_rng(0)
    labels = np.arange(560, dtype=np.int64) % 7
    images = random.integers(0, 76, (560, 16, 16), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        top, left = divmod(int(label), 3)
        image[1 + 5 * top : 5 + 5 * top, 1 + 5 * left : 5 + 5 * left] += 180
    images[::8] = 255 - images[::8]  # so that both ends of the gray levels are met, even with even contrast
    splits = np.where(np.arange(560) < 420, "train", "val")
    return Dataset("toy", images, labels, EMOTIONS, tuple(map(str, range(560))), splits)


@pytest.fixture(scope="session")
def toy_recipe():
    """A network of some hundred parameters, as small as they are built, and a few seconds of training."""
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
def scene():
    """Makes a gray picture of 640x490 with the face of an emotion at (200, 120), 240 pixels wide."""

    def make(emotion):
        picture = np.full((490, 640), 128, np.uint8)
        picture[:480] = picture_of(emotion)
        return picture

    return make
