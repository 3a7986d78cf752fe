"""Pruning in many small steps: measure importance, remove channels, train on, until few parameters remain."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np

from edge.errors import ConfigError, DataError
from edge.files import atomic_write
from quantize.pruning.channel_groups import ChannelGroup, channel_groups
from quantize.pruning.importance import (
    Batch,
    Importance,
    Loss,
    magnitude_importance,
    random_importance,
    taylor_importance,
)
from quantize.pruning.plan import PruningPlan
from quantize.pruning.selection import is_narrow_enough, select_channels
from quantize.pruning.steps import PruningStep, read_steps, write_steps
from quantize.pruning.surgery import PrunableSpec, remove_channels
from train.crops.sources import FaceData
from train.data import Dataset
from train.models.complexity import multiply_accumulates
from train.models.spec import NetSpec, ProposalSpec, spec_from_dict
from train.progress import DISPLAY
from train.recipes.face_recipe import AnyRecipe, FaceRecipe
from train.runs.lookup import load_checkpoint, read_settings
from train.training.epochs import Checkpoints
from train.training.fit import fit, objective_of
from train.training.objective import Objective
from train.training.run_folder import check_same, claim, is_restored
from train.training.trainer import Epoch

logger = logging.getLogger(__name__)


def prune(
    recipe: AnyRecipe, plan: PruningPlan, data: Dataset | FaceData, folder: Path, sources: Checkpoints
) -> tuple[PruningStep, ...]:
    """Prunes a trained network and trains what remains.

    Every step is a run of its own below `folder/steps`, so that a killed pruning resumes where it stopped.
    The last training is the run in `folder` itself, which is quantized like any other run. `plan.json` holds
    everything that decides the result, `steps.csv` the steps.

    Args:
        recipe: recipe of the trained network; its targets and images are used in all training here, and
            its loss to measure importance.
        plan: settings of the pruning.
        data: what the recipe is trained on, see `train.training.fit.fit`.
        folder: folder of the pruned network's run; created if it does not exist.
        sources: checkpoint of the trained network as `start`; teachers and cache as the recipe needs them.

    Returns:
        The steps, the unpruned network first.

    Raises:
        DataError: there is no checkpoint to start from, or that of a teacher is missing.
        ConfigError: the network has a layer that cannot be pruned, the target is below the smallest network
            of its shape or not below the trained network, or the folder holds a run with another plan.
    """
    if not isinstance(recipe.spec, (NetSpec, ProposalSpec)):
        raise ConfigError(
            f"{recipe.name}: {type(recipe.spec).__name__} cannot be pruned, expected one of stages"
        )
    # A target of its own size leaves everything, too.
    if is_narrow_enough(recipe.spec, plan.target, plan.multiple):
        raise ConfigError(
            f"a target of {plan.target:,} parameters; {recipe.name} has {recipe.spec.stored_parameters():,}"
            + (f", and widths of a multiple of {plan.multiple}" if plan.multiple > 1 else "")
        )
    if sources.start is None or not sources.start.exists():
        raise DataError(f"{recipe.name}: no trained network to prune; train it first")
    pruning = _Pruning(recipe, plan, data, sources, objective_of(recipe, data, sources))
    network = _Network(keras.models.load_model(sources.start, compile=False), recipe.spec, sources.start)
    groups = channel_groups(network.body)
    # Raises at once if the target is too low.
    select_channels(recipe.spec, groups, random_importance(groups, 0), plan.target, plan.multiple)
    decisive = {"plan": plan.to_dict(), "recipe": recipe.to_dict(), "sources": sources.digests()}
    table = folder / "steps.csv"
    if is_restored(folder):
        check_same(folder / "plan.json", {name: decisive[name] for name in ("plan", "recipe")})
        return read_steps(table)
    claim(folder, decisive, {}, "plan.json")
    if not table.exists():
        score = pruning.score(network.model)
        write_steps([_step(0, network, (score, score))], table)
    steps = {step.number: step for step in read_steps(table)}
    if last := max(steps):
        network = _reopen(_step_folder(folder, last))
    goals = list(enumerate(_step_goals(recipe.spec.stored_parameters(), plan), 1))
    left = [(number, goal) for number, goal in goals if not is_narrow_enough(network.spec, *goal)]
    with DISPLAY.phase(f"pruning {recipe.name}", "steps", len(goals), len(goals) - len(left)) as phase:
        for number, goal in left:
            if is_narrow_enough(network.spec, *goal):
                phase.advance()  # the step before it removed more than it had to
                continue
            network, before = pruning.run_step(network, number, goal, _step_folder(folder, number))
            steps[number] = _step(number, network, (before, pruning.score(network.model)))
            write_steps(list(steps.values()), table)
            phase.advance()
            logger.info(
                "%s, step %d of %d: %d parameters, %.2f %%",
                recipe.name,
                number,
                len(goals),
                steps[number].parameters,
                100 * steps[number].after,
            )
    final = _changed(recipe, name=folder.name, spec=network.spec, epochs=plan.epochs, seed=plan.seed)
    fit(final, data, folder, replace(sources, start=network.checkpoint))
    return tuple(steps.values())


@dataclass(frozen=True)
class _Network:
    """The network between two steps."""

    model: keras.Model
    spec: PrunableSpec
    checkpoint: Path

    @property
    def body(self) -> keras.Model:
        """The network without its input scaling."""
        return self.model.get_layer("body")


@dataclass(frozen=True)
class _Pruning:
    """What all steps have in common."""

    recipe: AnyRecipe
    plan: PruningPlan
    data: Dataset | FaceData
    sources: Checkpoints
    objective: Objective

    def score(self, model: keras.Model) -> float:
        """Returns the score on the validation split by which the recipe's best epoch is chosen, 0 to 1."""
        return self.objective.validate(model)[self.objective.score]

    def run_step(
        self, network: _Network, number: int, goal: tuple[int, int], folder: Path
    ) -> tuple[_Network, float]:
        """Removes channels, down to a target and a multiple, and trains on.

        Returns:
            The smaller network after training, and its score before.
        """
        tuning = _tuning_recipe(_changed(self.recipe, spec=network.spec), self.plan, number)
        groups = channel_groups(network.body)
        importance = self._importance(network, groups, tuning, number)
        kept, _ = select_channels(network.spec, groups, importance, *goal)
        smaller, spec = remove_channels(network.model, network.spec, kept)
        before = self.score(smaller)
        start = folder.with_name(f"{folder.name}-cut.keras")
        if not start.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(start, smaller.save)
        model = fit(_changed(tuning, spec=spec), self.data, folder, replace(self.sources, start=start))
        return _Network(model, spec, folder / "best.keras"), before

    def _importance(
        self, network: _Network, groups: Sequence[ChannelGroup], tuning: AnyRecipe, number: int
    ) -> Importance:
        if self.plan.criterion == "magnitude":
            return magnitude_importance(network.body, groups)
        if self.plan.criterion == "random":
            return random_importance(groups, self.plan.seed * 1000 + number)
        if isinstance(tuning, FaceRecipe):  # its crops are drawn anew for this: no more than are used
            tuning = replace(tuning, crops=min(tuning.crops, self.plan.batches * tuning.batch_size))
        objective = objective_of(tuning, self.data, self.sources)
        loss: Loss = objective.compiled_model().loss
        with objective.epochs(0) as epochs:
            batches = _batches(next(epochs), network.model, self.plan.batches)
        return taylor_importance(network.body, groups, batches, loss)


