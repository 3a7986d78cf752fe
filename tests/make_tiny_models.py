"""Makes the two tiny networks that tests of edge/ and quantize/ use: `python tests/make_tiny_models.py`.

Like the shipped ones they are full-integer (uint8 in, int8 logits out, weights per channel), but their
weights are random, so their outputs say nothing about a face. The gender network also exists with int8
pixels. Needs the train extra.
"""

import hashlib
from pathlib import Path
from typing import Literal

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from edge.inference.contract import Contract
from edge.inference.preprocess import Framing
from edge.labels import LABELS, Task

_FOLDER = Path(__file__).with_name("models")


def _network(outputs: int) -> keras.Model:
    pixels = keras.Input((48, 48, 1), batch_size=1)
    flow = keras.layers.Rescaling(1 / 255)(pixels)
    flow = keras.layers.Conv2D(4, 5, strides=4, padding="same", activation="relu")(flow)
    flow = keras.layers.DepthwiseConv2D(3, strides=2, padding="same")(flow)
    flow = keras.layers.AveragePooling2D(3)(flow)
    # Large weights, so that the outputs differ from image to image.
    logits = keras.layers.Dense(outputs, kernel_initializer=keras.initializers.RandomNormal(0.0, 10.0))
    return keras.Model(pixels, logits(keras.layers.Flatten()(flow)))


def _convert(network: keras.Model, input_dtype: str) -> bytes:
    # Traced with a batch of exactly one and with constant weights; otherwise calibration may fail.
    signature = tf.TensorSpec((1, 48, 48, 1), tf.float32)
    traced = tf.function(lambda pixels: network(pixels, training=False)).get_concrete_function(signature)
    frozen = convert_variables_to_constants_v2(traced)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.dtypes.as_dtype(input_dtype)
    converter.inference_output_type = tf.int8
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (32, 1, 6, 6, 1)).astype(np.float32)
    rows = coarse.repeat(8, axis=2).repeat(8, axis=3)
    rows[:, 0, 0, :2, 0] = 0, 255  # both ends of the range; otherwise a pixel is not its own quantized value
    converter.representative_dataset = lambda: ([row] for row in rows)
    content: bytes = converter.convert()
    return content


def _make(task: Task, input_dtype: Literal["uint8", "int8"], folder: Path) -> None:
    keras.utils.set_random_seed(1)
    network = _network(len(LABELS[task]))
    content = _convert(network, input_dtype)
    folder.mkdir(exist_ok=True)
    (folder / f"tiny_{task}.tflite").write_bytes(content)
    Contract(
        name=f"tiny_{task}",
        task=task,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        labels=LABELS[task],
        parameters=network.count_params(),
        framing=Framing(1.02, 0.0),
        input_dtype=input_dtype,
        training={"made by": "tests/make_tiny_models.py, random weights"},
    ).write(folder)
    print(f"{task}, {input_dtype} pixels: {network.count_params()} parameters, {len(content)} bytes")


if __name__ == "__main__":
    _make("emotion", "uint8", _FOLDER)
    _make("gender", "uint8", _FOLDER)
    _make("gender", "int8", _FOLDER / "int8_pixels")
