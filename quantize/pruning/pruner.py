"""Pruning in many small steps: measure importance, remove channels, train on, until few parameters remain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import keras
import numpy as np
from tqdm import tqdm

from edge.errors import ConfigError, DataError
from edge.files import atomic_write
from edge.types import Gray
from quantize.pruning.channel_groups import ChannelGroup, channel_groups
from quantize.pruning.importance import (
    Batch,
    Importance,
    magnitude_importance,
    random_importance,
    taylor_importance,
)
from quantize.pruning.plan import PruningPlan
from quantize.pruning.selection import select_channels
from quantize.pruning.steps import PruningStep, read_steps, write_steps
from quantize.pruning.surgery import PrunableSpec, remove_channels
from train.augment import plain_images
from train.data import Dataset
from train.evaluation.predictions import evaluate_model
from train.models.complexity import multiply_accumulates
from train.models.spec import NetSpec, ProposalSpec, spec_from_dict
from train.recipes.recipe import Recipe
from train.runs.lookup import load_checkpoint, read_settings
from train.training.epochs import Checkpoints, EpochData, iter_epochs
from train.training.fit import fit
from train.training.run_folder import check_same, claim, is_restored


def prune(
    recipe: Recipe, plan: PruningPlan, data: Dataset, folder: Path, sources: Checkpoints
) -> tuple[PruningStep, ...]:
    """Prunes a trained network and trains what remains.

    Every step is a run of its own below `folder/steps`, so that a killed pruning resumes where it stopped.
    The last training is the run in `folder` itself, which is quantized like any other run. `plan.json` holds
    everything that decides the result, `steps.csv` the steps.

    Args:
        recipe: recipe of the trained network; its targets and images are used in all training here.
        plan: settings of the pruning.
        data: dataset with "train" and "val" splits, boxes located.
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
            f"{recipe.name}: {type(recipe.spec).__name__} cannot be pruned, expected NetSpec or ProposalSpec"
        )
    if plan.target >= recipe.spec.stored_parameters():
        raise ConfigError(
            f"a target of {plan.target:,} parameters; {recipe.name} has {recipe.spec.stored_parameters():,}"
        )
    if sources.start is None or not sources.start.exists():
        raise DataError(f"{recipe.name}: no trained network to prune; train it first")
    pruning = _Pruning(recipe, plan, data, sources)
    network = _Network(keras.models.load_model(sources.start, compile=False), recipe.spec, sources.start)
    groups = channel_groups(network.body)
    # Raises at once if the target is too low.
    select_channels(recipe.spec, groups, random_importance(groups, 0), plan.target)
    decisive = {"plan": asdict(plan), "recipe": recipe.to_dict(), "sources": sources.digests()}
    table = folder / "steps.csv"
    if is_restored(folder):
        check_same(folder / "plan.json", {name: decisive[name] for name in ("plan", "recipe")})
        return read_steps(table)
    claim(folder, decisive, {}, "plan.json")
    if not table.exists():
        accuracy = pruning.accuracy(network.model)
        write_steps([_step(0, network, (accuracy, accuracy))], table)
    steps = {step.number: step for step in read_steps(table)}
    if last := max(steps):
        network = _reopen(_step_folder(folder, last))
    targets = list(enumerate(_step_targets(recipe.spec.stored_parameters(), plan), 1))
    with tqdm(targets, desc=f"pruning {recipe.name}", unit="step") as bar:
        for number, target in bar:
            if network.spec.stored_parameters() <= target:
                continue  # the step is done, or one before it removed more than it had to
            network, before = pruning.run_step(network, number, target, _step_folder(folder, number))
            steps[number] = _step(number, network, (before, pruning.accuracy(network.model)))
            write_steps(list(steps.values()), table)
            bar.set_postfix_str(f"{steps[number].parameters:,} parameters, {steps[number].after:.1%}")
    final = replace(recipe, name=folder.name, spec=network.spec, epochs=plan.epochs, seed=plan.seed)
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

    recipe: Recipe
    plan: PruningPlan
    data: Dataset
    sources: Checkpoints

    @cached_property
    def _crops(self) -> Gray:
        """(N, size, size, 1) crops of the validation split."""
        return np.asarray(plain_images(self.data.part("val"), self.recipe.crop)[..., np.newaxis])

    def accuracy(self, model: keras.Model) -> float:
        """Returns the accuracy on the validation split, 0 to 1."""
        return evaluate_model(model, self._crops, self.data.part("val"), "val").accuracy

    def run_step(self, network: _Network, number: int, target: int, folder: Path) -> tuple[_Network, float]:
        """Removes channels and trains on.

        Returns:
            The smaller network after training, and its accuracy before.
        """
        tuning = _tuning_recipe(replace(self.recipe, spec=network.spec), self.plan, number)
        groups = channel_groups(network.body)
        with iter_epochs(tuning, self.data.part("train"), self.sources, 0) as epochs:
            batches = _batches(next(epochs), network.model, self.plan, tuning)
        importance = _importance(network.body, groups, self.plan, batches, number)
        kept, _ = select_channels(network.spec, groups, importance, target)
        smaller, spec = remove_channels(network.model, network.spec, kept)
        before = self.accuracy(smaller)
        start = folder.with_name(f"{folder.name}-cut.keras")
        if not start.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(start, smaller.save)
        model = fit(replace(tuning, spec=spec), self.data, folder, replace(self.sources, start=start))
        return _Network(model, spec, folder / "best.keras"), before


