"""Compares pruning criteria: one network pruned by each of them to one size, with several seeds."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from edge.files import atomic_write
from quantize.pruning.importance import CRITERIA, Criterion
from quantize.pruning.plan import PruningPlan
from quantize.pruning.plots import save_criteria_png
from quantize.pruning.pruner import prune
from quantize.pruning.steps import PruningStep
from train.augment import plain_images
from train.data import Dataset
from train.evaluation.predictions import evaluate_model
from train.recipes.recipe import Recipe
from train.runs.lookup import load_checkpoint
from train.training.epochs import Checkpoints

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class PruningResult:
    """Result of one pruning.

    Attributes:
        criterion: its criterion.
        seed: its seed.
        steps: its steps in order, the unpruned network first.
        accuracy: accuracy of the final network on the validation split, 0 to 1.
        macro_f1: macro-F1 of the same, 0 to 1.
    """

    criterion: Criterion
    seed: int
    steps: tuple[PruningStep, ...]
    accuracy: float
    macro_f1: float


def plans_of(plan: PruningPlan, seeds: int) -> tuple[PruningPlan, ...]:
    """Returns the plan with every criterion and each of the seeds 1 to `seeds`.

    They are ordered by seed, so that a comparison that is stopped early has all criteria.
    """
    return tuple(
        replace(plan, criterion=criterion, seed=seed)
        for seed in range(1, seeds + 1)
        for criterion in CRITERIA
    )


def compare_criteria(
    recipe: Recipe, plans: Sequence[PruningPlan], data: Dataset, folder: Path, sources: Checkpoints
) -> tuple[PruningResult, ...]:
    """Prunes by every plan and writes `criteria.png` and `criteria.md`. Finished prunings are not repeated.

    Args:
        recipe: recipe of the trained network.
        plans: plans that differ in criterion and seed only.
        data: dataset with "train" and "val" splits, boxes located.
        folder: where a run for each pruning, and the results, are written.
        sources: see `quantize.pruning.pruner.prune`.

    Raises:
        ConfigError, DataError: see `quantize.pruning.pruner.prune`.
        OutputError: the results cannot be written.
    """
    results = [_prune(recipe, plan, data, folder, sources) for plan in plans]
    runs: dict[str, list[tuple[tuple[PruningStep, ...], float]]] = {
        criterion: [(each.steps, each.accuracy) for each in results if each.criterion == criterion]
        for criterion in CRITERIA
    }
    save_criteria_png(runs, folder / "criteria.png", f"{recipe.name}, {plans[0].share:.0%} a step")
    atomic_write(folder / "criteria.md", partial(_write, _table(plans[0], results)))
    return tuple(results)


def _prune(
    recipe: Recipe, plan: PruningPlan, data: Dataset, folder: Path, sources: Checkpoints
) -> PruningResult:
    run = folder / f"{recipe.name}-{plan.criterion}-{plan.seed}"
    steps = prune(recipe, plan, data, run, sources)
    rows = data.part("val")
    crops = np.asarray(plain_images(rows, recipe.crop)[..., np.newaxis])
    evaluation = evaluate_model(load_checkpoint(run), crops, rows, "val")
    logger.info("%s: %.2f %%", run.name, 100 * evaluation.accuracy)
    return PruningResult(plan.criterion, plan.seed, steps, evaluation.accuracy, evaluation.macro_f1)


def _table(plan: PruningPlan, results: Sequence[PruningResult]) -> str:
    lines = [
        f"Pruned to at most {plan.target:,} parameters, {plan.share:.0%} a step. Epochs of training after "
        f"each step: {plan.tuning}, after the last: {plan.epochs}. Accuracy in float on validation images.",
        "",
        "| criterion | seed | parameters | after the last step | after training | macro-F1 | widths |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in sorted(results, key=lambda one: (CRITERIA.index(one.criterion), one.seed)):
        last = each.steps[-1]
        numbers = f"{last.parameters:,} | {last.after:.2%} | {each.accuracy:.2%} | {each.macro_f1:.3f}"
        lines.append(f"| {each.criterion} | {each.seed} | {numbers} | {last.widths} |")
    return "\n".join([*lines, ""])


def _write(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
