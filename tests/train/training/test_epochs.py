"""The expanded set, teachers' answers, and what becomes of both in an epoch."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import DataError

pytestmark = pytest.mark.train

from train.augment import epoch_images, plain_images  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.training.distillation import teacher_scores  # noqa: E402
from train.training.epochs import Checkpoints, iter_epochs  # noqa: E402
from train.training.fit import fit  # noqa: E402
from train.training.views import expand  # noqa: E402


@pytest.fixture
def teacher(toy_recipe, tmp_path):
    """A network that knows nothing, but says so of every picture in its own way."""
    path = tmp_path / "teacher" / "best.keras"
    path.parent.mkdir()
    build(toy_recipe.spec).save(path)
    return path


def taught(recipe, **changes):
    return replace(recipe, **{"views": 3, "teachers": ("teacher",), "teaching": 0.75} | changes)


def test_the_first_view_is_the_original_and_the_others_are_changed_once(toy, toy_recipe, tmp_path):
    training = toy.part("train")
    recipe = replace(toy_recipe, views=3)
    views = expand(training, recipe, tmp_path)
    assert views.shape == (3, 420, 16, 16)
    np.testing.assert_array_equal(views[0], plain_images(training, recipe.crop))
    for left, right in ((0, 1), (0, 2), (1, 2)):
        assert (views[left] != views[right]).any(axis=(1, 2)).mean() > 0.9
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    expand(training, replace(recipe, seed=9), tmp_path)  # another seed of the run: the same copies
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == files
    expand(training, replace(recipe, views=2), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_cut_out_faces_are_expanded_too_and_other_boxes_make_other_copies(toy, toy_recipe, tmp_path):
    training = toy.part("train")
    recipe = replace(toy_recipe, views=2)
    boxes = np.tile(np.array([1, 1, 14, 14], dtype=np.int32), (len(training), 1))
    others = boxes.copy()
    others[0, 0] = 0
    for given in (boxes, others):
        assert expand(replace(training, boxes=given), recipe, tmp_path).shape == (2, 420, 16, 16)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_broken_expansion_and_broken_questions_go_on_to_the_same_end(
    toy, toy_recipe, teacher, tmp_path, monkeypatch
):
    from keras import ops

    recipe, training = taught(toy_recipe), toy.part("train")
    whole = expand(training, recipe, tmp_path / "whole")
    taught_whole = teacher_scores(whole, recipe, {"teacher": teacher}, tmp_path / "whole")

    def broken(function, at):
        """Ctrl-C in the call of this number."""
        calls = iter(range(100))

        def call(*given, **named):
            if next(calls) == at:
                raise KeyboardInterrupt
            return function(*given, **named)

        return call

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("train.training.views.epoch_images", broken(epoch_images, 1))
        expand(training, recipe, tmp_path / "broken")
    views = expand(training, recipe, tmp_path / "broken")
    np.testing.assert_array_equal(views, whole)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ops, "softmax", broken(ops.softmax, 5))
        teacher_scores(views, recipe, {"teacher": teacher}, tmp_path / "broken")
    found = teacher_scores(views, recipe, {"teacher": teacher}, tmp_path / "broken")
    np.testing.assert_array_equal(found, taught_whole)
    names = [sorted(path.name for path in (tmp_path / each).iterdir()) for each in ("broken", "whole")]
    assert names[0] == names[1]  # nothing half made is left


def test_answers_are_the_mean_over_a_picture_and_its_mirror_image(toy, toy_recipe, teacher, tmp_path):
    import keras

    training = toy.part("train").take(np.arange(10))
    recipe = taught(toy_recipe)
    views = expand(training, recipe, tmp_path)
    found = teacher_scores(views, recipe, {"teacher": teacher}, tmp_path)
    model = keras.models.load_model(teacher)
    images = np.array(views[1, 3:4, ..., np.newaxis])
    by_hand = np.mean(
        [
            np.asarray(keras.ops.softmax(model(side.astype(np.float32))))
            for side in (images, images[:, :, ::-1])
        ],
        axis=0,
    )
    np.testing.assert_allclose(found[1, 3], by_hand[0], atol=1e-5)
    # Another picture, or fewer of them, are other questions.
    changed = np.array(views)
    changed[0, 7] = 255 - changed[0, 7]
    assert (teacher_scores(changed, recipe, {"teacher": teacher}, tmp_path)[0, 7] != found[0, 7]).any()
    assert teacher_scores(np.array(views[:, :9]), recipe, {"teacher": teacher}, tmp_path).shape == (3, 9, 7)
    np.testing.assert_allclose(found.sum(axis=2), 1, atol=1e-5)


def test_a_lesson_mixes_labels_and_answers_and_mirrors_half(toy, toy_recipe, teacher, tmp_path):
    training = toy.part("train")
    recipe = taught(replace(toy_recipe, augmentation=replace(toy_recipe.augmentation, flip=0.5)), epochs=5)
    sources = Checkpoints(teachers={"teacher": teacher}, cache=tmp_path)
    views = expand(training, recipe, tmp_path)
    found = teacher_scores(views, recipe, sources.teachers, tmp_path)
    with iter_epochs(recipe, training, sources, 3) as epochs:
        third, fourth = list(epochs)
    assert (third.epoch, fourth.epoch) == (3, 4)
    labels = np.eye(7)[training.labels]
    np.testing.assert_allclose(fourth.targets, 0.25 * labels + 0.75 * found[1], atol=1e-6)
    mirrored = (fourth.images == views[1][:, :, ::-1]).all(axis=(1, 2))
    assert 0.4 < mirrored.mean() < 0.6
    np.testing.assert_array_equal(fourth.images[~mirrored], views[1][~mirrored])
    with iter_epochs(recipe, training, sources, 4) as epochs:
        np.testing.assert_array_equal(next(epochs).images, fourth.images)  # as if it had not been broken off


def test_without_views_and_changes_every_epoch_is_the_original(toy, toy_recipe):
    training = toy.part("train").take(np.arange(20))
    recipe = replace(toy_recipe, augmentation=None)
    with iter_epochs(recipe, training, Checkpoints(), 2) as epochs:
        for lesson in epochs:
            np.testing.assert_array_equal(lesson.images, plain_images(training, recipe.crop))


def test_votes_are_mixed_into_the_labels_or_missed(toy, toy_recipe):
    training = toy.part("train").take(np.arange(7))
    recipe = replace(toy_recipe, votes=0.4, augmentation=None)
    expected = np.full((7, 7), 1 / 7, np.float32)
    with iter_epochs(recipe, replace(training, soft_labels=expected), Checkpoints(), 0) as epochs:
        np.testing.assert_allclose(
            next(epochs).targets, 0.6 * np.eye(7)[training.labels] + 0.4 / 7, atol=1e-6
        )
    with (
        pytest.raises(DataError, match="trains towards votes"),
        iter_epochs(recipe, training, Checkpoints(), 0),
    ):
        pass


def test_a_teacher_that_is_not_trained_is_named(toy, toy_recipe, tmp_path):
    with pytest.raises(DataError, match="distilled from teacher, which is not trained: train teacher first"):
        fit(taught(toy_recipe), toy, tmp_path / "run", Checkpoints(cache=tmp_path / "cache"))


def test_another_teacher_makes_another_run(toy, toy_recipe, teacher, tmp_path):
    from edge.errors import ConfigError

    recipe = taught(toy_recipe, epochs=1)
    sources = Checkpoints(teachers={"teacher": teacher}, cache=tmp_path / "cache")
    fit(recipe, toy, tmp_path / "run", sources)
    build(toy_recipe.spec).save(teacher)
    with pytest.raises(ConfigError, match="a run with another sources"):
        fit(recipe, toy, tmp_path / "run", sources)
