"""Muon for networks of 1x1 convolutions."""

from __future__ import annotations

from typing import Any

import keras

# The share of the learning rate that variables other than 1x1 kernels are trained with, by AdamW.
_ADAMW_SHARE = 0.25


# Checkpoints name the class "emotiny>PointwiseMuon": another name would make them unreadable.
@keras.saving.register_keras_serializable("emotiny")
class PointwiseMuon(keras.optimizers.Muon):  # type: ignore[misc]
    """Muon (Jordan et al. 2024; scaled as in Liu et al. 2025, arXiv:2502.16982) for 1x1 convolutions.

    A step moves a matrix by the orthogonal matrix nearest to its momentum, so that all directions of the
    matrix learn at the same pace; AdamW moves only a few of them. Keras' own class does this for dense layers
    only. Variables other than 1x1 kernels are trained by AdamW, with a quarter of the learning rate.
    """

    def __init__(self, learning_rate: Any = 0.016, **settings: Any) -> None:
        super().__init__(learning_rate, **{"adam_lr_ratio": _ADAMW_SHARE} | settings)

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) != 4 or tuple(variable.shape[:2]) != (1, 1)

    def lr_adjust(self, x: Any) -> Any:
        """Scales a step so that its size does not depend on the matrix's size.

        Keras' own method takes the matrix's size from the first two axes, which are 1 here.
        """
        return x * (max(x.shape[-2:]) ** 0.5 * self.rms_rate)
