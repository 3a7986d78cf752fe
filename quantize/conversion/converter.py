"""Converts a Keras network to a .tflite file, full-integer or float."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError
from edge.types import Gray
from quantize.conversion.activation_ranges import clip_ranges
from quantize.conversion.batchnorm_folding import folded
from quantize.conversion.equalization import equalize
from quantize.conversion.tta import TestTimeAugmentation
from quantize.tflite.shrink import share_zero_biases, shorten_names

PLAIN = TestTimeAugmentation()
_EVERY = 4  # ranges are equalized and clipped by every fourth calibration image


def to_int8(
    model: keras.Model,
    calibration: Gray,
    tta: TestTimeAugmentation = PLAIN,
    by_noise: bool = False,
    prepared: bool = False,
) -> bytes:
    """Converts to int8: weights per channel, uint8 pixels in, int8 logits out, no float tensor in between.

    Integer arithmetic follows Jacob et al. 2017 (arXiv:1712.05877), one weight scale for each output channel
    Krishnamoorthi 2018 (arXiv:1806.08342). Channels are brought to like range (`conversion.equalization`),
    and activation ranges are measured on the calibration images (`conversion.activation_ranges`).

    Args:
        model: network of `train.models.sepnet.build`.
        calibration: (N, size, size) uint8 crops. They must hold both pixel 0 and pixel 255, so that the scale
            of the input comes out as 1/128 with zero point 128, and a pixel is its own quantized value.
        tta: views of a crop that the file evaluates.
        by_noise: how channels are brought to like range, see `conversion.equalization.equalize`.
        prepared: whether the model comes from `prepare`; otherwise it is prepared first.

    Returns:
        The content of the file.

    Raises:
        ConfigError: the calibration images do not span all pixel values.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.util import modify_model_io_type

    if calibration.min() != 0 or calibration.max() != 255:
        raise ConfigError(
            f"calibration images span {calibration.min()} to {calibration.max()}, expected 0 to 255"
        )
    ready = model if prepared else prepare(model, calibration, tta, by_noise)
    converter = _converter(ready.get_layer("body"), tta)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _samples(model, calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    # Stops once the ranges are measured, so that they can be narrowed before rounding.
    converter._experimental_calibrate_only = True
    with warnings.catch_warnings():
        # It warns of missing statistics, which only the older conversion without calibration needs.
        warnings.filterwarnings("ignore", "Statistics for quantized inputs")
        calibrated = bytes(converter.convert())
    ranged = clip_ranges(calibrated, scale_pixels(model, calibration[::_EVERY]))
    content = modify_model_io_type(mlir_quantize(ranged), tf.uint8, tf.int8)
    return shorten_names(share_zero_biases(bytes(content)))


def to_float(
    model: keras.Model,
    tta: TestTimeAugmentation = PLAIN,
    calibration: Gray | None = None,
    by_noise: bool = False,
) -> bytes:
    """Converts to float32, input from -1 to 127/128, for comparison with int8.

    Args:
        model: network of `train.models.sepnet.build`.
        tta: views of a crop that the file evaluates.
        calibration: (N, size, size) uint8 crops; if given, the network is prepared as for int8, so that each
            tensor of the int8 file has a counterpart.
        by_noise: as for int8.

    Returns:
        The content of the file.
    """
    ready = model if calibration is None else prepare(model, calibration, tta, by_noise)
    return shorten_names(bytes(_converter(ready.get_layer("body"), tta).convert()))


def prepare(
    model: keras.Model, calibration: Gray, tta: TestTimeAugmentation = PLAIN, by_noise: bool = False
) -> keras.Model:
    """Returns the network in the form that is converted: without BatchNorm, its channels of like range.

    Args:
        model: network of `train.models.sepnet.build`; it is not changed.
        calibration: (N, size, size) uint8 crops, to measure ranges on.
        tta: views of a crop that the file evaluates.
        by_noise: how channels are brought to like range, see `conversion.equalization.equalize`.
    """
    body = folded(model.get_layer("body"))
    equalize(body, range_pixels(model, calibration, tta), by_noise)
    scale = model.get_layer("scale")
    pixels = keras.Input(model.input_shape[1:], name="pixels")
    scaled = keras.layers.Rescaling(scale.scale, scale.offset, name="scale")(pixels)
    return keras.Model(pixels, body(scaled), name=model.name)


def range_pixels(model: keras.Model, calibration: Gray, tta: TestTimeAugmentation) -> npt.NDArray[np.float32]:
    """Returns (M, size, size, 1) scaled pixels: all views of every fourth calibration image."""
    views = tta.views(calibration[::_EVERY])
    return np.concatenate([scale_pixels(model, view) for view in views])


def scale_pixels(model: keras.Model, images: Gray) -> npt.NDArray[np.float32]:
    """Scales (N, size, size) uint8 crops to the (N, size, size, 1) float32 input of the network's body.

    The values are from -1 to 127/128, unless the network standardizes pixels by its training set.
    """
    layer = model.get_layer("scale")
    return images[..., np.newaxis].astype(np.float32) * np.float32(layer.scale) + np.float32(layer.offset)


def _converter(body: keras.Model, tta: TestTimeAugmentation) -> Any:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            f"conversion needs Keras on TensorFlow, not {keras.backend.backend()}: unset KERAS_BACKEND"
        )
    # The body without the scaling in front: the quantized input itself has a scale and a zero point.
    shape = (1, *body.input_shape[1:])

    # A traced function with a fixed batch and frozen variables: converting the Keras object itself can leave
    # READ_VARIABLE operators in the graph, which fail during calibration.
    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name="pixels")])  # type: ignore[untyped-decorator]
    def logits(pixels: Any) -> Any:
        return tta.graph(body, pixels)

    frozen = convert_variables_to_constants_v2(logits.get_concrete_function())
    return tf.lite.TFLiteConverter.from_concrete_functions([frozen])


def _samples(model: keras.Model, calibration: Gray) -> Iterator[list[npt.NDArray[np.float32]]]:
    for sample in scale_pixels(model, calibration):
        yield [sample[np.newaxis]]
