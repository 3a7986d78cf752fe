"""The float networks that `edge bench` compares with: mini-Xception at 64x64, as other projects run it."""

from __future__ import annotations

import gzip

import keras
import numpy as np
import tensorflow as tf

from train.models.baselines import build_reference

SIDE = 64


def classic_network(classes: int) -> bytes:
    """Returns a gzipped float .tflite file of mini-Xception (Arriaga et al. 2017, arXiv:1710.07557).

    All weights of a kernel have the same value, so that the file is small; the latency of a float network
    does not depend on them. Its outputs mean nothing.

    Args:
        classes: number of labels.
    """
    # Layers are numbered throughout a process, and the numbers are part of the file.
    keras.utils.clear_session()
    model: keras.Model = build_reference("mini_xception", SIDE, classes, pretrained=False)
    for weight in model.weights:
        if len(weight.shape) > 1:
            weight.assign(np.full(weight.shape, 1 / np.prod(weight.shape[:-1]), np.float32))
    content: bytes = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    return gzip.compress(content, 9, mtime=0)
