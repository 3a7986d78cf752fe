"""Searches cost the same, what they find is trained equally, and nothing is done twice."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from quantize.search.comparison import compare_searches  # noqa: E402
from quantize.search.gate_training import GateSettings  # noqa: E402
from quantize.search.plan import METHODS, SearchPlan  # noqa: E402
from quantize.search.searches import Search, kl_divergence  # noqa: E402
from quantize.search.structure import StageShape  # noqa: E402
from tests.support.gated import WIDEST  # noqa: E402
from train.models.spec import NetSpec, Stage, spec_from_dict  # noqa: E402
from train.training.epochs import Checkpoints  # noqa: E402

PLAN = SearchPlan(
    target=600,
    seeds=1,
    search_epochs=2,
    draws=2,
    epochs=1,
    # The fewer blocks, the faster TensorFlow traces the network.
    widest=replace(WIDEST, stages=(StageShape(8, 1, True, 0, 1), StageShape(11, 2, True, 1, 0))),
    parent=NetSpec(6, (Stage(10, 2),), 5, 7, 16),
    gates=GateSettings(rate=0.2, multiplier_rate=0.1),
    batches=4,
    sample=64,
)


@pytest.fixture(scope="module")
def recipe(toy_recipe):
    return replace(toy_recipe, name="searched", teachers=("toy",), teaching=0.9, views=2, optimizer="muon")


@pytest.fixture(scope="module")
def compared(recipe, toy, toy_run, tmp_path_factory):
    """The folder of a small comparison, its sources and its cells."""
    folder = tmp_path_factory.mktemp("searches")
    sources = Checkpoints(None, {"toy": toy_run / "best.keras"}, folder / "cache")
    return folder / "out", sources, compare_searches(recipe, PLAN, toy, folder / "out", sources)


def test_every_search_is_tried_with_inherited_and_new_weights(compared):
    folder, _, cells = compared
    assert [(each.method, each.weights) for each in cells] == [
        (method, weights) for method in METHODS for weights in ("inherited", "anew")
    ]
    for inherited, anew in zip(cells[::2], cells[1::2], strict=True):
        assert inherited.structure == anew.structure
        assert inherited.kl != anew.kl
        assert 300 < inherited.parameters <= 600
        for cell in (inherited, anew):
            run = folder / f"{cell.method}-{cell.weights}-1"
            settings = json.loads((run / "run.json").read_text())
            assert ("start" in settings["sources"]) == (cell.weights == "inherited")
            assert settings["recipe"]["epochs"] == 1
            spec = spec_from_dict(settings["recipe"]["spec"])
            assert isinstance(spec, NetSpec) and spec.stored_parameters() == cell.parameters


def test_all_searches_cost_about_the_same(compared):
    costs = {each.method: each.search_cost for each in compared[2]}
    assert costs["random"] == pytest.approx(costs["gates"], rel=0.1)
    # A step of pruning takes whole epochs.
    assert costs["taylor"] == pytest.approx(costs["gates"], rel=0.6)
    assert costs["random"] <= costs["gates"]


def test_table_and_plot_hold_every_training(compared):
    folder, _, cells = compared
    with (folder / "table.csv").open() as text:
        rows = list(csv.DictReader(text))
    assert [(row["method"], row["weights"], row["accuracy"]) for row in rows] == [
        (each.method, each.weights, str(each.accuracy)) for each in cells
    ]
    text = (folder / "table.md").read_text()
    assert f"| gates | inherited | {cells[0].kl:.3f} ({cells[0].kl:.3f}) |" in text
    assert f"| taylor | 1 | {cells[4].parameters} |" in text
    assert (folder / "searches.png").stat().st_size > 5_000


def test_what_is_finished_is_not_done_again(compared, recipe, toy, monkeypatch):
    folder, sources, cells = compared
    for name in ("searches.train_gates", "searches.Trainer", "comparison.evaluate_logits"):
        monkeypatch.setattr(f"quantize.search.{name}", None)
    monkeypatch.setattr("quantize.pruning.pruner.taylor_importance", None)
    before = (folder / "gates-anew-1" / "final.keras").stat().st_mtime_ns
    assert compare_searches(recipe, PLAN, toy, folder, sources) == cells
    assert (folder / "gates-anew-1" / "final.keras").stat().st_mtime_ns == before


def test_an_interrupted_search_goes_on_with_the_next_draw(compared, recipe, toy, monkeypatch):
    folder, sources, _ = compared
    search = Search(recipe, PLAN, toy, sources, folder)
    found = search.run("random", 1)
    (folder / "search-random-1" / "found.json").unlink()
    (folder / "search-random-1" / "draw-1" / "found.json").unlink()
    trained = []
    train = Search._train

    def noted(self, spec, seed, steps):
        trained.append(seed)
        return train(self, spec, seed, steps)

    monkeypatch.setattr(Search, "_train", noted)
    assert search.run("random", 1) == found
    assert trained == [101]


def test_a_folder_of_another_plan_is_refused(compared, recipe, toy):
    folder, sources, _ = compared
    with pytest.raises(ConfigError, match="another plan"):
        compare_searches(recipe, replace(PLAN, epochs=3), toy, folder, sources)


def test_networks_without_teachers_cannot_be_compared(toy, toy_recipe, tmp_path):
    with pytest.raises(ConfigError, match="toy has no teachers"):
        compare_searches(toy_recipe, PLAN, toy, tmp_path, Checkpoints())


def test_a_plan_needs_at_least_one_of_everything():
    with pytest.raises(ConfigError, match="draws 0: expected at least 1"):
        SearchPlan(draws=0)


def test_the_divergence_is_0_for_the_teachers_own_scores():
    scores = np.array([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0]], np.float32)
    logits = np.log(np.maximum(scores, 1e-30)) + np.array([[3.0], [-500.0]], np.float32)
    assert kl_divergence(logits.astype(np.float32), scores) == pytest.approx(0, abs=1e-6)
    flat = np.zeros((2, 3), np.float32)
    entropy = -(0.7 * np.log(0.7) + 0.2 * np.log(0.2) + 0.1 * np.log(0.1))
    assert kl_divergence(flat, scores) == pytest.approx(np.log(3) - entropy / 2)
