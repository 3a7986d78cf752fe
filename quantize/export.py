"""From a Keras network to the bytes of a TFLite file, full-integer or float."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError
from edge.types import Gray
from quantize.names import shorten_names
from quantize.reading import Reading
from quantize.zeros import share_zero_biases

PLAIN = Reading()


def to_int8(model: keras.Model, calibration: Gray, reading: Reading = PLAIN) -> bytes:
    """Full-integer conversion: weights per channel, uint8 pixels in, int8 logits out, no float in between.

    Integer arithmetic as in Jacob et al. 2017 (arXiv:1712.05877), one weight scale for each output channel
    as in Krishnamoorthi 2018 (arXiv:1806.08342), ranges of activations from the calibration pictures.

    Args:
        model: of `train.model.build`.
        calibration: (N, size, size) uint8; must hold both pixel 0 and pixel 255, so that the input's scale
            comes out as 1/128 with pixel 128 for zero, and a pixel is its own quantized value.
        reading: the looks that the file takes at a face.

    Returns:
        The file's content.

    Raises:
        ConfigError: the calibration pictures do not span all pixel values.
    """
    import tensorflow as tf

    if calibration.min() != 0 or calibration.max() != 255:
        raise ConfigError(
            f"calibration pictures span {calibration.min()} to {calibration.max()}, expected 0 to 255"
        )
    converter = _converter(model, reading)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _samples(model, calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        # It misses statistics that only the older kind of conversion, without calibration pictures, needs.
        warnings.filterwarnings("ignore", "Statistics for quantized inputs")
        return shorten_names(share_zero_biases(bytes(converter.convert())))


def to_float(model: keras.Model, reading: Reading = PLAIN) -> bytes:
    """The same network as float32 TFLite, input from -1 to 127/128: what int8 is compared with."""
    return shorten_names(bytes(_converter(model, reading).convert()))


def scale_pixels(model: keras.Model, images: Gray) -> npt.NDArray[np.float32]:
    """(N, size, size) uint8 as the network proper reads them: (N, size, size, 1) float32.

    That is -1 to 127/128, but for a network whose pixels were centred and scaled by its training set.
    """
    layer = model.get_layer("scale")
    return images[..., np.newaxis].astype(np.float32) * np.float32(layer.scale) + np.float32(layer.offset)


def _converter(model: keras.Model, reading: Reading) -> Any:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            f"conversion needs Keras on TensorFlow, not {keras.backend.backend()}: unset KERAS_BACKEND"
        )
    # Without the scaling in front: the quantized input itself holds scale and zero point.
    body = model.get_layer("body")
    shape = (1, *body.input_shape[1:])

    # A traced function with a fixed batch, its variables frozen: converting the Keras object itself can leave
    # READ_VARIABLE operators in the graph, which fail during calibration.
    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name="pixels")])  # type: ignore[untyped-decorator]
    def logits(pixels: Any) -> Any:
        return reading.graph(body, pixels)

    frozen = convert_variables_to_constants_v2(logits.get_concrete_function())
    return tf.lite.TFLiteConverter.from_concrete_functions([frozen])


def _samples(model: keras.Model, calibration: Gray) -> Iterator[list[npt.NDArray[np.float32]]]:
    for sample in scale_pixels(model, calibration):
        yield [sample[np.newaxis]]
