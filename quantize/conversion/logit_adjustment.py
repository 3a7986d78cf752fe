"""Answering rare labels as often as they occur.

A network in doubt answers what is frequent: disgust and fear are said less often than they are seen. Its last
bias is moved until every label is answered as often as the training split bears it, a form of logit
adjustment (Menon et al. 2021, arXiv:2007.07314) that needs neither weights in the loss nor more parameters.
"""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError

_STEPS = 400
_RATE = 0.3
_LEAST = 1e-4  # frequency of a label that is never answered


def label_offsets(
    logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], share: float
) -> npt.NDArray[np.float32]:
    """What has to be added to each label's logit.

    Args:
        logits: (N, C) of the training split.
        labels: (N,) its labels.
        share: of the way, in the logarithm of frequency: 0 leaves the answers as they are, at 1 each label is
            answered as often as it occurs.

    Returns:
        (C,) float32, 0 in the mean.

    Raises:
        ConfigError: the share is not within 0 to 1.
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
    """Moves the bias of a network's last layer, "logits", in place."""
    bias = model.get_layer("body").get_layer("logits").bias
    bias.assign(keras.ops.convert_to_numpy(bias) + offsets)


def _frequencies(labels: npt.NDArray[np.int64], classes: int) -> npt.NDArray[np.float64]:
    return np.maximum(np.bincount(labels, minlength=classes) / len(labels), _LEAST)
