"""Three ways to a structure at equal cost: gates, the best of several random ones, and pruning by importance.

Each hands over a spec and the weights that its search trained. Finished searches are read from their folders.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias, cast

import keras
import numpy as np
import numpy.typing as npt

from edge.files import atomic_write
from edge.types import Gray
from quantize.pruning.pruner import prune
from quantize.search.extraction import extract, read_structure, round_gates
from quantize.search.gate_training import GateBudget, first_steps, stretched_optimizer, train_gates
from quantize.search.gated_net import build_gated
from quantize.search.plan import Method, SearchPlan, training_cost
from quantize.search.structure import GateLayout, draw_structure
from train.data import Dataset
from train.distributed.strategy import Cluster
from train.evaluation.predictions import predict
from train.models.complexity import multiply_accumulates
from train.models.sepnet import build
from train.models.spec import NetSpec, spec_from_dict
from train.recipes.recipe import Recipe
from train.runs.lookup import read_settings
from train.training.classification import Classification
from train.training.distillation import teacher_scores
from train.training.epochs import Checkpoints
from train.training.trainer import Trainer
from train.training.views import expand

logger = logging.getLogger(__name__)

_Floats: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        spec: the network's spec.
        start: checkpoint of the weights that the search trained.
        cost: multiplications of the search: those of training as `training_cost` counts them, and one pass
            for each image that is only looked at.
    """

    spec: NetSpec
    start: Path
    cost: int


