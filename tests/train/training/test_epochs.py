"""The data of an epoch: labels, votes and teachers' scores in the targets, and mirrored views."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import DataError

pytestmark = pytest.mark.train

from train.augment import plain_images  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.spoiling import Spoiling  # noqa: E402
from train.training.distillation import teacher_scores  # noqa: E402
from train.training.epochs import Checkpoints, iter_epochs  # noqa: E402
from train.training.views import expand  # noqa: E402


def test_an_epoch_of_views_mixes_labels_and_scores_and_mirrors_half(toy, toy_recipe, tmp_path):
    training = toy.part("train")
    flipped = replace(toy_recipe.augmentation, flip=0.5)
    recipe = replace(toy_recipe, augmentation=flipped, views=3, teachers=("a",), teaching=0.75, epochs=5)
    build(recipe.spec).save(tmp_path / "teacher.keras")
    checkpoints = Checkpoints(teachers={"a": tmp_path / "teacher.keras"}, cache=tmp_path / "cache")
    views = expand(training, recipe, checkpoints.cache)
    scores = teacher_scores(views, recipe, checkpoints.teachers, checkpoints.cache)
    with iter_epochs(recipe, training, checkpoints, 3) as epochs:
        third, fourth = list(epochs)
    assert (third.epoch, fourth.epoch) == (3, 4)
    labels = np.eye(7)[training.labels]
    np.testing.assert_allclose(fourth.targets, 0.25 * labels + 0.75 * scores[1], atol=1e-6)
    mirrored = (fourth.images == views[1][:, :, ::-1]).all(axis=(1, 2))
    assert 0.4 < mirrored.mean() < 0.6
    np.testing.assert_array_equal(fourth.images[~mirrored], views[1][~mirrored])
    with iter_epochs(recipe, training, checkpoints, 4) as epochs:
        np.testing.assert_array_equal(next(epochs).images, fourth.images)  # as without an interruption
    with iter_epochs(replace(recipe, seed=recipe.seed + 1), training, checkpoints, 4) as epochs:
        other = next(epochs)  # another seed starts with another view
    np.testing.assert_allclose(other.targets, 0.25 * labels + 0.75 * scores[2], atol=1e-6)


def test_without_augmentation_every_epoch_has_the_original_images(toy, toy_recipe):
    training = toy.part("train").take(np.arange(20))
    recipe = replace(toy_recipe, augmentation=None)
    with iter_epochs(recipe, training, Checkpoints(), 2) as epochs:
        each = list(epochs)
    assert [data.epoch for data in each] == [2, 3]
    for data in each:
        np.testing.assert_array_equal(data.images, plain_images(training, recipe.crop))
        np.testing.assert_array_equal(data.targets, np.eye(7)[training.labels])


def test_votes_are_mixed_into_the_labels(toy, toy_recipe):
    training = toy.part("train").take(np.arange(7))
    recipe = replace(toy_recipe, votes=0.4, augmentation=None)
    voted = replace(training, soft_labels=np.full((7, 7), 1 / 7, np.float32))
    with iter_epochs(recipe, voted, Checkpoints(), 0) as epochs:
        targets = next(epochs).targets
    np.testing.assert_allclose(targets, 0.6 * np.eye(7)[training.labels] + 0.4 / 7, atol=1e-6)
    with (
        pytest.raises(DataError, match="toy trains towards votes, but toy was read without them"),
        iter_epochs(recipe, training, Checkpoints(), 0),
    ):
        pass


def test_a_student_that_sees_a_spoiled_image_learns_the_answer_for_the_image_before(
    toy, toy_recipe, tmp_path
):
    training = toy.part("train")
    recipe = replace(toy_recipe, views=2, teachers=("a",), teaching=1.0, spoiling=Spoiling(share=0.5))
    build(recipe.spec).save(tmp_path / "teacher.keras")
    checkpoints = Checkpoints(teachers={"a": tmp_path / "teacher.keras"}, cache=tmp_path / "cache")
    views = expand(training, recipe, checkpoints.cache)
    scores = teacher_scores(views, recipe, checkpoints.teachers, checkpoints.cache)
    with iter_epochs(recipe, training, checkpoints, 1) as epochs:
        epoch = next(epochs)
    np.testing.assert_allclose(epoch.targets, scores[1], atol=1e-6)
    assert 0.3 < (epoch.images != views[1]).any(axis=(1, 2)).mean() < 0.7
