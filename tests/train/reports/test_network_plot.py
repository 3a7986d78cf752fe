"""The drawing of a network's layers."""

import json

import cv2
import pytest

pytestmark = pytest.mark.train

from train.models.complexity import layer_costs  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.recipes.registry import RECIPES  # noqa: E402
from train.reports.network_plot import layer_rows, save_network_png  # noqa: E402


def test_rows_hold_all_parameters_and_multiplications_of_the_network():
    costs = layer_costs(build(RECIPES["gender"].spec).get_layer("body"))
    rows = layer_rows(costs)
    assert sum(row.parameters for row in rows) == sum(cost.parameters for cost in costs)
    assert sum(row.multiply_accumulates for row in rows) == sum(cost.multiply_accumulates for cost in costs)
    assert rows[0].name == "stem"
    assert rows[0].shape == (24, 24, 12)
    assert rows[0].parameters == 300 + 48  # its weights, and those of the normalization behind it
    repeated = [row for row in rows if row.name == "stage1_repeated_pointwise"]
    assert [row.is_repeated for row in repeated] == [False, True, True, True]
    assert [row.parameters > 0 for row in repeated] == [True, False, False, False]


def test_a_layer_more_makes_the_drawing_taller(tmp_path):
    heights = []
    for name in ("tang", "gender"):
        settings = {"recipe": {"spec": json.loads(json.dumps(RECIPES[name].to_dict()["spec"]))}}
        save_network_png(settings, tmp_path / f"{name}.png", name)
        heights.append(cv2.imread(str(tmp_path / f"{name}.png")).shape[0])
    assert 200 < heights[0] < heights[1]


def test_settings_without_a_spec_have_no_drawing(tmp_path):
    save_network_png({}, tmp_path / "a.png", "a")
    assert not (tmp_path / "a.png").exists()
