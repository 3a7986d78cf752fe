"""Which criterion is worth its trouble: one network pruned by each to one size, with several seeds."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from edge.files import atomic_write
from quantize.pruning.importance import CRITERIA, Criterion
from quantize.pruning.plots import save_criteria_png
from quantize.pruning.pruner import PruningPlan, PruningStep, prune
from train.augment import plain_images
from train.data import Dataset
from train.evaluation.predictions import evaluate_model
from train.recipes.recipe import Recipe
from train.runs.lookup import load_checkpoint
from train.training.epochs import Checkpoints

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pruned:
    """What one pruning came to.

    Attributes:
        criterion: by which it was done.
        seed: of it.
        steps: in order, the uncut network first.
        accuracy: of the last network on the validation split, 0 to 1.
        macro_f1: likewise.
    """

    criterion: Criterion
    seed: int
    steps: tuple[PruningStep, ...]
    accuracy: float
    macro_f1: float


def plans_of(plan: PruningPlan, seeds: int) -> tuple[PruningPlan, ...]:
    """The plan with every criterion and each of so many seeds.

    Seed by seed, so that a comparison that is stopped early is one of all criteria.
    """
    return tuple(
        replace(plan, criterion=criterion, seed=seed)
        for seed in range(1, seeds + 1)
        for criterion in CRITERIA
    )


def compare_criteria(
    recipe: Recipe, plans: Sequence[PruningPlan], data: Dataset, folder: Path, sources: Checkpoints
) -> tuple[Pruned, ...]:
    """Prunes by every plan, and writes `criteria.png` and `criteria.md`; what is done is not done again.

    Args:
        recipe: the trained network's.
        plans: alike but for criterion and seed.
        data: with "train" and "val" splits, boxes located.
        folder: a run for each pruning, and the results.
        sources: as `quantize.pruning.pruner.prune` takes them.

    Raises:
        ConfigError, DataError: as `quantize.pruning.pruner.prune`.
        OutputError: the results cannot be written.
    """
    found = [_pruned(recipe, plan, data, folder, sources) for plan in plans]
    runs: dict[str, list[tuple[PruningStep, ...]]] = {
        criterion: [each.steps for each in found if each.criterion == criterion] for criterion in CRITERIA
    }
    save_criteria_png(runs, folder / "criteria.png", f"{recipe.name}, {plans[0].share:.0%} a step")
    atomic_write(folder / "criteria.md", partial(_write, _table(plans[0], found)))
    return tuple(found)


def _pruned(recipe: Recipe, plan: PruningPlan, data: Dataset, folder: Path, sources: Checkpoints) -> Pruned:
    place = folder / f"{recipe.name}-{plan.criterion}-{plan.seed}"
    steps = prune(recipe, plan, data, place, sources)
    rows = data.part("val")
    crops = np.asarray(plain_images(rows, recipe.crop)[..., np.newaxis])
    result = evaluate_model(load_checkpoint(place), crops, rows, "val")
    logger.info("%s: %.2f %%", place.name, 100 * result.accuracy)
    return Pruned(plan.criterion, plan.seed, steps, result.accuracy, result.macro_f1)


def _table(plan: PruningPlan, found: Sequence[Pruned]) -> str:
    lines = [
        f"Pruned to at most {plan.target:,} parameters, {plan.share:.0%} a step, epochs of training on after "
        f"each: {plan.tuning}, after the last: {plan.epochs}. Accuracy on the validation split, one look.",
        "",
        "| criterion | seed | parameters | after the last step | after training on | macro-F1 | widths |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in sorted(found, key=lambda one: (CRITERIA.index(one.criterion), one.seed)):
        last = each.steps[-1]
        numbers = f"{last.parameters:,} | {last.after:.2%} | {each.accuracy:.2%} | {each.macro_f1:.3f}"
        lines.append(f"| {each.criterion} | {each.seed} | {numbers} | {last.widths} |")
    return "\n".join([*lines, ""])


def _write(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8")
