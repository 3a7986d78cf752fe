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


def test_a_file_that_is_not_a_checkpoint_is_refused(tmp_path):
    for content in (None, b"no zip"):
        if content:
            (tmp_path / "x.keras").write_bytes(content)
        with pytest.raises(DataError, match=r"x\.keras: not a checkpoint of this package"):
            weights_digest(tmp_path / "x.keras")