def _step_folder(folder: Path, number: int) -> Path:
    """Returns the folder of a step's own run."""
    return folder / "steps" / f"{number:02d}"


def _reopen(folder: Path) -> _Network:
    """Loads the network of a finished step."""
    spec = spec_from_dict(read_settings(folder)["recipe"]["spec"])
    return _Network(load_checkpoint(folder), cast("PrunableSpec", spec), folder / "best.keras")


def _step_targets(parameters: int, plan: PruningPlan) -> list[int]:
    """Returns the largest number of parameters that may remain after each step."""
    targets = []
    while parameters > plan.target:
        parameters = max(plan.target, round(parameters * (1 - plan.share)))
        targets.append(parameters)
    return targets


def _tuning_recipe(recipe: Recipe, plan: PruningPlan, number: int) -> Recipe:
    """Returns the recipe of a step's training. Its seed decides with which view of the images it begins."""
    return replace(
        recipe,
        name=f"{recipe.name}-step{number:02d}",
        epochs=plan.tuning,
        schedule="constant",
        learning_rate=plan.rate,
        seed=plan.seed + number,
    )


def _batches(epoch: EpochData, model: keras.Model, plan: PruningPlan, recipe: Recipe) -> list[Batch]:
    """Draws batches of training images, scaled as the network's body takes them, and their targets."""
    order = np.random.default_rng(recipe.seed).permutation(len(epoch.images))
    scale = model.get_layer("scale")
    batches = []
    for start in range(0, min(len(order), plan.batches * recipe.batch_size), recipe.batch_size):
        rows = order[start : start + recipe.batch_size]
        pixels = epoch.images[rows][..., np.newaxis].astype(np.float32)
        batches.append((pixels * np.float32(scale.scale) + np.float32(scale.offset), epoch.targets[rows]))
    return batches


def _importance(
    body: keras.Model,
    groups: Sequence[ChannelGroup],
    plan: PruningPlan,
    batches: Sequence[Batch],
    number: int,
) -> Importance:
    if plan.criterion == "taylor":
        return taylor_importance(body, groups, batches)
    if plan.criterion == "magnitude":
        return magnitude_importance(body, groups)
    return random_importance(groups, plan.seed * 1000 + number)


def _step(number: int, network: _Network, accuracies: tuple[float, float]) -> PruningStep:
    spec = network.spec
    widths = [f"stem {spec.stem}"]
    widths += [f"stage{index} {stage.channels}" for index, stage in enumerate(spec.stages)]
    widths += [f"head {spec.head}"] if isinstance(spec, NetSpec) else []
    cost = multiply_accumulates(network.body)
    return PruningStep(number, spec.stored_parameters(), cost, *accuracies, ", ".join(widths))
