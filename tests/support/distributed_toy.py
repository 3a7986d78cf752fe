"""Trains two toy networks by a strategy and writes the results; a test starts it as each worker.

distributed_toy.py STRATEGY RESULT.npz [--epochs N] [--heartbeat-timeout S]
"""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
    os.environ[name] = "1"

import keras  # noqa: E402
import numpy as np  # noqa: E402

from edge.errors import EdgeError  # noqa: E402
from train.distributed.strategy import distributed  # noqa: E402
from train.training.trainer import Epoch, Trainer  # noqa: E402

# Two replicas share 9 rows as 4 and 5, and at the end of an epoch there is one row for both of them.
ROWS, BATCH = 145, 9


def rows(number):
    """Returns an epoch's images, targets and weights: the position of a bright square is the label."""
    random = np.random.default_rng(number)
    labels = random.integers(0, 7, ROWS)
    images = random.integers(0, 76, (ROWS, 16, 16, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        top, left = divmod(int(label), 3)
        image[1 + 5 * top : 5 + 5 * top, 1 + 5 * left : 5 + 5 * left] += 180
    targets = np.eye(7, dtype=np.float32)[labels]
    return images, targets, random.uniform(0.5, 1.5, ROWS).astype(np.float32)


def plain():
    """Makes a network without normalization: with two workers, nothing but rounding differs."""
    inputs = keras.Input((16, 16, 1))
    x = keras.layers.Rescaling(1 / 128, -1.0)(inputs)
    x = keras.layers.Conv2D(6, 5, strides=2, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(7)(keras.layers.Flatten()(x)))


def normalized():
    """Makes a network with normalization in a nested network, as the package has it, and with a shared block.

    Its activations are smooth: a ReLU whose input is within rounding of zero opens in one run and not in the
    other, and from there on the runs differ.
    """
    inputs = keras.Input((8, 8, 6))
    block = [keras.layers.DepthwiseConv2D(3, padding="same"), keras.layers.BatchNormalization()]
    x = inputs
    for _ in range(2):
        y = x
        for layer in block:
            y = layer(y)
        x = keras.layers.Add()([x, keras.layers.Activation("silu")(y)])
    body = keras.Model(inputs, keras.layers.Dense(7)(keras.layers.Flatten()(x)))
    pixels = keras.Input((16, 16, 1))
    x = keras.layers.Rescaling(1 / 128, -1.0)(pixels)
    x = keras.layers.Conv2D(6, 5, strides=2, padding="same", use_bias=False)(x)
    x = keras.layers.BatchNormalization()(x)
    return keras.Model(pixels, body(keras.layers.Activation("silu")(x)))


def compiled(kind):
    model = {"plain": plain, "normalized": normalized}[kind]()
    if kind == "plain":
        optimizer = keras.optimizers.AdamW(1e-3, weight_decay=2e-3)
        optimizer.exclude_from_weight_decay(var_names=["bias"])
    else:
        optimizer = keras.optimizers.SGD(1e-2, momentum=0.9, nesterov=True, use_ema=True, ema_momentum=0.9)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    model.compile(optimizer, loss, metrics=["accuracy"])
    optimizer.build(model.trainable_variables)
    return model


def run(cluster, kind, options):
    """Trains a network; returns {name: array} of the results."""
    keras.utils.set_random_seed(1)
    with cluster.scope():
        model = compiled(kind)
    if not cluster.is_chief:  # as if it had started from other weights: `broadcast_weights` must correct it
        for variable in [*model.variables, *model.optimizer.variables]:
            variable.assign(np.asarray(variable.numpy()) + 3)
    cluster.broadcast_weights(model)
    trainer = Trainer(cluster, model)
    shown = []
    for number in range(options.epochs):
        images, targets, weights = rows(number)
        progress = trainer.train(Epoch(number, images, targets, weights, BATCH))
        shown.append((progress.loss, progress.accuracy))
        print(f"{kind} epoch {number} loss {progress.loss:.6f}", flush=True)
    weights = {f"{kind}/weight{number}": value for number, value in enumerate(model.get_weights())}
    model.optimizer.finalize_variable_values(model.trainable_variables)
    checkpoint = (
        cluster.output_folder(options.result.parent) / f"{kind}-{cluster.replicas}-{cluster.index}.keras"
    )
    checkpoint.parent.mkdir(exist_ok=True)
    model.save(checkpoint)
    saved = keras.models.load_model(checkpoint)
    layers = saved._flatten_layers(include_self=False)
    pixels = rows(99)[0][:50]
    return {
        **weights,
        f"{kind}/shown": np.array(shown),
        f"{kind}/steps": model.optimizer.iterations.numpy(),
        f"{kind}/logits": trainer.local().predict(pixels, verbose=0),
        f"{kind}/saved": keras.ops.convert_to_numpy(saved(pixels)),
        f"{kind}/synchronized": any(getattr(layer, "synchronized", False) for layer in layers),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("strategy")
    parser.add_argument("result", type=Path)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--heartbeat-timeout", type=float, default=60.0)
    options = parser.parse_args()
    if options.strategy == "mirrored":
        import tensorflow as tf

        two = [tf.config.LogicalDeviceConfiguration(), tf.config.LogicalDeviceConfiguration()]
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
    try:
        with distributed(options.strategy, 40.0, options.heartbeat_timeout) as cluster:
            results: dict[str, Any] = {}
            for kind in ("plain", "normalized"):
                results |= run(cluster, kind, options)
            path = options.result.with_name(f"{options.result.stem}-{cluster.index}.npz")
            np.savez(path, replicas=cluster.replicas, **results)
    except EdgeError as error:
        print(f"train: error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
