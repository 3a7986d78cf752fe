"""The digest of a network depends on its weights alone."""

import numpy as np
import pytest

from edge.errors import DataError

pytestmark = pytest.mark.train

import keras  # noqa: E402

from train.models.sepnet import build  # noqa: E402
from train.models.weights_hash import weights_digest  # noqa: E402


def test_the_digest_depends_on_weights_and_not_on_date_or_optimizer(toy_recipe, tmp_path):
    model = build(toy_recipe.spec)
    names = [tmp_path / f"{name}.keras" for name in ("plain", "trained", "moved")]
    model.save(names[0])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(names[1])
    assert names[0].read_bytes() != names[1].read_bytes()
    weights = model.get_weights()
    weights[-1][3] = np.nextafter(weights[-1][3], np.float32(1))
    model.set_weights(weights)
    model.save(names[2])
    plain, trained, moved = map(weights_digest, names)
    assert plain == trained != moved
    again = tmp_path / "again.keras"
    keras.models.load_model(names[0]).save(again)
    assert weights_digest(again) == plain


def saved(path, *layers):
    """A checkpoint of a network whose weights count up from 0."""
    model = keras.Sequential(layers)
    model.set_weights([np.arange(weight.size).reshape(weight.shape) for weight in model.get_weights()])
    model.save(path)
    return path


def test_equal_numbers_in_other_shapes_are_other_weights(tmp_path):
    narrow = saved(tmp_path / "a.keras", keras.Input((1,)), keras.layers.Dense(4, use_bias=False))
    square = saved(tmp_path / "b.keras", keras.Input((2,)), keras.layers.Dense(2, use_bias=False))
    assert weights_digest(narrow) != weights_digest(square)


def test_digests_are_those_of_earlier_versions(tmp_path):
    # The run.json of a run stores those of the checkpoints that it builds on.
    path = saved(tmp_path / "a.keras", keras.Input((2,)), keras.layers.Dense(3))
    assert weights_digest(path) == "fcaef85aa4a50cfdbcf766e4e5ef27b77615483e034da391de576c65926d3ca9"


def test_a_file_that_is_not_a_checkpoint_is_refused(tmp_path):
    for content in (None, b"no zip"):
        if content:
            (tmp_path / "x.keras").write_bytes(content)
        with pytest.raises(DataError, match=r"x\.keras: not a checkpoint of this package"):
            weights_digest(tmp_path / "x.keras")
