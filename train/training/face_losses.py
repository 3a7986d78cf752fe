"""Losses of the networks that find faces, for every Keras backend.

Each is a mean over crops and divides by how many faces a crop has on average, not in its batch: so the loss
of a crop does not depend on the others, nor on how a batch is shared among devices.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from train.crops import proposal_targets as maps
from train.crops import refinement as row
from train.recipes.face_recipe import FaceRecipe

# Faces in a crop of `ProposalSampler`, and the sum of their cells' weights: about the means over the scenes.
_FACES, _BOX_CELLS = 1.75, 3.25
# Shares of the crops of `RefinementSampler` that show a face, and of those with a known yaw.
_FACE_SHARE, _YAW_SHARE = 0.5, 0.375
# Labels are noisy: a hundredth of them is taken as the other one.
_SMOOTHING = 0.02


@keras.saving.register_keras_serializable("emotiny")
class ProposalLoss(keras.losses.Loss):  # type: ignore[misc]
    """CenterNet's focal loss (Zhou et al. 2019, arXiv:1904.07850, equation 1), and smooth L1 of the boxes.

    Takes targets (N, cells, cells, 6), see `train.crops.proposal_targets`, and outputs (N, cells, cells, 4).
    """

    def __init__(
        self, face: float = 1.0, box: float = 1.0, name: str = "proposal_loss", **settings: Any
    ) -> None:
        super().__init__(name=name, **settings)
        self.face, self.box = face, box

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each crop, (N,)."""
        logit, heat, weight = y_pred[..., 0], y_true[..., maps.HEAT], y_true[..., maps.WEIGHT]
        centre = ops.cast(weight == 1, logit.dtype)
        score = ops.sigmoid(logit)
        found = centre * ops.square(1 - score) * ops.log_sigmoid(logit)
        rejected = (1 - centre) * (1 - heat) ** 4 * ops.square(score) * ops.log_sigmoid(-logit)
        face = -ops.sum((found + rejected) * y_true[..., maps.COUNTS], axis=(1, 2))
        errors = ops.sum(_smooth_l1(y_pred[..., 1:] - y_true[..., maps.DX : maps.SIZE + 1], 0.2), axis=-1)
        box = ops.sum(errors * weight, axis=(1, 2))
        return self.face / _FACES * face + self.box / _BOX_CELLS * box

    def get_config(self) -> dict[str, Any]:
        """Returns what a checkpoint stores."""
        return {**super().get_config(), "face": self.face, "box": self.box}


@keras.saving.register_keras_serializable("emotiny")
class RefinementLoss(keras.losses.Loss):  # type: ignore[misc]
    """Cross-entropy of "face", and a smooth L1 loss of box, roll and yaw where there is a face.

    Takes targets (N, 8), see `train.crops.refinement`, and outputs (N, 7).
    """

    def __init__(
        self,
        face: float = 1.0,
        box: float = 1.0,
        roll: float = 1.0,
        yaw: float = 1.0,
        name: str = "refinement_loss",
        **settings: Any,
    ) -> None:
        super().__init__(name=name, **settings)
        self.face, self.box, self.roll, self.yaw = face, box, roll, yaw

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the loss of each crop, (N,)."""
        logit, is_face = y_pred[:, 0], y_true[:, row.FACE]
        label = is_face * (1 - _SMOOTHING) + _SMOOTHING / 2
        face = -(label * ops.log_sigmoid(logit) + (1 - label) * ops.log_sigmoid(-logit))
        errors = _smooth_l1(y_pred[:, 1:] - y_true[:, row.DX : row.YAW + 1], 0.4)
        box, roll = ops.sum(errors[:, :3], axis=-1), ops.sum(errors[:, 3:5], axis=-1)
        placed = is_face / _FACE_SHARE * (self.box * box + self.roll * roll)
        return self.face * face + placed + self.yaw * y_true[:, row.YAW_KNOWN] / _YAW_SHARE * errors[:, 5]

    def get_config(self) -> dict[str, Any]:
        """Returns what a checkpoint stores."""
        own = {"face": self.face, "box": self.box, "roll": self.roll, "yaw": self.yaw}
        return {**super().get_config(), **own}


def loss_of(recipe: FaceRecipe) -> keras.losses.Loss:
    """Returns a recipe's loss."""
    weights = recipe.losses
    if recipe.task == "proposal":
        return ProposalLoss(weights.face, weights.box)
    return RefinementLoss(weights.face, weights.box, weights.roll, weights.yaw)


def _smooth_l1(error: Any, beta: float) -> Any:
    """Returns |error| - beta / 2, and below `beta` a parabola that continues it (Girshick 2015)."""
    size = ops.abs(error)
    return ops.where(size < beta, ops.square(size) / (2 * beta), size - beta / 2)
