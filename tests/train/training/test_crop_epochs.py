"""Crops that other processes draw: those of the recipe's seed, from any epoch on."""

from dataclasses import replace

import numpy as np
import pytest

pytestmark = pytest.mark.train

from train.crops.sampler import draw_crops  # noqa: E402
from train.training import crop_epochs  # noqa: E402
from train.training.crop_epochs import iter_crops, sampler_of  # noqa: E402


def test_each_epoch_has_the_crops_of_its_index(toy_faces, refinement_recipe, monkeypatch):
    monkeypatch.setattr(crop_epochs, "_CHUNK", 7)  # the last chunk of 20 crops is shorter
    recipe = replace(refinement_recipe, crops=20, epochs=4, seed=3)
    with iter_crops(recipe, toy_faces.train, 2) as epochs:
        drawn = list(epochs)
    assert [each.epoch for each in drawn] == [2, 3]
    sampler = sampler_of(recipe, toy_faces.train)
    for each in drawn:
        images, targets = draw_crops(sampler, 3, each.epoch, range(20))
        np.testing.assert_array_equal(each.images, images)
        np.testing.assert_array_equal(each.targets, targets)


def test_leaving_early_leaves_no_process(toy_faces, proposal_recipe):
    import multiprocessing

    before = set(multiprocessing.active_children())
    with iter_crops(replace(proposal_recipe, crops=600), toy_faces.train, 0) as epochs:
        next(epochs)
    assert set(multiprocessing.active_children()) <= before
