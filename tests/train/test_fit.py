"""Training on a toy set: it learns, resumes to the same weights, and refuses what does not belong to it."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

import keras  # noqa: E402

from train.fit import fit  # noqa: E402


def weights_of(model):
    return [np.asarray(weight) for weight in model.weights]


class Interrupt(logging.Handler):
    """Ctrl-C right after an epoch was logged."""

    def emit(self, record):
        if "toy 2/4" in record.getMessage():
            raise KeyboardInterrupt


def test_learns_and_a_broken_run_resumes_to_the_same_weights(toy, toy_recipe, tmp_path):
    logging.getLogger("train.fit").setLevel(logging.INFO)
    whole = fit(toy_recipe, toy, tmp_path / "whole")
    log = (tmp_path / "whole" / "log.csv").read_text().splitlines()
    assert len(log) == 5
    assert max(float(line.split(",")[4]) for line in log[1:]) > 0.9

    handler = Interrupt()
    logging.getLogger("train.fit").addHandler(handler)
    with pytest.raises(KeyboardInterrupt):
        fit(toy_recipe, toy, tmp_path / "broken")
    logging.getLogger("train.fit").removeHandler(handler)
    assert len((tmp_path / "broken" / "log.csv").read_text().splitlines()) == 3
    # A line of an epoch whose checkpoint was never written: the process died in between.
    with (tmp_path / "broken" / "log.csv").open("a") as text:
        text.write("3,0,0,0,1.0,0,0\n")
    resumed = fit(toy_recipe, toy, tmp_path / "broken")
    assert [
        line.rsplit(",", 1)[0] for line in (tmp_path / "broken" / "log.csv").read_text().splitlines()
    ] == [line.rsplit(",", 1)[0] for line in log]
    for left, right in zip(weights_of(whole), weights_of(resumed), strict=True):
        np.testing.assert_array_equal(left, right)

    # A finished run is left as it is.
    before = (tmp_path / "whole" / "best.keras").stat().st_mtime_ns
    fit(toy_recipe, toy, tmp_path / "whole")
    assert (tmp_path / "whole" / "best.keras").stat().st_mtime_ns == before

    with pytest.raises(ConfigError, match="holds a run with another recipe"):
        fit(replace(toy_recipe, seed=2), toy, tmp_path / "whole")
    spoilt = replace(toy, labels=(toy.labels + 1) % 7)
    with pytest.raises(ConfigError, match="holds a run with another data"):
        fit(toy_recipe, spoilt, tmp_path / "whole")
    held = json.loads((tmp_path / "whole" / "run.json").read_text())
    assert held["recipe"]["spec"]["stem"] == 6
    assert held["data"]["fingerprint"] == toy.fingerprint()


def test_goes_on_from_another_runs_weights(toy, toy_recipe, tmp_path):
    first = fit(replace(toy_recipe, epochs=2), toy, tmp_path / "first")
    later = replace(toy_recipe, epochs=1, learning_rate=1e-9, seed=5)
    model = fit(later, toy, tmp_path / "later", tmp_path / "first" / "best.keras")
    for left, right, variable in zip(weights_of(first), weights_of(model), model.weights, strict=True):
        if not variable.path.endswith(("moving_mean", "moving_variance")):
            np.testing.assert_allclose(left, right, atol=1e-5)
    with pytest.raises(ConfigError, match="holds a run with another start"):
        fit(later, toy, tmp_path / "later")
    other = replace(later, spec=replace(later.spec, stem=7))
    with pytest.raises(ConfigError, match="no checkpoint of this spec to start from"):
        fit(other, toy, tmp_path / "other", tmp_path / "first" / "best.keras")


def test_checkpoints_without_their_run_are_not_touched(toy, toy_recipe, tmp_path):
    (tmp_path / "best.keras").write_bytes(b"somebody's")
    with pytest.raises(ConfigError, match=r"holds checkpoints but no run\.json"):
        fit(toy_recipe, toy, tmp_path)
    assert (tmp_path / "best.keras").read_bytes() == b"somebody's"


@pytest.mark.parametrize("change", [{"epochs": 0}, {"batch_size": 0}])
def test_impossible_recipes_are_refused(toy_recipe, change):
    with pytest.raises(ConfigError, match="must be at least 1"):
        replace(toy_recipe, **change)


def test_a_model_survives_saving(toy_recipe, tmp_path):
    from train.model import build

    model = build(toy_recipe.spec)
    model.save(tmp_path / "a.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 1), dtype=np.uint8)
    again = keras.models.load_model(tmp_path / "a.keras")
    np.testing.assert_array_equal(model.predict(pixels, verbose=0), again.predict(pixels, verbose=0))
