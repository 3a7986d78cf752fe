"""The expanded training set: unchanged images, changed copies, and what makes other copies."""

from dataclasses import replace

import numpy as np
import pytest

pytestmark = pytest.mark.train

from train.augment import epoch_crops, even, plain_images, spoil  # noqa: E402
from train.spoiling import Spoiling  # noqa: E402
from train.training import views as views_module  # noqa: E402
from train.training.views import expand, spoiled_views  # noqa: E402


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


def test_other_boxes_make_other_copies(toy, toy_recipe, tmp_path):
    training = toy.part("train")
    recipe = replace(toy_recipe, views=2)
    boxes = np.tile(np.array([1, 1, 14, 14], dtype=np.int32), (len(training), 1))
    others = boxes.copy()
    others[0, 0] = 0
    for each in (boxes, others):
        assert expand(replace(training, boxes=each), recipe, tmp_path).shape == (2, 420, 16, 16)
    assert len(list(tmp_path.iterdir())) == 2


def test_an_interrupted_expansion_is_resumed_to_the_same_copies(toy, toy_recipe, tmp_path, monkeypatch):
    recipe, training = replace(toy_recipe, views=3), toy.part("train")
    whole = expand(training, recipe, tmp_path / "whole")

    def interrupt(data, crop, augmentation, seed):
        if seed == 2:
            raise KeyboardInterrupt
        return epoch_crops(data, crop, augmentation, seed)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(views_module, "epoch_crops", interrupt)
        expand(training, recipe, tmp_path / "broken")
    np.testing.assert_array_equal(expand(training, recipe, tmp_path / "broken"), whole)
    names = [sorted(path.name for path in (tmp_path / folder).iterdir()) for folder in ("broken", "whole")]
    assert names[0] == names[1]  # nothing half-written is left


def test_a_student_sees_spoiled_copies_of_the_very_views_that_its_teachers_see(toy, toy_recipe, tmp_path):
    training = toy.part("train")
    recipe = replace(toy_recipe, views=2, spoiling=Spoiling(share=0.3))
    views, spoiled = expand(training, recipe, tmp_path), spoiled_views(training, recipe, tmp_path)
    assert spoiled.shape == views.shape
    same = (spoiled == views).all(axis=(2, 3)).mean(axis=1)
    assert ((same > 0.6) & (same < 0.8)).all()
    crops = epoch_crops(training, recipe.crop, recipe.augmentation, 1)
    np.testing.assert_array_equal(spoiled[1], even(spoil(crops, recipe.spoiling, 1)))
    other = spoiled_views(training, replace(recipe, spoiling=Spoiling(share=0.31)), tmp_path)
    assert (other != spoiled).any()
