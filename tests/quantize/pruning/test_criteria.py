"""Criteria are compared on one network, at one size."""

import pytest

pytestmark = pytest.mark.train

from quantize.pruning.criteria import compare_criteria, plans_of  # noqa: E402
from tests.support.pruning import TARGET, small_plan  # noqa: E402


def test_every_criterion_is_tried_with_each_seed_and_seed_by_seed():
    plans = plans_of(small_plan(), 2)
    assert [(plan.seed, plan.criterion) for plan in plans] == [
        (seed, criterion) for seed in (1, 2) for criterion in ("taylor", "magnitude", "random")
    ]


def test_all_criteria_reach_the_size_and_stand_in_the_table(toy, parent, tmp_path, monkeypatch):
    # Two seeds of one criterion are enough to see their order in the table.
    plans = [
        plan
        for plan in plans_of(small_plan(share=0.4, epochs=1), 2)
        if plan.seed == 1 or plan.criterion == "random"
    ]
    results = compare_criteria(parent.recipe, plans, toy, tmp_path, parent.sources)
    assert [(each.criterion, each.seed) for each in results] == [
        (plan.criterion, plan.seed) for plan in plans
    ]
    assert all(400 < each.steps[-1].parameters <= TARGET for each in results)
    assert len({each.steps[-1].widths for each in results}) > 1
    lines = (tmp_path / "criteria.md").read_text().splitlines()
    assert [line.split(" | ")[:2] for line in lines[4:]] == [
        ["| taylor", "1"],
        ["| magnitude", "1"],
        ["| random", "1"],
        ["| random", "2"],
    ]
    assert f"{results[0].accuracy:.2%}" in lines[4]
    assert (tmp_path / "criteria.png").stat().st_size > 5_000
    monkeypatch.setattr("quantize.pruning.pruner.taylor_importance", None)  # nothing is done twice
    assert compare_criteria(parent.recipe, plans, toy, tmp_path, parent.sources) == results
