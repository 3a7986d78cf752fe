"""Logit adjustment: predicts rare labels as often as they occur.

A network in doubt predicts frequent labels, so disgust and fear are predicted less often than they occur. The
bias of its last layer is moved until every label is predicted as often as it occurs in the training split.
This form of logit adjustment (Menon et al. 2021, arXiv:2007.07314) needs neither weights in the loss nor more
parameters.
"""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError

_STEPS = 400
_RATE = 0.3
_LEAST_FREQUENCY = 1e-4  # counted for a label that is never predicted


def label_offsets(
    logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], share: float
) -> npt.NDArray[np.float32]:
    """Returns what must be added to the logit of each label.

    Args:
        logits: (N, C) logits of the training split.
        labels: (N,) its labels, 0 to C - 1.
        share: how far the frequencies are moved, on a logarithmic scale: 0 leaves them as they are, at 1 each
            label is predicted as often as it occurs.

    Returns:
        (C,) float32 with a mean of 0.

    Raises:
        ConfigError: the share is not from 0 to 1.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"a share of {share} of the way to the labels' own frequencies; expected 0 to 1")
    classes = logits.shape[1]
    wanted = share * np.log(_frequencies(labels, classes))
    wanted += (1 - share) * np.log(_frequencies(logits.argmax(axis=1), classes))
    wanted -= np.log(np.exp(wanted).sum())
    offsets = np.zeros(classes)
    for _ in range(_STEPS):
        offsets -= _RATE * (np.log(_frequencies((logits + offsets).argmax(axis=1), classes)) - wanted)
    return np.asarray(offsets - offsets.mean(), dtype=np.float32)


def add_offsets(model: keras.Model, offsets: npt.NDArray[np.float32]) -> None:
    """Adds offsets to the bias of a network's last layer, "logits", in place."""
    bias = model.get_layer("body").get_layer("logits").bias
    bias.assign(keras.ops.convert_to_numpy(bias) + offsets)


def _frequencies(labels: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.float64]:
    return np.maximum(np.bincount(labels, minlength=classes) / len(labels), _LEAST_FREQUENCY)
