"""Labels that are predicted too rarely are predicted as often as they occur."""

import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from quantize.conversion.logit_adjustment import add_offsets, label_offsets  # noqa: E402


@pytest.fixture
def predictions():
    """(5000, 4) noisy logits that favour label 0, and labels of which label 3 is rare."""
    random = np.random.default_rng(0)
    labels = random.choice(4, 5000, p=[0.4, 0.3, 0.25, 0.05])
    logits = random.normal(size=(5000, 4)) + 2 * np.eye(4)[labels] + [1.5, 0, 0, -1.5]
    return logits.astype(np.float32), labels


def frequencies(values):
    return np.bincount(values, minlength=4) / len(values)


def test_at_a_share_of_1_each_label_is_predicted_as_often_as_it_occurs(predictions):
    logits, labels = predictions
    assert abs(frequencies(logits.argmax(axis=1)) - frequencies(labels)).max() > 0.2
    offsets = label_offsets(logits, labels, 1.0)
    np.testing.assert_allclose(
        frequencies((logits + offsets).argmax(axis=1)), frequencies(labels), atol=0.005
    )
    assert offsets.mean() == pytest.approx(0, abs=1e-6)
    right = [((logits + shift).argmax(axis=1) == labels).mean() for shift in (0, offsets)]
    assert right[1] > right[0] + 0.1


def test_the_share_is_how_far_the_frequencies_move(predictions):
    logits, labels = predictions
    none, half, whole = (label_offsets(logits, labels, share) for share in (0.0, 0.5, 1.0))
    np.testing.assert_allclose(none, 0, atol=1e-6)
    assert none[3] < half[3] < whole[3]
    assert none[0] > half[0] > whole[0]


def test_a_label_that_is_never_predicted_is_predicted_then():
    random = np.random.default_rng(1)
    labels = random.choice(2, 1000, p=[0.9, 0.1])
    logits = np.stack([np.full(1000, 5.0), labels + random.normal(0, 0.3, 1000)], axis=1).astype(np.float32)
    offsets = label_offsets(logits, labels, 1.0)
    assert ((logits + offsets).argmax(axis=1) == labels).mean() > 0.9


def test_a_share_above_1_is_refused(predictions):
    logits, labels = predictions
    with pytest.raises(ConfigError, match=r"a share of 1\.5 .* expected 0 to 1"):
        label_offsets(logits, labels, 1.5)


def test_offsets_are_added_to_the_networks_logits(toy_recipe):
    from train.models.sepnet import build

    model = build(toy_recipe.spec)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 1), dtype=np.uint8)
    before = model.predict(pixels, verbose=0)
    offsets = np.linspace(-1, 1, 7).astype(np.float32)
    add_offsets(model, offsets)
    np.testing.assert_allclose(model.predict(pixels, verbose=0), before + offsets, atol=1e-5)
