"""What is converted is full-integer, and does what the float network does."""

import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from quantize.conversion.converter import scale_pixels, to_float, to_int8  # noqa: E402
from quantize.conversion.tta import TestTimeAugmentation  # noqa: E402
from quantize.tflite.inspect import read_contents  # noqa: E402
from tests.support.int8 import int8_logits  # noqa: E402
from train.runs.lookup import load_checkpoint  # noqa: E402


@pytest.fixture(scope="module")
def model(run):
    return load_checkpoint(run)


@pytest.fixture(scope="module")
def plain(model, toy):
    """The int8 file of the model, without test-time augmentation."""
    return to_int8(model, toy.images[:70])


def test_an_int8_file_has_no_float_tensor_and_the_parameters_of_its_spec(model, plain, toy_recipe):
    contents = read_contents(plain)
    assert contents.float_tensors == ()
    assert contents.per_channel > 4
    assert contents.size_bytes == len(plain)
    assert contents.parameters == toy_recipe.spec.stored_parameters()
    assert "CONV_2D" in contents.operators
    assert read_contents(to_float(model)).float_tensors != ()


def test_calibration_must_span_all_pixels(model, toy):
    with pytest.raises(ConfigError, match="span 0 to 200, expected 0 to 255"):
        to_int8(model, np.minimum(toy.images[:10], 200))


def test_pixels_are_scaled_to_what_int8_holds(model):
    pixels = np.array([[[0, 128, 255]]], dtype=np.uint8)
    np.testing.assert_array_equal(scale_pixels(model, pixels)[..., 0], [[[-1, 0, 127 / 128]]])


def test_a_mirrored_file_has_the_same_outputs_for_an_image_and_its_mirror_image(model, plain, toy):
    mirrored = to_int8(model, toy.images[:70], TestTimeAugmentation(mirror=True))
    assert read_contents(mirrored).float_tensors == ()
    assert read_contents(mirrored).operators["REVERSE_V2"] == 1
    images = toy.images[:20]
    one, other = (int8_logits(plain, each) for each in (images, images[:, :, ::-1]))
    both, both_mirrored = (int8_logits(mirrored, each) for each in (images, images[:, :, ::-1]))
    np.testing.assert_array_equal(both, both_mirrored)
    assert (one != other).any(axis=1).all()
    np.testing.assert_allclose(both, (one + other) / 2, atol=0.3)
