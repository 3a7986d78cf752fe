"""Runs a network on images and evaluates its predictions."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt

from edge.types import Gray
from train.data import Dataset
from train.evaluation.metrics import Evaluation, evaluate
from train.models.batches import keras_inputs

_BATCH = 512


def predict(model: keras.Model, images: Gray) -> npt.NDArray[np.float32]:
    """Runs a network on images.

    Args:
        model: a network with one output.
        images: (N, size, size, 1) uint8.

    Returns:
        (N, classes) float32 logits.
    """
    return np.asarray(model.predict(**keras_inputs(_BATCH, images), verbose=0), dtype=np.float32)


def evaluate_model(model: keras.Model, images: Gray, rows: Dataset, split: str) -> Evaluation:
    """Compares a network's predictions with the labels.

    Args:
        model: a network with one output.
        images: (N, size, size, 1) uint8.
        rows: the N rows that the images were made from.
        split: name of their split, for the result.
    """
    return evaluate_logits(predict(model, images), rows, split)


def evaluate_logits(logits: npt.NDArray[np.float32], rows: Dataset, split: str) -> Evaluation:
    """Compares the predictions of (N, classes) float32 logits with the labels of N rows."""
    return evaluate(f"{rows.name} {split}", rows.label_names, rows.labels, logits.argmax(axis=1))
