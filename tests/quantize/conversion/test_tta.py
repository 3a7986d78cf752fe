"""Views of a crop: an int8 file evaluates the same ones as the float network, without more parameters."""

import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from quantize.conversion.converter import to_int8  # noqa: E402
from quantize.conversion.tta import TestTimeAugmentation  # noqa: E402
from quantize.tflite.inspect import read_contents  # noqa: E402
from tests.support.int8 import int8_logits  # noqa: E402
from train.evaluation.predictions import predict  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.models.spec import NetSpec, Stage  # noqa: E402


@pytest.fixture(scope="module")
def net():
    import keras

    keras.utils.set_random_seed(4)
    model = build(NetSpec(stem=6, stages=(Stage(8, 1),), head=4, classes=5, size=16))
    logits = model.get_layer("body").get_layer("logits")
    logits.set_weights([logits.get_weights()[0] * 20, logits.get_weights()[1]])
    return model


@pytest.fixture(scope="module")
def faces():
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 4), dtype=np.uint8)
    images = images.repeat(4, axis=1).repeat(4, axis=2)  # large patches are still there when enlarged
    images[0, 0, :2] = 0, 255
    return images


def test_views_are_the_crop_its_middle_and_their_mirror_images(faces):
    whole, middle, mirrored, both = TestTimeAugmentation(True, (12,)).views(faces)
    np.testing.assert_array_equal(whole, faces)
    np.testing.assert_array_equal(mirrored, faces[:, :, ::-1])
    np.testing.assert_array_equal(both, middle[:, :, ::-1])
    np.testing.assert_array_equal(middle[:, 0, 0], faces[:, 2, 2])
    np.testing.assert_array_equal(middle[:, -1, -1], faces[:, -3, -3])
    (plain,) = TestTimeAugmentation().views(faces)
    np.testing.assert_array_equal(plain, faces)


@pytest.mark.parametrize(
    "tta",
    [
        TestTimeAugmentation(),
        TestTimeAugmentation(True),
        TestTimeAugmentation(False, (12,)),
        TestTimeAugmentation(True, (12, 14)),
    ],
)
def test_the_file_evaluates_the_same_views(net, faces, tta):
    content = to_int8(net, faces, tta)
    contents = read_contents(content)
    assert contents.float_tensors == ()
    plain = read_contents(to_int8(net, faces))
    # Constants of the zooms' slices and sizes, no weights.
    assert contents.parameters <= plain.parameters + 4 + 15 * len(tta.zooms)
    expected = tta.predict(net, faces[:12])
    np.testing.assert_allclose(int8_logits(content, faces[:12]), expected, atol=0.06 * np.ptp(expected))


def test_logits_are_the_mean_over_all_views(net, faces):
    tta = TestTimeAugmentation(True, (12,))
    each = [predict(net, view[..., np.newaxis]) for view in tta.views(faces)]
    np.testing.assert_allclose(tta.predict(net, faces), sum(each) / 4, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("zoom", [16, 13, 6])
def test_zooms_that_a_crop_does_not_have_are_refused(faces, zoom):
    with pytest.raises(
        ConfigError, match=rf"a zoom to {zoom} pixels of 16; expected an even number from 8 to 14"
    ):
        TestTimeAugmentation(zooms=(zoom,)).views(faces)


def test_views_are_described_in_words():
    assert (
        str(TestTimeAugmentation(True, (44,)))
        == "the crop and its middle 44 pixels, also mirrored; the mean of all"
    )
    assert str(TestTimeAugmentation()) == "the crop"
