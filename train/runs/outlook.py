"""Estimates how long the stages of a training take, from what they compute and what the first ones took."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from train.models.complexity import multiply_accumulates
from train.models.sepnet import build
from train.models.spec import ReferenceSpec, Spec, TeacherSpec
from train.recipes.face_recipe import AnyRecipe, FaceRecipe
from train.recipes.registry import RECIPES

# About the size of each dataset's training split, which is not read before its stage begins.
_ROWS = {"fer2013": 28_700, "utkface": 17_100, "ckplus": 800, "rafd": 4_000, "imdb-wiki": 150_000}
# A training step multiplies about three times as much as reading the images does.
_STEP = 3
# Plain 3x3 convolutions run at about four times as many multiplications a second as depthwise ones: 29 to
# 43 billion were measured on two cores, where small networks reach 5 to 11.
_DENSE_SPEED = 4


def work_of(recipe: AnyRecipe) -> float:
    """Returns the multiplications that a recipe needs, in those of depthwise convolutions."""
    epochs = recipe.epochs
    if isinstance(recipe, FaceRecipe):
        return float(epochs * recipe.crops * _STEP * _multiplications(recipe.spec))
    rows = _ROWS.get(recipe.dataset, 10_000)
    teachers = [RECIPES[name].spec for name in recipe.teachers if name in RECIPES]
    answers = 2 * recipe.views * sum(map(_multiplications, teachers))
    return float(rows * (epochs * _STEP * _multiplications(recipe.spec) + answers))


class Outlook:
    """The time that all stages of a training will still take."""

    def __init__(
        self, work: Sequence[float], left: Sequence[float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Takes the work of each stage, what is left of it, 0 if it is finished, and a clock in seconds."""
        self._work, self._left, self._clock = work, left, clock
        self._stage, self._started_s, self._begun_s = 0, clock(), clock()

    def begin(self, stage: int) -> None:
        """Notes that a stage begins, and that those before are finished."""
        self._stage, self._begun_s = stage, self._clock()

    def __call__(self, whole_s: float | None, share: float) -> float | None:
        """Returns the seconds that remain; None as long as nothing was measured.

        Args:
            whole_s: seconds that all epochs of the present stage take; None if that is not known.
            share: the share of them that is done, 0 to 1.
        """
        own, later = self._left[self._stage], sum(self._left[self._stage + 1 :])
        pace = self._pace(whole_s)
        if pace is None:
            return whole_s * (1 - share) if whole_s is not None and not later else None
        own_s = own * pace if whole_s is None else whole_s * (1 - share)
        return own_s + later * pace

    def _pace(self, whole_s: float | None) -> float | None:
        """Returns the seconds for a unit of work: in the stages before, else in the present one."""
        before, own = sum(self._left[: self._stage]), self._work[self._stage]
        seconds = self._begun_s - self._started_s if before else 0.0
        if whole_s is not None:
            before, seconds = before + own, seconds + whole_s
        return seconds / before if before and seconds else None


def _multiplications(spec: Spec) -> float:
    if isinstance(spec, ReferenceSpec):
        spec = replace(spec, pretrained=False)  # the weights do not matter, and may have to be fetched
    count = multiply_accumulates(build(spec).get_layer("body"))
    return count / _DENSE_SPEED if isinstance(spec, (TeacherSpec, ReferenceSpec)) else float(count)
