"""What may be shipped for a task: networks trained at the size that ships, and larger ones pruned to it."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from edge.errors import DataError
from edge.labels import Task
from quantize.pruning.plots import save_pruning_png
from quantize.pruning.pruner import PruningPlan, prune
from train.data import Dataset
from train.recipes.recipe import Recipe
from train.recipes.registry import find_recipe
from train.reports.evaluate_run import evaluate_run
from train.reports.saliency_plot import save_labels_png
from train.runs.inputs import checkpoints_for, trained
from train.runs.lookup import existing_runs, load_checkpoint

logger = logging.getLogger(__name__)

# How each task's parent is pruned to the size that ships.
PLANS: dict[Task, PruningPlan] = {
    "emotion": PruningPlan(target=9_950, epochs=144),
    "gender": PruningPlan(target=6_300, epochs=48),
}


def candidates(task: Task, data: Dataset, runs: Path) -> list[Path]:
    """The runs of which the best is shipped; prunes the task's parent first where it is trained.

    Args:
        task: "emotion" or "gender".
        data: the task's dataset, boxes located.
        runs: folder of all runs.

    Returns:
        The finished runs of the recipe that bears the task's name, of whatever seed, and those of the
        parent pruned, by whatever plan.

    Raises:
        DataError: there is none.
    """
    parent = find_recipe(parent_of(task))
    own = _pruned_folder(parent, PLANS[task], runs)
    if _is_finished(runs / parent.name) and not _is_finished(own):
        pruned_run(parent, PLANS[task], data, runs)
    pruned = [path for path in sorted(runs.glob(f"{parent.name}-*")) if (path / "plan.json").exists()]
    found = [path for path in (*existing_runs(find_recipe(task), runs), *pruned) if _is_finished(path)]
    if not found:
        raise DataError(
            f"no run of {task} in {runs} is at its end; `make train RECIPE={task}` trains or resumes it"
        )
    return found


def parent_of(task: Task) -> str:
    """The recipe of the larger network that is pruned to the size that ships."""
    return f"{task}-parent"


def pruned_run(
    recipe: Recipe, plan: PruningPlan, data: Dataset, runs: Path, folder: Path | None = None
) -> Path:
    """Prunes a recipe's trained network, or goes on with that, and puts its report beside it.

    Args:
        recipe: the parent's.
        plan: how it is pruned.
        data: the recipe's, with votes if it has any.
        runs: folder of all runs.
        folder: of the pruned network's run; None for `<recipe>-<criterion>-<seed>` below the runs.

    Returns:
        The pruned network's run.

    Raises:
        DataError: the recipe, or what it builds on, is not trained to its end.
        ConfigError: the folder holds another pruning, or `quantize.pruning.pruner.prune` refuses this one.
    """
    folder = folder or _pruned_folder(recipe, plan, runs)
    reported = _is_finished(folder) and (folder / "report.html").exists()
    parent = trained(recipe.name, runs)
    steps = prune(recipe, plan, data, folder, replace(checkpoints_for(recipe, runs), start=parent))
    if reported:
        return folder
    logger.info("%s: %d parameters left of %d", folder, steps[-1].parameters, steps[0].parameters)
    save_pruning_png(steps, folder / "pruning.png", f"{recipe.name}, {plan.criterion}")
    networks = {recipe.name: load_checkpoint(parent.parent), folder.name: load_checkpoint(folder)}
    save_labels_png(networks, data.part("val"), recipe.crop, folder / "saliency.png")
    for split in ("val", "train"):
        evaluate_run(data, folder, split)
    return folder


def _pruned_folder(recipe: Recipe, plan: PruningPlan, runs: Path) -> Path:
    return runs / f"{recipe.name}-{plan.criterion}-{plan.seed}"


def _is_finished(run: Path) -> bool:
    return (run / "final.keras").exists()
