"""Trains a task's teachers and students in a given time on one accelerator.

The time is shared out in advance, and each stage's learning rate falls over its own share: whatever the
accelerator's speed, every network is trained to the end of its schedule, only with more or fewer epochs. Each
stage writes its weights as soon as it is done. While teachers are trained, other threads compile the
students.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from train.accelerator.answers import Answers, fingerprint, read_answers
from train.accelerator.archived import Archived
from train.accelerator.camera import Geometry, normalized, place, spoil
from train.accelerator.pack import Array, read_pack
from train.accelerator.plan import Plan
from train.accelerator.population import Budget, Instance, Method, Population
from train.accelerator.samplers import student_sampler, teacher_sampler
from train.models.spec import NetSpec, Spec, TeacherSpec
from train.training.muon import PointwiseMuon

logger = logging.getLogger(__name__)

_START = time.monotonic()
# Compiling threads; one more trains.
_THREADS = 4
# How long the search waits for a structure that is still being compiled.
_PATIENCE = 20.0
# Seconds that are left for writing at the end.
_RESERVE = 8.0
# What students are validated with, beside clean pictures.
_VALIDATION = Geometry(20, 0.1, 1.2)
_ANSWERED = 2048


def log(text: str) -> None:
    """Logs a line with the seconds since the start."""
    logger.info("[%6.1f s] %s", time.monotonic() - _START, text)


class Program:
    """A plan on a pack's data."""

    def __init__(
        self,
        plan: Plan,
        pack: Path,
        out: Path,
        seconds: float,
        teachers: Path | Sequence[Archived] = (),
    ) -> None:
        """Reads the pack onto the accelerator.

        Args:
            plan: what to train.
            pack: file of `train.accelerator.pack`.
            out: folder for the results; created.
            seconds: time for all, counted from the start of the process.
            teachers: trained teachers, or `answers.npz` of an earlier run with this pack and the plan's
                number of views: no teacher is trained, and students have all of the time.

        Raises:
            DataError: the answers are missing, damaged, or for other pictures or views.
        """
        self.plan, self.out, self.end = plan, out, _START + seconds
        self._facts = {"pack": hashlib.sha256(pack.read_bytes()).hexdigest(), "jax": jax.__version__}
        self.seconds = seconds
        arrays = read_pack(pack)
        self._pictures = fingerprint(arrays)
        self._answers: Answers | None = None
        self._teachers: Sequence[Archived] = ()
        if isinstance(teachers, Path):
            self._answers = read_answers(teachers, self._pictures, plan.views)
        else:
            self._teachers = teachers
        out.mkdir(parents=True, exist_ok=True)
        log(f"read {pack.name}: {len(arrays['labels'])} rows")
        labels = arrays["labels"].astype(int)
        targets = np.eye(int(arrays["classes"]), dtype=np.float32)[labels]
        taught = targets
        if plan.votes:
            taught = (1 - plan.votes) * targets + plan.votes * arrays["votes"].astype(np.float32)
        taught = (1 - plan.smoothing) * taught + plan.smoothing / targets.shape[1]
        self.images = jnp.asarray(arrays["images"])
        self.targets, self.teacher_targets = jnp.asarray(targets), jnp.asarray(taught)
        self.rows = jnp.asarray(_rows(labels, plan.repeats, arrays.get("weights")), dtype=jnp.int32)
        self.val_labels = arrays["val_labels"].astype(int)
        validation = jnp.asarray(arrays["val_images"])
        self.val = _normalized(validation.astype(jnp.float32))
        key, amount = jax.random.key(7), jnp.ones(len(validation))
        moved = jax.jit(lambda x: place(key, x, _VALIDATION, amount, False))(validation)
        self.val_camera = jax.jit(lambda x: normalized(spoil(key, x, 0.0)))(moved)
        self.val_answers: Array | None = None

    def left(self) -> float:
        """Returns the seconds that are left."""
        return self.end - time.monotonic()

    def validate(self, population: Population) -> dict[str, Any]:
        """Returns accuracy (and divergence from the teachers) on clean and spoiled validation pictures."""
        row = {}
        for name, images in (("clean", self.val), ("camera", self.val_camera)):
            logits = np.asarray(population.predict(images))
            row[name] = (logits.argmax(-1) == self.val_labels).mean(-1).round(4).tolist()
            if self.val_answers is not None:
                scores = np.asarray(jax.nn.log_softmax(logits))
                answers = self.val_answers
                divergence = (answers * (np.log(answers + 1e-9) - scores)).sum(-1).mean(-1)
                row[f"{name}_kl"] = divergence.round(4).tolist()
        return row

    def save(self, name: str, population: Population, index: int, more: dict[str, Any]) -> None:
        """Writes an instance: its weights, its spec, and its log."""
        small = isinstance(population.spec, NetSpec)
        arrays: dict[str, Any] = {
            f"{number:04d}": weight.astype(np.float32 if small else np.float16)
            for number, weight in enumerate(population.weights(index))
        }
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)
        text = {
            "spec": asdict(population.spec),
            "instance": asdict(population.instances[index]),
            "index": index,
            "epochs": population.epochs,
            "log": population.log,
            "device": jax.devices()[0].device_kind,
            **self._facts,
            **more,
        }
        # A teacher is large: each has a file of its own.
        with zipfile.ZipFile(self.out / ("small.zip" if small else f"{name}.zip"), "a") as file:
            file.writestr(f"{name}.npz", content.getvalue())
            file.writestr(f"{name}.json", json.dumps(text))

    def teacher(self, seed: int, spec: TeacherSpec | None = None) -> Population:
        """Returns an untrained teacher, of the plan's spec if none is given."""
        plan, settings = self.plan, {"clean": self.plan.teacher_clean}
        sampler = teacher_sampler(plan.teacher_geometry, 0.4)
        method = Method(
            lambda: _adamw(plan.teacher_rate), sampler, plan.teacher_batch, plan.teacher_precision
        )
        return Population(spec or plan.teacher, [Instance(seed, plan.teacher_rate, settings)], method)

    def student(self, spec: Spec, instances: Sequence[Instance]) -> Population:
        """Returns untrained students of one structure."""
        sampler = student_sampler(self.plan.student_geometry)
        return Population(spec, instances, Method(_muon, sampler, self.plan.student_batch))

    def run(self) -> None:
        """Trains all of the plan."""
        plan = self.plan
        to_train = self._answers is None and not self._teachers
        first = self._compiled_teacher() if to_train else None
        pool = ThreadPoolExecutor(_THREADS)
        trials = {name: self.student(spec, plan.trials) for name, spec in plan.structures.items()}
        shapes = self._student_shapes()
        compiling = {name: pool.submit(each.compile, self.rows, shapes) for name, each in trials.items()}
        views = self._views()
        log("views made")
        answers = self._answers or (
            self._train_teachers(first, views) if first else self._ask_teachers(views)
        )
        self.val_answers = answers.validation
        students = {"views": views, "answers": jnp.asarray(answers.training), "targets": self.targets}
        name, best = self._search(trials, compiling, students)
        # As many instances as in a trial, so that its compiled program serves again.
        seeds = [replace(best, seed=seed) for seed in plan.seeds]
        final = self.student(plan.structures[name], seeds)
        final.adopt(trials[name])
        final.train(self.rows, students, Budget(seconds=max(5.0, self.left() - _RESERVE)), self.validate)
        for index, instance in enumerate(seeds):
            self.save(f"student-{instance.seed}", final, index, {"structure": name})
        log(f"students: {final.epochs} epochs of {name}, {best}")

    def _student_shapes(self) -> dict[str, Any]:
        views = (self.plan.views, len(self.targets), 48, 48)
        return {
            "views": jax.ShapeDtypeStruct(views, jnp.uint8),
            "answers": jax.ShapeDtypeStruct((*views[:2], self.targets.shape[1]), jnp.float16),
            "targets": jax.ShapeDtypeStruct(self.targets.shape, jnp.float32),
        }

    def _teacher_data(self) -> dict[str, Any]:
        return {"images": self.images, "targets": self.teacher_targets}

    def _compiled_teacher(self) -> Population:
        first = self.teacher(1)
        log(f"teacher compiled in {first.compile(self.rows, self._teacher_data()):.1f} s")
        return first

    def _train_teachers(self, first: Population, views: Any) -> Answers:
        """Trains all teachers; returns and writes their answers."""
        plan, data = self.plan, self._teacher_data()
        budget = plan.teachers_share * self.seconds / plan.teachers

        def trained() -> Iterator[Population]:
            for seed in range(1, plan.teachers + 1):
                teacher = first if seed == 1 else self.teacher(seed)
                teacher.adopt(first)
                teacher.train(self.rows, data, Budget(seconds=budget), self.validate)
                self.save(f"teacher-{seed}", teacher, 0, {})
                log(f"teacher {seed}: {teacher.epochs} epochs")
                yield teacher

        return self._mean_answers(trained(), views)

    def _ask_teachers(self, views: Any) -> Answers:
        """Lets trained teachers answer; returns and writes their answers."""

        def loaded() -> Iterator[Population]:
            for archived in self._teachers:
                teacher = self.teacher(1, archived.spec)
                teacher.load(archived.weights)
                log(f"teacher {archived.name}")
                yield teacher

        return self._mean_answers(loaded(), views)

    def _mean_answers(self, teachers: Iterable[Population], views: Any) -> Answers:
        answers, val_answers = [], []
        first: Population | None = None
        for teacher in teachers:
            if first and first.spec == teacher.spec:
                teacher.adopt(first)
            first = first or teacher
            answers.append(np.stack([self._scores(teacher, view) for view in views]))
            val_answers.append(self._scores(teacher, self.val))
            right = (np.mean(val_answers, axis=0).argmax(-1) == self.val_labels).mean()
            log(f"the mean of all so far is right in {right:.4f}")
        mean = np.mean(answers, axis=0).astype(np.float16)
        result = Answers(mean, np.mean(val_answers, axis=0), self._pictures)
        result.write(self.out / "answers.npz")
        return result

    def _search(
        self, trials: Mapping[str, Population], compiling: Mapping[str, Future[float]], data: Any
    ) -> tuple[str, Instance]:
        """Trains all structures for equally long; returns the best one's name and settings."""
        results: list[tuple[float, str, Instance]] = []
        seconds = self.plan.search_share * self.seconds / len(trials)
        for name, population in trials.items():
            try:
                compiling[name].result(timeout=_PATIENCE if results else None)
            except TimeoutError:
                log(f"{name}: not compiled in time, left out")
                continue
            population.train(self.rows, data, Budget(seconds=seconds), self.validate)
            row = population.log[-1]
            for index, instance in enumerate(population.instances):
                results.append((row["clean_kl"][index] + row["camera_kl"][index], name, instance))
            self.save(f"trial-{name}", population, 0, {})
        results.sort(key=lambda result: result[0])
        for divergence, name, instance in results:
            log(f"{divergence:.4f} {name} {instance}")
        return results[0][1:]

    def _views(self) -> Any:
        """Returns (views, N, 48, 48) uint8: the unchanged crops, then changed ones."""
        make = jax.jit(
            lambda key, images, amount: jnp.round(
                place(key, images, self.plan.view_geometry, amount * jnp.ones(len(images)), False)
            ).astype(jnp.uint8)
        )
        keys = jax.random.split(jax.random.key(11), self.plan.views)
        return jnp.stack([make(key, self.images, min(1, number)) for number, key in enumerate(keys)])

    def _scores(self, teacher: Population, images: Any) -> Array:
        """Returns a teacher's mean scores for images and their mirror images: (N, C) float32."""
        parts = []
        for start in range(0, len(images), _ANSWERED):
            part = images[start : start + _ANSWERED]
            count = len(part)
            part = jnp.pad(part, ((0, _ANSWERED - count), *((0, 0),) * (part.ndim - 1)))
            if part.ndim == 3:
                part = _normalized(part.astype(jnp.float32))
            logits = [teacher.predict(both)[0] for both in (part, part[:, :, ::-1])]
            parts.append(np.mean([jax.nn.softmax(each) for each in logits], axis=0)[:count])
        return np.concatenate(parts)


_normalized = jax.jit(normalized)


def _rows(labels: Array, repeats: Mapping[int, int], weights: Array | None) -> Array:
    """Returns the rows of an epoch: all, some of them several times; by their weights if there are any."""
    if weights is not None:
        random = np.random.default_rng(0).random(len(labels))
        return np.repeat(np.arange(len(labels)), np.floor(weights + random).astype(int))
    more = [np.tile(np.flatnonzero(labels == label), times) for label, times in repeats.items()]
    return np.concatenate([np.arange(len(labels)), *more])


def _adamw(rate: float) -> keras.optimizers.Optimizer:
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.05)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _muon() -> keras.optimizers.Optimizer:
    return PointwiseMuon(0.02, weight_decay=0.05, adam_weight_decay=None)
