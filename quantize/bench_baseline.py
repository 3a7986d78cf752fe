"""The float networks that `edge bench` compares with: mini-Xception as others run it, at 64x64."""

from __future__ import annotations

import gzip

import keras
import numpy as np
import tensorflow as tf

from train.models.baselines import build_reference

SIDE = 64


def classic_network(classes: int) -> bytes:
    """A gzipped float .tflite of mini-Xception (Arriaga et al. 2017, arXiv:1710.07557).

    Every kernel's weights are one value, so that the file is small; the time a float network takes does not
    hang on them. What it answers means nothing.

    Args:
        classes: number of labels.
    """
    # Layers are numbered through a process, and the numbers stand in the file.
    keras.utils.clear_session()
    model: keras.Model = build_reference("mini_xception", SIDE, classes, pretrained=False)
    for weight in model.weights:
        if len(weight.shape) > 1:
            weight.assign(np.full(weight.shape, 1 / np.prod(weight.shape[:-1]), np.float32))
    content: bytes = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    return gzip.compress(content, 9, mtime=0)
