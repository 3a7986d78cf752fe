"""Training on a toy set: it learns, resumes to the same weights, and refuses a folder of another run."""

import csv
import json
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from edge.errors import ConfigError, DataError

pytestmark = pytest.mark.train

import keras  # noqa: E402

from train.augment import plain_images  # noqa: E402
from train.evaluation.groups import balanced_weights  # noqa: E402
from train.evaluation.metrics import evaluate  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.models.spec import TeacherSpec  # noqa: E402
from train.training.epochs import Checkpoints  # noqa: E402
from train.training.fit import fit  # noqa: E402
from train.training.optimizers import make_optimizer  # noqa: E402
from train.training.run_folder import locked, rounded  # noqa: E402
from train.training.trainer import Trainer  # noqa: E402
from train.training.views import expand  # noqa: E402


def weights_of(run, name="best.keras"):
    return [np.asarray(weight) for weight in keras.models.load_model(run / name).weights]


def assert_same_weights(left_run, right_run, name="best.keras"):
    for left, right in zip(weights_of(left_run, name), weights_of(right_run, name), strict=True):
        np.testing.assert_array_equal(left, right)


def log_without_seconds(run):
    return [line.rsplit(",", 1)[0] for line in (run / "log.csv").read_text().splitlines()]


@pytest.fixture
def finished(toy_run, tmp_path):
    """A copy of the finished toy run."""
    return shutil.copytree(toy_run, tmp_path / "finished")


def test_a_run_learns_and_records_what_decided_it(toy, toy_run):
    log = log_without_seconds(toy_run)
    assert len(log) == 5
    assert max(float(line.split(",")[5]) for line in log[1:]) > 0.9
    stored = json.loads((toy_run / "run.json").read_text())
    assert stored["recipe"]["spec"]["stem"] == 6
    assert stored["data"]["fingerprint"] == toy.fingerprint()
    assert stored["labels"] == list(toy.label_names)


def test_training_accuracy_is_measured_against_labels_and_not_against_targets(toy, toy_recipe, tmp_path):
    # Towards the votes of annotators who always see the next label.
    wrong = np.eye(7, dtype=np.float32)[(toy.labels + 1) % 7]
    data = replace(toy, soft_labels=wrong)
    fit(replace(toy_recipe, votes=1.0), data, tmp_path / "run")
    with (tmp_path / "run" / "log.csv").open() as text:
        last = list(csv.DictReader(text))[-1]
    assert float(last["accuracy"]) > 0.8
    assert float(last["train_accuracy"]) < 0.1


def test_an_interrupted_run_resumes_to_the_same_weights(
    interrupted_after, toy, toy_recipe, toy_run, tmp_path
):
    run = tmp_path / "broken"
    with interrupted_after("broken 2/4"):
        fit(toy_recipe, toy, run)
    assert len(log_without_seconds(run)) == 3
    # The line of an epoch whose checkpoint was not written, because the process died in between.
    with (run / "log.csv").open("a") as text:
        text.write("3,0,0,0,0,1.0,0,0\n")
    # An unfinished run must not be resumed with other versions.
    stored = (run / "run.json").read_text()
    versions = json.loads(stored)["versions"] | {"numpy": "0.1"}
    (run / "run.json").write_text(json.dumps(json.loads(stored) | {"versions": versions}))
    with pytest.raises(ConfigError, match="holds a run with another versions"):
        fit(toy_recipe, toy, run)
    (run / "run.json").write_text(stored)
    fit(toy_recipe, toy, run)
    assert log_without_seconds(run) == log_without_seconds(toy_run)
    for name in ("best.keras", "final.keras"):
        assert_same_weights(run, toy_run, name)


def test_dropout_goes_on_with_its_next_masks(interrupted_after, toy, toy_recipe, tmp_path):
    recipe = replace(toy_recipe, spec=TeacherSpec((4, 4), 7, toy_recipe.spec.size), epochs=2)
    fit(recipe, toy, tmp_path / "whole")
    with interrupted_after("broken 1/2"):
        fit(recipe, toy, tmp_path / "broken")
    fit(recipe, toy, tmp_path / "broken")
    assert log_without_seconds(tmp_path / "broken") == log_without_seconds(tmp_path / "whole")
    assert_same_weights(tmp_path / "broken", tmp_path / "whole", "final.keras")


