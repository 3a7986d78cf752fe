"""Activation ranges are where rounding costs least."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

from edge.inference.interpreter import open_interpreter  # noqa: E402
from quantize.conversion import converter  # noqa: E402
from quantize.conversion.activation_ranges import mse_range  # noqa: E402
from quantize.verification.sqnr import tensor_sqnr  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.models.spec import NetSpec, Stage  # noqa: E402

SPEC = NetSpec(stem=6, stages=(Stage(8, 2, repeats=2),), head=4, classes=7, size=16)


def loss(values, low, high):
    step = (high - low) / 255
    zero = np.round(-low / step)
    return np.mean(((np.clip(np.round(values / step) + zero, 0, 255) - zero) * step - values) ** 2)


def test_even_values_keep_their_range():
    values = np.linspace(-3, 5, 10_000, dtype=np.float32)
    low, high = mse_range(values, -3.0, 5.0)
    assert low == pytest.approx(-3, rel=0.03)
    assert high == pytest.approx(5, rel=0.03)


def test_a_rare_extreme_is_clipped_on_its_side_only():
    values = np.concatenate([np.random.default_rng(0).uniform(-1, 1, 1_000_000), [2.0]])
    low, high = mse_range(values, -1.0, 2.0)
    assert low == pytest.approx(-1, rel=0.05)
    assert high == pytest.approx(1, rel=0.1)
    assert loss(values, low, high) < 0.6 * loss(values, -1.0, 2.0)


@pytest.mark.parametrize(("low", "high"), [(0.0, 4.0), (-4.0, 0.0), (0.0, 0.0)])
def test_zero_stays_within(low, high):
    values = np.random.default_rng(0).normal(0, 1, 5000).clip(low, high)
    narrow_low, narrow_high = mse_range(values, low, high)
    assert low <= narrow_low <= 0 <= narrow_high <= high


@pytest.fixture(scope="module")
def net():
    import keras

    keras.utils.set_random_seed(2)
    return build(SPEC)


@pytest.fixture(scope="module")
def faces():
    images = np.random.default_rng(0).integers(100, 150, (80, 16, 16), dtype=np.uint8)
    images[:, 0, :2] = 0, 255
    images[3] = np.where(np.indices((16, 16)).sum(axis=0) % 2, 255, 0)  # an outlier
    return images


def test_the_usual_image_is_computed_more_precisely(net, faces, monkeypatch):
    unrounded = converter.to_float(net, calibration=faces)
    fine = tensor_sqnr(converter.to_int8(net, faces), unrounded, faces[10:30])
    monkeypatch.setattr(converter, "clip_ranges", lambda content, pixels: content)
    coarse = tensor_sqnr(converter.to_int8(net, faces), unrounded, faces[10:30])
    assert np.median([row.decibels for row in fine]) > np.median([row.decibels for row in coarse]) + 1


def test_a_pixel_is_still_its_own_quantized_value(net, faces):
    (pixels,) = open_interpreter(converter.to_int8(net, faces)).get_input_details()
    assert pixels["quantization"] == (1 / 128, 128)
    assert pixels["dtype"] is np.uint8
