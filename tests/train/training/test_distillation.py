"""Teachers' scores: the mean over an image and its mirror image, computed once for the same images."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import DataError

pytestmark = pytest.mark.train

import keras  # noqa: E402

from train.models.sepnet import build  # noqa: E402
from train.training.distillation import teacher_scores  # noqa: E402


@pytest.fixture(scope="module")
def teachers(toy_recipe, tmp_path_factory):
    """Two untrained networks, whose scores differ from image to image."""
    paths = {name: tmp_path_factory.mktemp(name) / "best.keras" for name in ("a", "b")}
    for path in paths.values():
        build(toy_recipe.spec).save(path)
    return paths


@pytest.fixture
def views():
    return np.random.default_rng(0).integers(0, 256, (3, 300, 16, 16), dtype=np.uint8)  # more than one batch


def distilled(recipe, *teachers):
    return replace(recipe, views=3, teachers=teachers, teaching=0.5)


def scores_by_hand(path, images):
    model = keras.models.load_model(path)
    sides = (images[..., np.newaxis], images[:, :, ::-1, np.newaxis])
    return np.mean([np.asarray(keras.ops.softmax(model(side.astype(np.float32)))) for side in sides], axis=0)


def test_scores_are_means_over_mirror_images_and_teachers(toy_recipe, teachers, views, tmp_path):
    first = teacher_scores(views, distilled(toy_recipe, "a"), teachers, tmp_path)
    assert first.shape == (3, 300, 7)
    np.testing.assert_allclose(first.sum(axis=2), 1, atol=1e-5)
    a, b = (scores_by_hand(teachers[name], views[1, 298:]) for name in ("a", "b"))
    np.testing.assert_allclose(first[1, 298:], a, atol=1e-5)
    both = teacher_scores(views, distilled(toy_recipe, "a", "b"), teachers, tmp_path)
    np.testing.assert_allclose(both[1, 298:], (a + b) / 2, atol=1e-5)


def test_scores_are_computed_once_for_the_same_images(toy_recipe, teachers, views, tmp_path, monkeypatch):
    recipe = distilled(toy_recipe, "a")
    scores = teacher_scores(views, recipe, teachers, tmp_path)
    changed = views.copy()
    changed[0, 7] = 255 - changed[0, 7]
    assert (teacher_scores(changed, recipe, teachers, tmp_path)[0, 7] != scores[0, 7]).any()
    assert teacher_scores(views[:, :9], recipe, teachers, tmp_path).shape == (3, 9, 7)
    monkeypatch.setattr(keras.models, "load_model", None)  # no teacher is needed any more
    np.testing.assert_array_equal(teacher_scores(views, recipe, teachers, tmp_path), scores)


def test_interrupted_scoring_is_resumed_to_the_same_scores(
    toy_recipe, teachers, views, tmp_path, monkeypatch
):
    recipe = distilled(toy_recipe, "a")
    whole = teacher_scores(views, recipe, teachers, tmp_path / "whole")
    softmax, calls = keras.ops.softmax, []

    def interrupt(logits):
        calls.append(logits)
        if len(calls) == 6:  # in the second of the last view's two batches
            raise KeyboardInterrupt
        return softmax(logits)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(keras.ops, "softmax", interrupt)
        teacher_scores(views, recipe, teachers, tmp_path / "broken")
    np.testing.assert_array_equal(teacher_scores(views, recipe, teachers, tmp_path / "broken"), whole)
    names = [sorted(path.name for path in (tmp_path / folder).iterdir()) for folder in ("broken", "whole")]
    assert names[0] == names[1]  # nothing half-written is left


def test_a_teacher_that_is_not_trained_is_named(toy_recipe, teachers, views, tmp_path):
    message = "toy is distilled from c, which is not trained: train c first"
    for given in (teachers, {"c": tmp_path / "none.keras"}):
        with pytest.raises(DataError, match=message):
            teacher_scores(views, distilled(toy_recipe, "c"), given, tmp_path)