@dataclass(frozen=True)
class Search:
    """What all searches have in common.

    Attributes:
        recipe: targets, images and optimizer of all training.
        plan: settings of the comparison.
        data: the recipe's dataset.
        sources: the recipe's teachers, and the cache.
        folder: folder of the comparison.
    """

    recipe: Recipe
    plan: SearchPlan
    data: Dataset
    sources: Checkpoints
    folder: Path

    def run(self, method: Method, seed: int) -> Found:
        """Searches by a method, or reads what the finished search found."""
        search = {"gates": self._gates, "random": self._random, "taylor": self._taylor}[method]
        return search(seed, self.folder / f"search-{method}-{seed}")

    def cell(self, method: Method, weights: str, seed: int) -> Path:
        """Returns the folder of the final training of what a search found."""
        return self.folder / f"{method}-{weights}-{seed}"

    def _gates(self, seed: int, folder: Path) -> Found:
        if found := _finished(folder):
            return found
        layout, plan = GateLayout.of(self.plan.widest), self.plan
        recipe = replace(self.recipe, epochs=plan.search_epochs, seed=seed)
        objective = Classification(recipe, self.data, self.sources)
        budget = GateBudget(objective.steps * plan.search_epochs, plan.target)
        with objective.epochs(0) as epochs:
            trained = train_gates(recipe, layout, epochs, budget, plan.gates)
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write(folder / "gates.csv", trained.save_log)
        np.save(folder / "log_alpha.npy", trained.log_alpha)
        gates = round_gates(layout, trained.log_alpha, plan.target)
        spec = read_structure(layout, gates).spec
        return _keep(folder, extract(trained.net, layout, gates), spec, self._budget)

    def _random(self, seed: int, folder: Path) -> Found:
        if found := _finished(folder):
            return found
        random = np.random.default_rng(seed)
        images, scores = self._sample
        drawn, losses = [], []
        for number in range(self.plan.draws):
            spec = draw_structure(self.plan.widest, self.plan.target, random).spec
            network = self._drawn(spec, seed * 100 + number, folder / f"draw-{number}")
            drawn.append(network)
            losses.append(kl_divergence(predict(_load(network), images), scores))
            logger.info("random structure %d: KL %.4f, %s", number, losses[-1], spec)
        best = drawn[int(np.argmin(losses))]
        return _keep(folder, _load(best), best.spec, sum(each.cost for each in drawn))

    def _drawn(self, spec: NetSpec, seed: int, folder: Path) -> Found:
        """Trains a random structure with its share of the cost, of which choosing the best is a part."""
        if found := _finished(folder):
            return found
        forward = multiply_accumulates(build(spec))
        choosing = forward * len(self._sample[0])
        step = training_cost(forward, self.recipe.batch_size)
        steps = max(1, (self._budget // self.plan.draws - choosing) // step)
        return _keep(folder, self._train(spec, seed, steps), spec, steps * step + choosing)

    def _taylor(self, seed: int, folder: Path) -> Found:
        spec, batch_size = self.plan.parent, self.recipe.batch_size
        recipe = replace(self.recipe, name="parent", spec=spec)
        parent = _finished(folder)
        if parent is None:
            step = training_cost(multiply_accumulates(build(spec)), batch_size)
            steps = max(1, int(self._budget * self.plan.parent_share) // step)
            parent = _keep(folder, self._train(spec, seed, steps), spec, steps * step)
        run = self.cell("taylor", "inherited", seed)
        sources = replace(self.sources, start=parent.start)
        pruned = prune(recipe, self.plan.pruning(seed), self.data, run, sources)
        cost, images = parent.cost, len(self._training)
        measured = min(self.plan.batches * batch_size, images)
        for before, after in pairwise(pruned):
            cost += training_cost(before.multiply_accumulates, measured)
            cost += training_cost(after.multiply_accumulates, images)
        return _found(run, run / "steps" / f"{pruned[-1].number:02d}" / "best.keras", cost)

    @cached_property
    def _training(self) -> Dataset:
        return self.data.part("train")

    @cached_property
    def _budget(self) -> int:
        """Multiplications of the gates' search, which the others may use as well."""
        layout = GateLayout.of(self.plan.widest)
        images = len(self._training) * self.plan.search_epochs
        return training_cost(multiply_accumulates(build_gated(layout)), images)

    @cached_property
    def _sample(self) -> tuple[Gray, _Floats]:
        """Unchanged training images, evenly spaced, and the teachers' scores for them."""
        views = expand(self._training, self.recipe, self.sources.cache)
        scores = teacher_scores(views, self.recipe, self.sources.teachers, self.sources.cache)
        count = min(self.plan.sample, len(self._training))
        rows = np.arange(count) * len(self._training) // count
        return np.asarray(views[0][rows][..., np.newaxis]), np.asarray(scores[0][rows])

    def _train(self, spec: NetSpec, seed: int, steps: int) -> keras.Model:
        """Trains a plain network from random weights for a number of steps."""
        recipe = replace(self.recipe, spec=spec, seed=seed)
        objective = Classification(recipe, self.data, self.sources)
        recipe = replace(recipe, epochs=-(-steps // objective.steps))
        objective = Classification(recipe, self.data, self.sources)
        keras.utils.set_random_seed(seed)
        model = objective.compiled_model()
        model.compile(stretched_optimizer(recipe, steps), model.loss, metrics=["accuracy"])
        trainer = Trainer(Cluster(), model)
        with objective.epochs(0) as epochs:
            for epoch in first_steps(epochs, steps):
                trainer.train(epoch)
        return model


def kl_divergence(logits: _Floats, scores: _Floats) -> float:
    """Returns the mean of KL(teachers || student) over images, in nats.

    Args:
        logits: (N, C) float32, the student's.
        scores: (N, C) float32, the teachers', each row summing to 1.
    """
    wide = logits.astype(np.float64)
    shifted = wide - wide.max(axis=1, keepdims=True)
    log_student = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    log_teachers = np.log(np.maximum(scores.astype(np.float64), np.finfo(np.float32).tiny))
    return float((scores * (log_teachers - log_student)).sum(axis=1).mean())


def _keep(folder: Path, model: keras.Model, spec: NetSpec, cost: int) -> Found:
    """Stores what a search found; `found.json`, which is written last, marks it as finished."""
    folder.mkdir(parents=True, exist_ok=True)
    found = Found(spec, folder / "start.keras", cost)
    atomic_write(found.start, model.save)
    content = json.dumps({"spec": spec.to_dict(), "cost": cost}, indent=1) + "\n"
    atomic_write(folder / "found.json", lambda path: path.write_text(content, encoding="utf-8"))
    return found


def _finished(folder: Path) -> Found | None:
    """Reads what `_keep` stored; None if the search is not finished."""
    if not (folder / "found.json").exists():
        return None
    stored = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return Found(cast("NetSpec", spec_from_dict(stored["spec"])), folder / "start.keras", stored["cost"])


def _found(run: Path, start: Path, cost: int) -> Found:
    spec = spec_from_dict(read_settings(run)["recipe"]["spec"])
    return Found(cast("NetSpec", spec), start, cost)


def _load(found: Found) -> keras.Model:
    return keras.models.load_model(found.start)
