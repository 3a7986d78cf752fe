"""One pass over the rows on a single device; tests/train/distributed has those on several."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

import keras  # noqa: E402

from train.distributed.strategy import Cluster  # noqa: E402
from train.training.trainer import Epoch, Trainer  # noqa: E402


def compiled(optimizer):
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


@pytest.fixture
def epoch():
    images = np.random.default_rng(0).integers(0, 3, (10, 2, 2, 1), dtype=np.uint8)
    targets = np.eye(2, dtype=np.float32)[images[:, 0, 0, 0] % 2]
    return Epoch(3, images, targets, None, batch_size=4)


def test_loss_and_accuracy_are_means_over_all_rows(epoch):
    model = compiled(keras.optimizers.SGD(0.0))
    trainer = Trainer(Cluster(), model)
    progress = trainer.train(epoch)
    logits = np.asarray(model(epoch.images.astype(np.float32)), dtype=np.float64)
    log_scores = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert progress.loss == pytest.approx(-(epoch.targets * log_scores).sum(axis=1).mean(), abs=1e-6)
    hits = logits.argmax(axis=1) == epoch.targets.argmax(axis=1)
    assert progress.accuracy == pytest.approx(hits.mean())
    assert trainer.local() is model
    assert int(model.optimizer.iterations.numpy()) == 3


def test_an_epoch_does_not_replace_the_weights_by_their_running_mean(epoch):
    keras.utils.set_random_seed(1)
    plain, averaged = (compiled(keras.optimizers.SGD(0.1, **more)) for more in ({}, {"use_ema": True}))
    averaged.set_weights(plain.get_weights())
    for model in (plain, averaged):
        Trainer(Cluster(), model).train(epoch)
    for left, right in zip(plain.get_weights(), averaged.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_network_without_the_metric_has_no_accuracy(epoch):
    model = compiled(keras.optimizers.SGD(0.0))
    model.compile(keras.optimizers.SGD(0.0), keras.losses.MeanSquaredError())
    progress = Trainer(Cluster(), model).train(epoch)
    assert progress.accuracy is None
    assert set(progress.to_dict()) == {"loss"}
