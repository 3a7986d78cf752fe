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
from quantize.conversion.activation_ranges import clip_ranges
from quantize.conversion.batchnorm_folding import folded
from quantize.conversion.equalization import equalize
from quantize.conversion.tta import TestTimeAugmentation
from quantize.tflite.shrink import share_zero_biases, shorten_names

PLAIN = TestTimeAugmentation()
_EVERY = 4  # of the calibration pictures measure ranges that are looked at more closely


def to_int8(
    model: keras.Model, calibration: Gray, tta: TestTimeAugmentation = PLAIN, prepared: bool = False
) -> bytes:
    """Full-integer conversion: weights per channel, uint8 pixels in, int8 logits out, no float in between.

    Integer arithmetic as in Jacob et al. 2017 (arXiv:1712.05877), one weight scale for each output channel
    as in Krishnamoorthi 2018 (arXiv:1806.08342), channels of like range (`conversion.equalization`),
    ranges of activations from the calibration pictures (`conversion.activation_ranges`).

    Args:
        model: of `train.models.sepnet.build`.
        calibration: (N, size, size) uint8; must hold both pixel 0 and pixel 255, so that the input's scale
            comes out as 1/128 with pixel 128 for zero, and a pixel is its own quantized value.
        tta: views of a crop that the file evaluates.
        prepared: whether the model is one of `prepare`; other ones are prepared first.

    Returns:
        The file's content.

    Raises:
        ConfigError: the calibration pictures do not span all pixel values.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.util import modify_model_io_type

    if calibration.min() != 0 or calibration.max() != 255:
        raise ConfigError(
            f"calibration pictures span {calibration.min()} to {calibration.max()}, expected 0 to 255"
        )
    ready = model if prepared else prepare(model, calibration, tta)
    converter = _converter(ready.get_layer("body"), tta)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _samples(model, calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    # Stops after the ranges are known, so that they can be drawn in before rounding.
    converter._experimental_calibrate_only = True
    with warnings.catch_warnings():
        # It misses statistics that only the older kind of conversion, without calibration pictures, needs.
        warnings.filterwarnings("ignore", "Statistics for quantized inputs")
        calibrated = bytes(converter.convert())
    ranged = clip_ranges(calibrated, scale_pixels(model, calibration[::_EVERY]))
    content = modify_model_io_type(mlir_quantize(ranged), tf.uint8, tf.int8)
    return shorten_names(share_zero_biases(bytes(content)))


def to_float(model: keras.Model, tta: TestTimeAugmentation = PLAIN, calibration: Gray | None = None) -> bytes:
    """The same network as float32 TFLite, input from -1 to 127/128: what int8 is compared with.

    Args:
        model: of `train.models.sepnet.build`.
        tta: views of a crop that the file evaluates.
        calibration: (N, size, size) uint8; with it, every tensor is the twin of the integer file's.
    """
    ready = model if calibration is None else prepare(model, calibration, tta)
    return shorten_names(bytes(_converter(ready.get_layer("body"), tta).convert()))


def prepare(model: keras.Model, calibration: Gray, tta: TestTimeAugmentation = PLAIN) -> keras.Model:
    """The same function without BatchNorm, its channels of like range: what is converted.

    Args:
        model: of `train.models.sepnet.build`; it stays as it is.
        calibration: (N, size, size) uint8, to measure ranges on.
        tta: views of a crop that the file evaluates.
    """
    body = folded(model.get_layer("body"))
    equalize(body, range_pixels(model, calibration, tta))
    scale = model.get_layer("scale")
    pixels = keras.Input(model.input_shape[1:], name="pixels")
    scaled = keras.layers.Rescaling(scale.scale, scale.offset, name="scale")(pixels)
    return keras.Model(pixels, body(scaled), name=model.name)


def range_pixels(model: keras.Model, calibration: Gray, tta: TestTimeAugmentation) -> npt.NDArray[np.float32]:
    """(M, size, size, 1): all views of every fourth calibration image, as the network proper reads them."""
    views = tta.views(calibration[::_EVERY])
    return np.concatenate([scale_pixels(model, view) for view in views])


def scale_pixels(model: keras.Model, images: Gray) -> npt.NDArray[np.float32]:
    """(N, size, size) uint8 as the network proper reads them: (N, size, size, 1) float32.

    That is -1 to 127/128, but for a network whose pixels were centred and scaled by its training set.
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
    # The network proper, without the scaling in front: the quantized input itself holds scale and zero point.
    shape = (1, *body.input_shape[1:])

    # A traced function with a fixed batch, its variables frozen: converting the Keras object itself can leave
    # READ_VARIABLE operators in the graph, which fail during calibration.
    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name="pixels")])  # type: ignore[untyped-decorator]
    def logits(pixels: Any) -> Any:
        return tta.graph(body, pixels)

    frozen = convert_variables_to_constants_v2(logits.get_concrete_function())
    return tf.lite.TFLiteConverter.from_concrete_functions([frozen])


def _samples(model: keras.Model, calibration: Gray) -> Iterator[list[npt.NDArray[np.float32]]]:
    for sample in scale_pixels(model, calibration):
        yield [sample[np.newaxis]]
