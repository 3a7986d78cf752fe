"""Pruning in many small steps: score, cut, train on, until few enough parameters remain."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
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
    CRITERIA,
    Batch,
    Criterion,
    Importance,
    magnitude_importance,
    random_importance,
    taylor_importance,
)
from quantize.pruning.selection import select_channels
from quantize.pruning.surgery import remove_channels
from train.augment import plain_images
from train.data import Dataset
from train.evaluation.predictions import evaluate_model
from train.models.complexity import multiply_accumulates
from train.models.spec import NetSpec, spec_from_dict
from train.recipes.recipe import SEEDS, Recipe
from train.runs.lookup import load_checkpoint, read_settings
from train.training.epochs import Checkpoints, EpochData, iter_epochs
from train.training.fit import fit
from train.training.run_folder import check_same, claim, is_restored


@dataclass(frozen=True)
class PruningPlan:
    """How a trained network is pruned.

    Attributes:
        target: largest number of stored parameters that may remain.
        criterion: what tells the worth of a channel.
        share: of the parameters that goes in a step.
        batches: of training pictures that importance is measured on, each step anew.
        tuning: epochs of training after each step.
        rate: learning rate of these, above 0.
        epochs: of training after the last step.
        seed: of batches, lots and order, 0 to 2^32 - 1.
    """

    target: int
    criterion: Criterion = "taylor"
    share: float = 0.06
    batches: int = 60
    tuning: int = 1
    rate: float = 2e-3
    epochs: int = 30
    seed: int = 1

    def __post_init__(self) -> None:
        if self.criterion not in CRITERIA:
            raise ConfigError(f"no criterion {self.criterion!r}; expected {', '.join(CRITERIA)}")
        if not 0 < self.share < 1 or min(self.target, self.batches, self.tuning, self.epochs) < 1:
            raise ConfigError(
                f"{self}: expected a share above 0 and below 1, and at least 1 of everything else"
            )
        # What a negative one did would be seen after hours: it trains uphill.
        if not 0 < self.rate < math.inf:
            raise ConfigError(f"a learning rate of {self.rate}; expected a number above 0")
        # Else the steps, which count on from it, are trained before the last training refuses it.
        if not 0 <= self.seed < SEEDS:
            raise ConfigError(f"seed {self.seed}, expected 0 to {SEEDS - 1}")


@dataclass(frozen=True)
class PruningStep:
    """What one step did.

    Attributes:
        number: from 0, the uncut network.
        parameters: as stored.
        multiply_accumulates: for one face.
        before: accuracy on the validation split right after the cut, 0 to 1.
        after: the same after training on.
        widths: channels of every group, "stem 12, stage0 32, ...".
    """

    number: int
    parameters: int
    multiply_accumulates: int
    before: float
    after: float
    widths: str


def prune(
    recipe: Recipe, plan: PruningPlan, data: Dataset, folder: Path, sources: Checkpoints
) -> tuple[PruningStep, ...]:
    """Prunes a trained network, and trains what remains.

    Every step is a run of its own below `folder/steps`, so that a killed one goes on where it stopped; the
    last training is the run in `folder` itself, which is quantized as any other. `plan.json` holds what
    decides the result, `steps.csv` the steps.

    Args:
        recipe: how the network was trained; its targets and pictures are those of all training here.
        plan: how it is pruned.
        data: with "train" and "val" splits, boxes located.
        folder: of the pruned network's run; made if it is not there.
        sources: as start the network's checkpoint; teachers and cache of the recipe.

    Returns:
        The steps, the uncut network first.

    Raises:
        DataError: no checkpoint to start from is named, or a teacher's is missing.
        ConfigError: the network has a layer that cannot be pruned, the target is below the smallest network
            of its shape or not below the parent, or the folder holds a run of another plan.
    """
    if not isinstance(recipe.spec, NetSpec):
        raise ConfigError(f"{recipe.name}: {type(recipe.spec).__name__} cannot be pruned, expected a NetSpec")
    if plan.target >= recipe.spec.stored_parameters():
        raise ConfigError(
            f"a target of {plan.target:,} parameters; {recipe.name} has {recipe.spec.stored_parameters():,}"
        )
    if sources.start is None or not sources.start.exists():
        raise DataError(f"{recipe.name}: no trained network to prune; train it first")
    pruning = _Pruning(recipe, plan, data, sources)
    held = _Held(keras.models.load_model(sources.start, compile=False), recipe.spec, sources.start)
    groups = channel_groups(held.model.get_layer("body"))
    select_channels(
        recipe.spec, groups, random_importance(groups, 0), plan.target
    )  # says at once if it is too low
    decisive = {"plan": asdict(plan), "recipe": recipe.to_dict(), "sources": sources.digests()}
    table = folder / "steps.csv"
    if is_restored(folder):
        check_same(folder / "plan.json", {name: decisive[name] for name in ("plan", "recipe")})
        return read_steps(table)
    claim(folder, decisive, {}, "plan.json")
    if not table.exists():
        right = pruning.accuracy(held.model)
        _write_steps([_step(0, held, (right, right))], table)
    steps = {step.number: step for step in read_steps(table)}
    if done := max(steps):
        held = _reopen(_place(folder, done))
    goals = list(enumerate(_goals(recipe.spec.stored_parameters(), plan), 1))
    with tqdm(goals, desc=f"pruning {recipe.name}", unit="step") as bar:
        for number, goal in bar:
            if held.spec.stored_parameters() > goal:  # else it is done, or one before went further than asked
                held, before = pruning.go_on(held, number, goal, _place(folder, number))
                steps[number] = _step(number, held, (before, pruning.accuracy(held.model)))
                _write_steps(list(steps.values()), table)
                bar.set_postfix_str(f"{steps[number].parameters:,} parameters, {steps[number].after:.1%}")
    final = replace(recipe, name=folder.name, spec=held.spec, epochs=plan.epochs, seed=plan.seed)
    fit(final, data, folder, replace(sources, start=held.checkpoint))
    return tuple(steps.values())


@dataclass(frozen=True)
class _Held:
    """A network on its way."""

    model: keras.Model
    spec: NetSpec
    checkpoint: Path


@dataclass(frozen=True)
class _Pruning:
    """What is the same for all steps."""

    recipe: Recipe
    plan: PruningPlan
    data: Dataset
    sources: Checkpoints

    @cached_property
    def crops(self) -> Gray:
        """(N, size, size, 1) of the validation split."""
        return np.asarray(plain_images(self.data.part("val"), self.recipe.crop)[..., np.newaxis])

    def accuracy(self, model: keras.Model) -> float:
        """On the validation split, 0 to 1."""
        return evaluate_model(model, self.crops, self.data.part("val"), "val").accuracy

    def go_on(self, held: _Held, number: int, goal: int, place: Path) -> tuple[_Held, float]:
        """One step: what is left and trained, and its accuracy before it was trained."""
        tuned = _tuning(replace(self.recipe, spec=held.spec), self.plan, number)
        body = held.model.get_layer("body")
        groups = channel_groups(body)
        with iter_epochs(tuned, self.data.part("train"), self.sources, 0) as epochs:
            batches = _batches(next(epochs), held.model, self.plan, tuned)
        kept, _ = select_channels(
            held.spec, groups, _importance(body, groups, self.plan, batches, number), goal
        )
        smaller, spec = remove_channels(held.model, held.spec, kept)
        before = self.accuracy(smaller)
        start = place.with_name(f"{place.name}-cut.keras")
        if not start.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(start, smaller.save)
        model = fit(replace(tuned, spec=spec), self.data, place, replace(self.sources, start=start))
        return _Held(model, spec, place / "best.keras"), before


def _place(folder: Path, number: int) -> Path:
    """A step's own run."""
    return folder / "steps" / f"{number:02d}"


