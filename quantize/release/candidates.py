"""The runs that may be shipped for a task: networks of the shipped size, and larger ones pruned to it.

A pruned network that reads a face then goes on with views as a camera would have taken them, and that of
emotion is narrowed once more, to channels that fill a processor's vectors.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge.errors import ConfigError, DataError
from edge.labels import Task
from quantize.pruning.plan import PruningPlan
from quantize.pruning.plots import save_pruning_png
from quantize.pruning.pruner import prune
from train.crops.sources import FaceData
from train.data import Dataset, Split
from train.models.spec import NetSpec, spec_from_dict
from train.recipes.face_recipe import AnyRecipe
from train.recipes.recipe import Recipe
from train.recipes.registry import GROUPS, find_recipe
from train.reports.evaluate_any import evaluate_any
from train.reports.saliency_plot import save_labels_png
from train.runs.archive import restore
from train.runs.inputs import checkpoints_for, prerequisites, trained
from train.runs.lookup import existing_runs, load_checkpoint, read_settings
from train.runs.paths import ARCHIVES
from train.training.fit import fit

logger = logging.getLogger(__name__)

# How each task's parent is pruned to the size that ships.
PLANS: dict[Task, PruningPlan] = {
    "emotion": PruningPlan(target=9_950, epochs=144),
    "gender": PruningPlan(target=6_300, epochs=48),
    "proposal": PruningPlan(target=9_950, epochs=30),
    "refinement": PruningPlan(target=9_950, epochs=30),
}
# The recipe that a pruned network goes on with.
LAST_STAGES: dict[Task, str] = {"emotion": "emotion-camera", "gender": "gender-camera"}
# Recipes of networks that an accelerator trained from random weights: restored if they were not trained here.
STUDENTS: dict[Task, tuple[str, ...]] = {"gender": GROUPS["students"]}
# How the network of the last stage is narrowed: 37 channels take as long as 48 where 16 are computed at once.
# Its 9 % fewer parameters save a fourth of the time, so that a reading costs no more than one of the network
# that others use, mini-Xception.
NARROWING: dict[Task, PruningPlan] = {"emotion": PruningPlan(target=9_950, epochs=100, multiple=16)}
_SPLITS: tuple[Split, ...] = ("val", "train")


def candidates(task: Task, data: Dataset | FaceData, runs: Path) -> list[Path]:
    """Returns the runs of which the best is shipped.

    If the task's parent is trained, it is pruned first, what is left goes on with the task's last stage, and
    the result of that is narrowed if the task has a plan for it. Students that were not trained here are
    restored from the repository's archives.

    Args:
        task: the task.
        data: the task's dataset, boxes located, or what its crops are taken from.
        runs: folder of all runs.

    Returns:
        The finished runs of the narrowed last stage, with any plan. If there is none: those of the recipe
        that has the name of the task, with any seed, of the pruned parent, with any plan, of the last stage,
        with any seed, and the task's students.

    Raises:
        DataError: there is none, or a teacher of the last stage is neither trained nor archived.
    """
    parent = find_recipe(parent_of(task))
    last = LAST_STAGES.get(task)
    shipped = _pruned_folder(parent, PLANS[task], runs)
    if _is_finished(runs / parent.name) and not _is_finished(shipped):
        pruned_run(parent, PLANS[task], data, runs)
    if last and _is_finished(shipped) and not _is_finished(runs / last):
        _last_stage(last, shipped, data, runs)
    if last and task in NARROWING and _is_finished(runs / last):
        _narrow(last, NARROWING[task], data, runs)
    if last and (narrowed := _prunings(last, runs)):
        return narrowed
    students = STUDENTS.get(task, ())
    for name in students:
        _restore_missing(name, runs)
    recipes = [find_recipe(name) for name in (task, last, *students) if name]
    own = [path for recipe in recipes for path in existing_runs(recipe, runs)]
    finished = [*filter(_is_finished, own), *_prunings(parent.name, runs)]
    if not finished:
        raise DataError(
            f"no run of {task} in {runs} is finished; `make train RECIPE={task}` trains or resumes it"
        )
    return finished


def own_candidates(recipe: AnyRecipe, runs: Path) -> list[Path]:
    """Returns the finished runs of a recipe of one's own, with any seed, and of what was pruned from it.

    Raises:
        ConfigError: one of them has another network than the recipe.
    """
    found = [path for path in sorted(runs.glob(f"{recipe.name}*")) if _is_finished(path)]
    own = [path for path in found if _recipe_of(path)["name"] == recipe.name]
    for path in own:
        check_spec(path, recipe)
    return own


def check_spec(run: Path, recipe: AnyRecipe) -> None:
    """Checks that a run has the network that its recipe describes, which may have been changed since.

    Args:
        run: folder of a run of the recipe, or of what was pruned from one.
        recipe: the recipe.

    Raises:
        ConfigError: it has another network.
    """
    if spec_from_dict(_recipe_of(run)["spec"]) != recipe.spec:
        raise ConfigError(
            f"{run} is a run of {recipe.name} with another spec; expected that of the recipe: train it anew, "
            "or give the recipe another name"
        )


def parent_of(task: Task) -> str:
    """Returns the recipe of the larger network that is pruned to the size that ships."""
    return f"{task}-parent"


def pruned_run(
    recipe: AnyRecipe,
    plan: PruningPlan,
    data: Dataset | FaceData,
    runs: Path,
    folder: Path | None = None,
) -> Path:
    """Prunes a recipe's trained network, or resumes that, and writes the report of the pruned network.

    Args:
        recipe: recipe of the parent.
        plan: settings of the pruning.
        data: the recipe's dataset, with the annotators' votes if the recipe uses them, or what its crops are
            taken from.
        runs: folder of all runs.
        folder: folder of the pruned network's run; None for `<recipe>-<criterion>-<seed>` in `runs`.

    Returns:
        The folder of the pruned network's run.

    Raises:
        DataError: the run of the recipe, or of one that it builds on, is not finished.
        ConfigError: the run has another network than the recipe, the folder holds another pruning, or
            `quantize.pruning.pruner.prune` refuses this one.
    """
    folder = folder or _pruned_folder(recipe, plan, runs)
    reported = _is_finished(folder) and (folder / "report.html").exists()
    parent = trained(recipe.name, runs)
    check_spec(parent.parent, recipe)
    steps = prune(recipe, plan, data, folder, replace(checkpoints_for(recipe, runs), start=parent))
    if reported:
        return folder
    logger.info("%s: %d parameters left of %d", folder, steps[-1].parameters, steps[0].parameters)
    save_pruning_png(steps, folder / "pruning.png", f"{recipe.name}, {plan.criterion}")
    if isinstance(data, Dataset) and isinstance(recipe, Recipe):
        networks = {recipe.name: load_checkpoint(parent.parent), folder.name: load_checkpoint(folder)}
        save_labels_png(networks, data.part("val"), recipe.crop, folder / "saliency.png")
    for split in _SPLITS:
        evaluate_any(data, folder, split)
    return folder


def _last_stage(name: str, pruned: Path, data: Dataset | FaceData, runs: Path) -> None:
    """Trains a recipe from a pruned network, whatever structure the pruning left of its parent.

    Teachers that were not trained here are restored from the repository's archives.
    """
    recipe = _stage(name, pruned)
    _restore_teachers(recipe, runs)
    fit(recipe, data, runs / name, checkpoints_for(recipe, runs))
    for split in _SPLITS:
        evaluate_any(data, runs / name, split)


def _narrow(name: str, plan: PruningPlan, data: Dataset | FaceData, runs: Path) -> None:
    """Prunes what a last stage has trained, unless that is done."""
    start = read_settings(runs / name)["recipe"]["start"]
    recipe = replace(_stage(name, runs / name), start=start)
    if not _is_finished(_pruned_folder(recipe, plan, runs)):
        _restore_teachers(recipe, runs)
        pruned_run(recipe, plan, data, runs)


def _stage(name: str, network: Path) -> Recipe:
    """Returns the recipe of a last stage that goes on with the network of a run, whatever its structure."""
    spec = spec_from_dict(read_settings(network)["recipe"]["spec"])
    stage = find_recipe(name)
    if not isinstance(stage, Recipe) or not isinstance(spec, NetSpec):
        raise ConfigError(f"{name} goes on with {network}; expected two networks that read a face")
    return replace(stage, spec=spec, start=network.name)


def _restore_teachers(recipe: Recipe, runs: Path) -> None:
    """Restores what a recipe builds on and was not trained here from the repository's archives."""
    for teacher in prerequisites(recipe):
        _restore_missing(teacher, runs)


def _restore_missing(name: str, runs: Path) -> None:
    """Restores a run that was not trained here, if the repository has an archive of it."""
    # An accelerator trained it, in minutes: nobody should have to wait for hours for it.
    if not (runs / name).exists() and (ARCHIVES / f"{name}.zip").exists():
        logger.info("%s: restored from %s", name, ARCHIVES)
        restore(ARCHIVES / f"{name}.zip", runs / name)


def _prunings(name: str, runs: Path) -> list[Path]:
    """Returns the finished runs that were pruned from a recipe's network, with any plan."""
    found = (path for path in sorted(runs.glob(f"{name}-*")) if (path / "plan.json").exists())
    return [path for path in found if _is_finished(path)]


def _pruned_folder(recipe: AnyRecipe, plan: PruningPlan, runs: Path) -> Path:
    return runs / f"{recipe.name}-{plan.criterion}-{plan.seed}"


def _recipe_of(run: Path) -> Any:
    """Returns the recipe that a run was trained by, or pruned from."""
    pruned = run / "plan.json"
    settings = json.loads(pruned.read_text(encoding="utf-8")) if pruned.exists() else read_settings(run)
    return settings["recipe"]


def _is_finished(run: Path) -> bool:
    return (run / "final.keras").exists()