def test_a_finished_run_is_left_as_it_is_even_with_other_versions(toy, toy_recipe, finished):
    stored = json.loads((finished / "run.json").read_text())
    stored["versions"]["numpy"] = "0.1"
    (finished / "run.json").write_text(json.dumps(stored))
    before = {path: path.stat().st_mtime_ns for path in finished.iterdir()}
    model = fit(toy_recipe, toy, finished)
    assert {path: path.stat().st_mtime_ns for path in finished.iterdir()} == before
    for left, right in zip(model.weights, weights_of(finished), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_folder_of_another_run_is_refused(toy, toy_recipe, finished):
    with pytest.raises(ConfigError, match="holds a run with another recipe"):
        fit(replace(toy_recipe, seed=2), toy, finished)
    with pytest.raises(ConfigError, match="holds a run with another data"):
        fit(toy_recipe, replace(toy, labels=(toy.labels + 1) % 7), finished)
    with pytest.raises(ConfigError, match="holds a run with another sources"):
        fit(toy_recipe, toy, finished, Checkpoints(finished / "best.keras"))
    (finished / "run.json").unlink()
    (finished / "final.keras").unlink()
    before = (finished / "best.keras").read_bytes()
    with pytest.raises(ConfigError, match=r"holds checkpoints but no run\.json"):
        fit(toy_recipe, toy, finished)
    assert (finished / "best.keras").read_bytes() == before


def test_two_processes_do_not_train_one_run(toy, toy_recipe, tmp_path):
    with locked(tmp_path), pytest.raises(ConfigError, match="another process is training it"):
        fit(toy_recipe, toy, tmp_path)


def test_what_the_network_and_the_data_lack_is_refused(toy, toy_recipe, tmp_path):
    with pytest.raises(ConfigError, match="5 classes for toy's 7 labels"):
        fit(replace(toy_recipe, spec=replace(toy_recipe.spec, classes=5)), toy, tmp_path)
    for split in ("train", "val"):
        with pytest.raises(DataError, match=split):
            fit(toy_recipe, toy.take(np.flatnonzero(toy.splits != split)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_network_of_another_size_than_the_faces_is_refused(toy, toy_recipe, tmp_path):
    recipe = replace(toy_recipe, spec=replace(toy_recipe.spec, size=24), views=2)
    for refused in (
        partial(fit, recipe, toy, tmp_path / "run"),
        partial(expand, toy, recipe, tmp_path / "cache"),
    ):
        with pytest.raises(
            ConfigError, match=rf"a network of 24 pixels .* pictures of {toy.images.shape[1]}"
        ):
            refused()
    assert not list(tmp_path.iterdir())


def test_the_first_of_equal_epochs_is_kept_also_after_an_interruption(
    interrupted_after, toy, toy_recipe, tmp_path, monkeypatch
):
    # The log holds 1/3 rounded down.
    always = evaluate("toy val", toy.label_names, np.array([0, 0, 0]), np.array([0, 1, 1]))
    assert float(rounded(always.accuracy)) < always.accuracy
    monkeypatch.setattr("train.training.classification.evaluate_logits", lambda *_: always)
    recipe = replace(toy_recipe, epochs=3)
    with interrupted_after("run 2/3"):
        fit(recipe, toy, tmp_path / "run")
    first = (tmp_path / "run" / "best.keras").read_bytes()
    fit(recipe, toy, tmp_path / "run")
    assert (tmp_path / "run" / "best.keras").read_bytes() == first


def test_the_best_epoch_before_an_interruption_stays_the_best(
    interrupted_after, toy, toy_recipe, tmp_path, monkeypatch
):
    labels = np.zeros(10, np.int64)
    accuracies = iter((0.5, 0.2, 0.3))

    def scripted(*_):
        wrong = (np.arange(10) >= 10 * next(accuracies)).astype(np.int64)
        return evaluate("toy val", toy.label_names, labels, wrong)

    monkeypatch.setattr("train.training.classification.evaluate_logits", scripted)
    recipe = replace(toy_recipe, epochs=3)
    with interrupted_after("run 2/3"):
        fit(recipe, toy, tmp_path / "run")
    first = (tmp_path / "run" / "best.keras").read_bytes()
    fit(recipe, toy, tmp_path / "run")
    assert (tmp_path / "run" / "best.keras").read_bytes() == first


def test_parameters_are_those_of_the_file(toy, toy_recipe, tmp_path):
    from quantize.conversion.converter import to_int8
    from quantize.tflite.inspect import read_contents

    # As wide at its end as at its start: a single bias of zeros serves both.
    recipe = replace(toy_recipe, spec=replace(toy_recipe.spec, head=toy_recipe.spec.stem), epochs=1)
    model = fit(recipe, toy, tmp_path / "run")
    stored = json.loads((tmp_path / "run" / "run.json").read_text())["parameters"]
    assert stored == read_contents(to_int8(model, toy.images[:70])).parameters


def test_a_run_starts_from_another_runs_weights(toy, toy_recipe, toy_run, tmp_path):
    start = Checkpoints(toy_run / "best.keras")
    later = replace(toy_recipe, epochs=1, learning_rate=1e-9, seed=5)
    model = fit(later, toy, tmp_path / "later", start)
    for left, right, variable in zip(weights_of(toy_run), model.weights, model.weights, strict=True):
        if not variable.path.endswith(("moving_mean", "moving_variance")):
            np.testing.assert_allclose(left, right, atol=1e-5)
    other = replace(later, spec=replace(later.spec, stem=7))
    with pytest.raises(ConfigError, match="no checkpoint of this spec to start from"):
        fit(other, toy, tmp_path / "other", start)
    assert not (tmp_path / "other").exists()  # or the next try would find a run with another start there


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "adam", "schedule": "constant", "learning_rate": 3e-3, "standardize": True},
        {"optimizer": "momentum", "learning_rate": 3e-2, "augmentation": None},
    ],
    ids=lambda change: change["optimizer"],
)
def test_other_ways_of_training_learn_as_well(toy, toy_recipe, tmp_path, change):
    model = fit(replace(toy_recipe, epochs=3, **change), toy, tmp_path / "run")
    rows = toy.part("val")
    crops = plain_images(rows, toy_recipe.crop)[..., np.newaxis]
    assert (model.predict(crops, verbose=0).argmax(axis=1) == rows.labels).mean() > 0.5
    if "standardize" in change:
        pixels = plain_images(toy.part("train"), toy_recipe.crop)
        scaled = np.asarray(model.get_layer("scale")(pixels.astype(np.float32)))
        assert scaled.mean() == pytest.approx(0, abs=1e-4)
        assert scaled.std() == pytest.approx(1, abs=1e-4)