def _reopen(place: Path) -> _Held:
    """A step that is done."""
    spec = spec_from_dict(read_settings(place)["recipe"]["spec"])
    return _Held(load_checkpoint(place), cast("NetSpec", spec), place / "best.keras")


def read_steps(path: Path) -> tuple[PruningStep, ...]:
    """The steps that a `steps.csv` holds.

    Raises:
        DataError: it cannot be read, or is not such a file.
    """
    kinds = {"int": int, "float": float, "str": str}
    try:
        with path.open(encoding="utf-8", newline="") as text:
            return tuple(
                PruningStep(
                    **{each.name: kinds[str(each.type)](line[each.name]) for each in fields(PruningStep)}
                )
                for line in csv.DictReader(text)
            )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: no table of pruning steps ({error})") from error


def _goals(parameters: int, plan: PruningPlan) -> list[int]:
    """Parameters that may remain after each step."""
    goals = []
    while parameters > plan.target:
        parameters = max(plan.target, round(parameters * (1 - plan.share)))
        goals.append(parameters)
    return goals


def _tuning(recipe: Recipe, plan: PruningPlan, number: int) -> Recipe:
    """A step's training. Its seed decides with which view of the pictures it begins."""
    return replace(
        recipe,
        name=f"{recipe.name}-step{number:02d}",
        epochs=plan.tuning,
        schedule="constant",
        learning_rate=plan.rate,
        seed=plan.seed + number,
    )


def _batches(lesson: EpochData, model: keras.Model, plan: PruningPlan, recipe: Recipe) -> list[Batch]:
    """Training pictures as the network proper reads them, and their targets."""
    order = np.random.default_rng(recipe.seed).permutation(len(lesson.images))
    scale = model.get_layer("scale")
    batches = []
    for start in range(0, min(len(order), plan.batches * recipe.batch_size), recipe.batch_size):
        rows = order[start : start + recipe.batch_size]
        pixels = lesson.images[rows][..., np.newaxis].astype(np.float32)
        batches.append((pixels * np.float32(scale.scale) + np.float32(scale.offset), lesson.targets[rows]))
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


def _step(number: int, held: _Held, accuracies: tuple[float, float]) -> PruningStep:
    spec = held.spec
    widths = ", ".join(
        [f"stem {spec.stem}"]
        + [f"stage{place} {stage.channels}" for place, stage in enumerate(spec.stages)]
        + [f"head {spec.head}"]
    )
    cost = multiply_accumulates(held.model.get_layer("body"))
    return PruningStep(number, spec.stored_parameters(), cost, *accuracies, widths)


def _write_steps(steps: Sequence[PruningStep], path: Path) -> None:
    def write(partial: Path) -> None:
        with partial.open("w", encoding="utf-8", newline="") as text:
            writer = csv.DictWriter(text, list(asdict(steps[0])))
            writer.writeheader()
            writer.writerows(asdict(step) for step in steps)

    atomic_write(path, write)
