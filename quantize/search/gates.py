"""Gates that back-propagation trains: the hard concrete distribution, and the multiplier of their price.

Louizos et al. 2018, arXiv:1712.01312. A gate is a random number that is exactly 0 or 1 in most samples and
lies between them in the others, so that the loss has a gradient with respect to the gate's one parameter.
"""

from __future__ import annotations

import math
from typing import Any

import keras

# As in the paper: the temperature, and the ends to which the distribution is stretched before it is clipped.
_BETA, _GAMMA, _ZETA = 2 / 3, -0.1, 1.1


def sample_gates(log_alpha: Any, uniform: Any) -> Any:
    """Samples gates (equations 10 and 11 of the paper).

    Args:
        log_alpha: tensor of the gates' parameters.
        uniform: of the same shape, evenly distributed between 0 and 1, both excluded.

    Returns:
        A tensor of the same shape, 0 to 1.
    """
    noise = keras.ops.log(uniform) - keras.ops.log(1 - uniform)
    stretched = keras.ops.sigmoid((noise + log_alpha) / _BETA) * (_ZETA - _GAMMA) + _GAMMA
    return keras.ops.clip(stretched, 0.0, 1.0)


def open_probability(log_alpha: Any) -> Any:
    """Returns the probability that a gate is not 0 (equation 12), whose sum is the expected L0 norm."""
    return keras.ops.sigmoid(log_alpha - _BETA * math.log(-_GAMMA / _ZETA))


class LagrangeMultiplier:
    """The force that drives a price to its target: an augmented Lagrangian (Hestenes 1969, Powell 1969).

    Attributes:
        value: Keras variable of one number, the multiplier.
    """

    def __init__(self, rate: float, stiffness: float) -> None:
        """Takes the rate at which the multiplier rises with the excess, and the weight of its square."""
        self._rate, self._stiffness = rate, stiffness
        self.value = keras.Variable(0.0, trainable=False, name="multiplier")

    def penalty(self, excess: Any) -> Any:
        """Returns what is added to the loss.

        Args:
            excess: price above the target, as a share of the final target.
        """
        return self.value * excess + self._stiffness / 2 * excess**2

    def rise(self, excess: Any) -> None:
        """Moves the multiplier after a step: up while the price is too high, and down again below."""
        self.value.assign(keras.ops.maximum(self.value + self._rate * excess, 0.0))