def test_rows_are_shuffled_together_with_their_targets_and_weights(toy, toy_recipe, tmp_path, monkeypatch):
    epochs = []

    def record(_, epoch):
        epochs.append(epoch)
        raise KeyboardInterrupt

    # Every second row of one label is missing, so that the weights differ.
    rows = toy.take(np.flatnonzero((toy.labels != 3) | (np.arange(len(toy)) % 2 == 0)))
    monkeypatch.setattr(Trainer, "train", record)
    with pytest.raises(KeyboardInterrupt):
        fit(replace(toy_recipe, augmentation=None, balance=1.0), rows, tmp_path / "run")
    (epoch,) = epochs
    training = rows.part("train")
    crops = plain_images(training, toy_recipe.crop)
    order = [int(np.flatnonzero((crops == image[..., 0]).all(axis=(1, 2)))[0]) for image in epoch.images]
    assert sorted(order) == list(range(len(training)))
    assert order != sorted(order)
    np.testing.assert_array_equal(epoch.targets.argmax(axis=1), training.labels[order])
    np.testing.assert_array_equal(epoch.weights, balanced_weights(training, 1.0)[order])
    assert len(np.unique(epoch.weights)) == 2


def test_images_of_a_label_are_seen_as_often_as_the_recipe_says(toy, toy_recipe, tmp_path, monkeypatch):
    epochs = []

    def record(_, epoch):
        epochs.append(epoch)
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "train", record)
    recipe = replace(toy_recipe, augmentation=None, appearances=(1, 3, 1, 1, 2, 1, 1))
    with pytest.raises(KeyboardInterrupt):
        fit(recipe, toy, tmp_path / "run")
    (epoch,) = epochs
    counts = np.bincount(toy.part("train").labels)
    np.testing.assert_array_equal(
        np.bincount(epoch.targets.argmax(axis=1)), counts * np.array(recipe.appearances)
    )
    assert (np.unique(epoch.images, axis=0, return_counts=True)[1] == 3).sum() == counts[1]


def test_running_means_are_evaluated_and_kept_and_resumed(interrupted_after, toy, toy_recipe, tmp_path):
    recipe = replace(toy_recipe, averaging=0.9, epochs=3)
    fit(recipe, toy, tmp_path / "whole")
    with interrupted_after("broken 2/3"):
        fit(recipe, toy, tmp_path / "broken")
    fit(recipe, toy, tmp_path / "broken")
    for name in ("best.keras", "final.keras"):
        assert_same_weights(tmp_path / "whole", tmp_path / "broken", name)
    # The last epoch is the best one, so that its running means are in both files.
    accuracies = [float(line.split(",")[5]) for line in log_without_seconds(tmp_path / "whole")[1:]]
    assert accuracies[-1] > max(accuracies[:-1])
    for best, final in zip(
        weights_of(tmp_path / "whole"), weights_of(tmp_path / "whole", "final.keras"), strict=True
    ):
        np.testing.assert_array_equal(best, final)
    # The weights that are trained further are not the means.
    last = build(recipe.spec)
    optimizer = make_optimizer(recipe, 53)
    last.compile(optimizer)
    optimizer.build(last.trainable_variables)
    last.load_weights(tmp_path / "whole" / "last.weights.h5")
    trained = [variable.numpy() for variable in last.trainable_variables]
    optimizer.finalize_variable_values(last.trainable_variables)
    final = keras.models.load_model(tmp_path / "whole" / "final.keras")
    for kept, mean in zip(final.trainable_variables, last.trainable_variables, strict=True):
        np.testing.assert_array_equal(kept.numpy(), mean.numpy())
    pairs = zip(trained, final.trainable_variables, strict=True)
    assert any((left != right.numpy()).any() for left, right in pairs)
