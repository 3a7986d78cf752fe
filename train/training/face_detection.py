"""The objective of networks that find faces: random crops of scenes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property

import keras
import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.labels import LABELS
from edge.types import Gray
from train.crops.sources import FaceData
from train.evaluation.face_figures import HEADLINES, FaceEvaluation
from train.evaluation.predictions import predict
from train.models.sepnet import build
from train.recipes.face_recipe import FaceRecipe
from train.training.crop_epochs import CropEpoch, iter_crops
from train.training.epochs import Checkpoints
from train.training.face_losses import loss_of
from train.training.hard_mining import mined_negatives
from train.training.optimizers import make_optimizer
from train.training.trainer import Epoch


class FaceDetection:
    """Trains on random crops; the best epoch has the highest of `HEADLINES` on the validation crops."""

    def __init__(self, recipe: FaceRecipe, data: FaceData, checkpoints: Checkpoints) -> None:
        """Takes the recipe, what crops are taken from, and the checkpoints that the run builds on.

        Raises:
            DataError: the network that proposes counter-examples is not trained.
        """
        for name in recipe.teachers:
            if name not in checkpoints.teachers:
                raise DataError(
                    f"{recipe.name} needs counter-examples from {name}, which is not trained: "
                    f"train {name} first"
                )
        self._recipe, self._data, self._checkpoints = recipe, data, checkpoints
        self._loss = loss_of(recipe)
        self.labels = LABELS[recipe.task]
        self.steps = -(-recipe.crops // recipe.batch_size)
        self.score = f"val_{HEADLINES[recipe.task]}"

    @cached_property
    def _evaluation(self) -> FaceEvaluation:
        recipe = self._recipe
        return FaceEvaluation.of(recipe.task, self._data.val, recipe.spec.size, recipe.validation_crops)

    def compiled_model(self) -> keras.Model:
        """Builds the network and compiles it with its loss and its optimizer."""
        recipe = self._recipe
        model = build(recipe.spec, precision=recipe.precision)
        model.compile(make_optimizer(recipe, self.steps), self._loss)
        return model

    @contextmanager
    def epochs(self, first: int) -> Iterator[Iterator[Epoch]]:
        """Opens an iterator over the epochs from an index on."""
        sources = self._data.train
        if self._recipe.miner:
            mined = mined_negatives(
                sources.images,
                self._checkpoints.teachers[self._recipe.miner],
                self._checkpoints.cache,
                self._checkpoints.teachers[self._recipe.judge] if self._recipe.judge else None,
            )
            sources = replace(sources, mined=mined)
        with iter_crops(self._recipe, sources, first) as epochs:
            yield map(self._epoch, epochs)

    def validate(self, model: keras.Model) -> Mapping[str, float]:
        """Returns the loss and the headline figures of the validation crops."""
        outputs: list[npt.NDArray[np.float32]] = []

        def run(images: Gray) -> npt.NDArray[np.float32]:
            outputs.append(predict(model, images[..., np.newaxis]))
            return outputs[0]

        figures = self._evaluation.figures(run).headlines
        loss = keras.ops.convert_to_numpy(self._loss(self._evaluation.crops.targets, outputs[0]))
        return {"val_loss": float(loss), **{f"val_{name}": value for name, value in figures.items()}}

    def validate_training(self, _: keras.Model) -> Mapping[str, float]:
        """Returns nothing: no two epochs have the same crops, so none is seen twice."""
        return {}

    def describe(self, row: Mapping[str, float], best: float) -> str:
        """Describes an epoch: the validation loss, the headline figure, and the best one so far."""
        name = self.score.removeprefix("val_").replace("_", " ")
        value = f"{100 * row[self.score]:.2f} % (best {100 * best:.2f} %)"
        return f"validation loss {row['val_loss']:.4f}, {name} {value}"

    def _epoch(self, data: CropEpoch) -> Epoch:
        # The crops are in a random order as they are drawn.
        images = data.images[..., np.newaxis]
        return Epoch(data.epoch, images, data.targets, None, self._recipe.batch_size)
