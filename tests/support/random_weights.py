"""Networks whose weights are as different as training may make them."""

import numpy as np


def randomize_weights(model):
    """Sets all weights of a model at random, with channels whose ranges differ a hundredfold; returns it."""
    random = np.random.default_rng(0)
    for weight in model.weights:
        if weight.path.endswith("moving_variance"):
            weight.assign(random.uniform(0.5, 2.0, weight.shape))
        elif weight.path.endswith("gamma"):
            weight.assign(10 ** random.uniform(-1, 1, weight.shape))
        else:
            weight.assign(random.normal(0, 0.4, weight.shape))
    return model