def _step_folder(folder: Path, number: int) -> Path:
    """Returns the folder of a step's own run."""
    return folder / "steps" / f"{number:02d}"


def _reopen(folder: Path) -> _Network:
    """Loads the network of a finished step."""
    spec = spec_from_dict(read_settings(folder)["recipe"]["spec"])
    return _Network(load_checkpoint(folder), cast("PrunableSpec", spec), folder / "best.keras")


def _step_goals(parameters: int, plan: PruningPlan) -> list[tuple[int, int]]:
    """Returns what each step reaches: the parameters that may remain at most, and the multiple of widths.

    Only the last step asks for the plan's multiple, which takes out more than its share.
    """
    targets = []
    while parameters > plan.target:
        # A step takes out one parameter at least: of a tiny share, rounding would leave none.
        parameters = max(plan.target, min(parameters - 1, round(parameters * (1 - plan.share))))
        targets.append(parameters)
    return [*((target, 1) for target in targets[:-1]), (plan.target, plan.multiple)]


def _changed(recipe: AnyRecipe, **changes: Any) -> AnyRecipe:
    """Returns a recipe with other values, among them a spec of the same kind."""
    return replace(recipe, **changes)


def _tuning_recipe(recipe: AnyRecipe, plan: PruningPlan, number: int) -> AnyRecipe:
    """Returns the recipe of a step's training. Its seed decides with which view of the images it begins."""
    return replace(
        recipe,
        name=f"{recipe.name}-step{number:02d}",
        epochs=plan.tuning,
        schedule="constant",
        learning_rate=plan.rate,
        seed=plan.seed + number,
    )


def _batches(epoch: Epoch, model: keras.Model, count: int) -> list[Batch]:
    """Returns an epoch's first batches, scaled as the network's body takes them, and their targets."""
    scale = model.get_layer("scale")
    batches = []
    for start in range(0, min(len(epoch.images), count * epoch.batch_size), epoch.batch_size):
        rows = slice(start, start + epoch.batch_size)
        pixels = epoch.images[rows].astype(np.float32)
        batches.append((pixels * np.float32(scale.scale) + np.float32(scale.offset), epoch.targets[rows]))
    return batches


def _step(number: int, network: _Network, scores: tuple[float, float]) -> PruningStep:
    spec = network.spec
    widths = [f"stem {spec.stem}"]
    widths += [f"stage{index} {stage.channels}" for index, stage in enumerate(spec.stages)]
    widths += [] if isinstance(spec, ProposalSpec) else [f"head {spec.head}"]
    cost = multiply_accumulates(network.body)
    return PruningStep(number, spec.stored_parameters(), cost, *scores, ", ".join(widths))
