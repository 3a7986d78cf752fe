"""The crops that networks are evaluated on."""

import numpy as np

from train.crops.validation import proposal_validation, refinement_validation


def test_half_of_the_crops_are_dim(toy_sources):
    crops = proposal_validation(toy_sources("val"), 64, 8)
    assert crops.images.shape == (8, 64, 64)
    assert crops.targets.shape == (8, 8, 8, 6)
    assert crops.dim.tolist() == [False, True] * 4
    for faces, target in zip(crops.faces, crops.targets, strict=True):
        assert (target[..., 4] == 1).sum() <= len(faces)


def test_half_of_each_light_show_a_face(toy_sources):
    crops = refinement_validation(toy_sources("val"), 32, 16)
    face = crops.targets[:, 0] > 0
    assert face.tolist() == [True, True, False, False] * 4
    assert crops.dim.tolist() == [False, True] * 8
    assert (crops.sides[face] == 40).all()
    assert (crops.sides[~face] == 0).all()


def test_they_are_always_the_same_and_longer_sets_begin_alike(toy_sources):
    first, longer = (proposal_validation(toy_sources("val"), 64, count) for count in (4, 6))
    np.testing.assert_array_equal(first.images, longer.images[:4])
    np.testing.assert_array_equal(first.targets, longer.targets[:4])
