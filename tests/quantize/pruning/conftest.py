"""A network whose channels are grouped, measured and removed."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def prunable_spec():
    from train.models.spec import NetSpec, Stage

    return NetSpec(stem=6, stages=(Stage(8, 2, 1, repeats=2), Stage(10, 1)), head=5, classes=4, size=16)


@pytest.fixture
def net(prunable_spec):
    """A network whose BatchNorms have statistics, scales and offsets of their own, as after training."""
    import keras

    from train.models.sepnet import build

    keras.utils.set_random_seed(3)
    # In float64, differences can be taken over a step too small to cross the kink of a ReLU.
    model = build(prunable_spec, precision="float64")
    random = np.random.default_rng(3)
    for layer in model.get_layer("body").layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            width = layer.gamma.shape[0]
            layer.set_weights(
                [
                    random.uniform(0.5, 1.5, width),
                    random.normal(0, 0.5, width),
                    random.normal(0, 0.2, width),
                    random.uniform(0.5, 2, width),
                ]
            )
    return model
