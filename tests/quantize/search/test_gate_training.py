"""Gates come to the size that they are trained for."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

from quantize.search.extraction import read_structure, round_gates  # noqa: E402
from quantize.search.gate_training import (  # noqa: E402
    GateBudget,
    GateSettings,
    first_steps,
    train_gates,
)
from quantize.search.gates import open_probability  # noqa: E402
from quantize.search.structure import stored_parameters  # noqa: E402
from tests.support.gated import LAYOUT, WIDEST  # noqa: E402
from train.training.trainer import Epoch  # noqa: E402


def _epochs(toy, count):
    rows = toy.part("train")
    targets = np.eye(7, dtype=np.float32)[rows.labels]
    return [Epoch(number, rows.images[..., np.newaxis], targets, None, 30) for number in range(count)]


def test_the_price_falls_to_the_target_while_the_network_learns(toy, toy_recipe):
    settings = GateSettings(0.1, waiting=0.1, arrival=0.5, log_steps=20)
    budget = GateBudget(240, 900)
    trained = train_gates(toy_recipe, LAYOUT, _epochs(toy, 18), budget, settings)
    probabilities = np.asarray(open_probability(trained.log_alpha))[np.newaxis]
    assert float(stored_parameters(LAYOUT.split(probabilities), WIDEST)) == pytest.approx(900, rel=0.15)
    left = read_structure(LAYOUT, round_gates(LAYOUT, trained.log_alpha, 900)).spec.stored_parameters()
    assert 700 < left <= 900
    first, last = trained.log[0], trained.log[-1]
    assert (first["step"], last["step"]) == (20, 240)
    assert last["loss"] < first["loss"] - 0.3
    assert last["allowed"] == 900 < first["price"]


def test_a_part_of_an_epoch_is_trained_where_the_steps_end(toy):
    parts = list(first_steps(_epochs(toy, 3), 17))
    assert [len(part.images) for part in parts] == [420, 90]
    assert len(parts[1].targets) == 90
    assert [len(part.images) for part in first_steps(_epochs(toy, 3), 28)] == [420, 420]
