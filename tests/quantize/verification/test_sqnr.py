"""Each tensor of an int8 file is near its float counterpart, and a badly quantized one stands out."""

import numpy as np
import pytest

from edge.errors import ModelError

pytestmark = pytest.mark.train

from quantize.conversion.converter import to_float, to_int8  # noqa: E402
from quantize.conversion.tta import TestTimeAugmentation  # noqa: E402
from quantize.verification.sqnr import noise_table, tensor_sqnr  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.models.spec import NetSpec, Stage  # noqa: E402

SPEC = NetSpec(stem=6, stages=(Stage(8, 2, repeats=2),), head=4, classes=7, size=16)


@pytest.fixture(scope="module")
def net():
    import keras

    keras.utils.set_random_seed(2)
    return build(SPEC)


@pytest.fixture(scope="module")
def faces():
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16), dtype=np.uint8)
    images[0, 0, :2] = 0, 255
    return images


def test_every_tensor_is_near_its_counterpart_in_the_order_of_computation(net, faces):
    rows = tensor_sqnr(to_int8(net, faces), to_float(net, calibration=faces), faces[:10])
    assert len(rows) > 10
    assert "stem" in rows[0].name
    assert rows[-1].shape == (7,)
    assert min(row.decibels for row in rows) > 15
    assert max(row.clipped for row in rows) < 0.2


def test_a_file_of_several_views_is_compared_throughout(net, faces):
    tta = TestTimeAugmentation(mirror=True)
    rows = tensor_sqnr(to_int8(net, faces, tta), to_float(net, tta, faces), faces[:10])
    assert {(8, 8, 6), (4, 4, 8), (7,)} <= {row.shape for row in rows}, [row.shape for row in rows]
    assert min(row.decibels for row in rows) > 15


def test_ranges_of_other_images_add_noise_and_clip(net, faces):
    dim = (faces // 16 + 120).astype(np.uint8)
    dim[0, 0, :2] = 0, 255
    good, bad = (
        tensor_sqnr(to_int8(net, each), to_float(net, calibration=each), faces[:10]) for each in (faces, dim)
    )
    assert np.median([row.decibels for row in bad]) < np.median([row.decibels for row in good]) - 5
    assert max(row.clipped for row in bad) > 0.02
    assert noise_table(bad).count("!") == 3


def test_the_file_of_another_network_is_refused(net, faces):
    import keras

    pixels = keras.Input((16, 16, 1))
    inside = keras.Input((16, 16, 1))
    logits = keras.layers.Dense(7, name="other")(keras.layers.Flatten(name="flat")(inside))
    body = keras.Model(inside, logits, name="body")
    other = keras.Model(pixels, body(keras.layers.Rescaling(1 / 128, -1.0, name="scale")(pixels)))
    with pytest.raises(ModelError, match="of another network"):
        tensor_sqnr(to_int8(net, faces), to_float(other), faces[:2])
