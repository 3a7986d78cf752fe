"""Quantization-aware training: a short training after which int8 predicts what the network did in float."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops

from edge.types import Gray
from quantize.conversion.converter import scale_pixels
from quantize.conversion.fake_quant import Array, FakeQuantModel
from train.evaluation.predictions import predict
from train.models.batches import keras_inputs

EPOCHS = 2
# Three times this rate learns as much in one epoch, but meanwhile accuracy moves by 0.3 points up and down.
_RATE = 3e-5
_BATCH = 128
_SEED = 0
# From (N, ...) targets and outputs to an (N,) tensor, by operations of Keras; 0 where they are equal.
Divergence: TypeAlias = Callable[[Any, Any], Any]


def finetune(
    model: keras.Model, prepared: keras.Model, views: Sequence[Gray], pixels: Array, divergence: Divergence
) -> None:
    """Trains a network a little further with int8 rounding, towards its own outputs without rounding.

    Quantization-aware fine-tuning (Krishnamoorthi 2018, arXiv:1806.08342, section 4). The targets are the
    network's own outputs and not the labels, so that it does not become another network.

    Args:
        model: network of `train.models.sepnet.build`; it is not changed.
        prepared: the same network after `quantize.conversion.converter.prepare`; this one is trained.
        views: the views of (N, size, size) uint8 crops of the training split that the file evaluates; one of
            them is drawn at random for every crop.
        pixels: scaled pixels of `quantize.conversion.converter.range_pixels`, to measure ranges on.
        divergence: how far outputs are from the network's own.
    """
    random = np.random.default_rng(_SEED)
    count = len(views[0])
    view_of = random.integers(0, len(views), count)
    order = random.permutation(count)
    inputs = np.stack([views[view_of[row]][row] for row in order])
    targets = predict(model, inputs[..., np.newaxis])
    rounded = FakeQuantModel(prepared.get_layer("body"), pixels)
    steps = EPOCHS * -(-len(inputs) // _BATCH)
    rate = keras.optimizers.schedules.CosineDecay(_RATE, steps)
    rounded.compile(optimizer=keras.optimizers.Adam(rate), loss=divergence)
    rounded.fit(
        **keras_inputs(_BATCH, scale_pixels(model, inputs), targets),
        epochs=EPOCHS,
        shuffle=False,
        verbose=1 if sys.stdout.isatty() else 0,
    )


def score_divergence(targets: Any, outputs: Any) -> Any:
    """Returns the (N,) Kullback-Leibler divergences between the scores of (N, classes) logits."""
    scores = ops.softmax(targets)
    return ops.sum(scores * (ops.log_softmax(targets) - ops.log_softmax(outputs)), axis=-1)


def detection_divergence(targets: Any, outputs: Any) -> Any:
    """Returns (N,) divergences between outputs that find faces (see `edge.detection.outputs`).

    It is the Kullback-Leibler divergence between the probabilities of a face, and the mean squared difference
    of all other outputs, which mean something only where there is a face: weighted by that probability.

    Args:
        targets: (N, ..., C), the first channel a logit.
        outputs: of the same shape.
    """
    wanted, logit = targets[..., 0], outputs[..., 0]
    face = ops.sigmoid(wanted)
    binary = face * (ops.log_sigmoid(wanted) - ops.log_sigmoid(logit))
    binary += (1 - face) * (ops.log_sigmoid(-wanted) - ops.log_sigmoid(-logit))
    others = ops.mean(ops.square(targets[..., 1:] - outputs[..., 1:]), axis=-1)
    return ops.mean(ops.reshape(binary + face * others, (ops.shape(targets)[0], -1)), axis=1)
