"""Muon for convolutions: what a 1x1 kernel does is a matrix, and is trained as one."""

from __future__ import annotations

from typing import Any

import keras

# AdamW's part of the learning rate, for everything that is no matrix.
_ADAMW_SHARE = 0.25


@keras.saving.register_keras_serializable("emotiny")
class PointwiseMuon(keras.optimizers.Muon):  # type: ignore[misc]
    """Keras' Muon (Jordan et al. 2024; scaled as in Liu et al. 2025, arXiv:2502.16982), with 1x1 kernels.

    A step moves a matrix by the orthogonal one nearest to its momentum, so that all directions that it maps
    learn at one pace; AdamW moves few of them. Keras' own class does so with dense layers only. Everything
    that is no 1x1 kernel is AdamW's, at a quarter of the learning rate.
    """

    def __init__(self, learning_rate: Any = 0.016, **settings: Any) -> None:
        super().__init__(learning_rate, **{"adam_lr_ratio": _ADAMW_SHARE} | settings)

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) != 4 or tuple(variable.shape[:2]) != (1, 1)

    def lr_adjust(self, x: Any) -> Any:
        """A step whose size does not depend on the matrix's. Keras would take it from the first two axes."""
        return x * (max(x.shape[-2:]) ** 0.5 * self.rms_rate)
