"""Losses of face networks, against numbers computed by NumPy and by hand."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

import keras  # noqa: E402

from train.crops.proposal_targets import encode_faces  # noqa: E402
from train.training.face_losses import ProposalLoss, RefinementLoss, loss_of  # noqa: E402

FACES = [(20.0, 20.0, 16.0), (44.0, 30.0, 30.0)]


def value(loss, targets, outputs):
    return float(keras.ops.convert_to_numpy(loss(targets, outputs)))


def smooth_l1(error, beta):
    size = np.abs(error)
    return np.where(size < beta, size**2 / (2 * beta), size - beta / 2)


def test_the_proposal_loss_is_centernet_s():
    random = np.random.default_rng(0)
    targets = np.stack([encode_faces(FACES, [(50, 50, 9)], 8), encode_faces(FACES[:1], [], 8)])
    outputs = random.normal(0, 2, (2, 8, 8, 4)).astype(np.float32)
    heat, weight, counts = (targets[..., channel] for channel in (0, 4, 5))
    score = 1 / (1 + np.exp(-outputs[..., 0].astype(np.float64)))
    centre = weight == 1
    focal = np.where(centre, (1 - score) ** 2 * np.log(score), (1 - heat) ** 4 * score**2 * np.log(1 - score))
    face = -(focal * counts).sum() / 2
    box = (smooth_l1(outputs[..., 1:] - targets[..., 1:4], 0.2).sum(axis=-1) * weight).sum() / 2
    assert value(ProposalLoss(1, 0), targets, outputs) == pytest.approx(face / 1.75, rel=1e-5)
    assert value(ProposalLoss(0, 3), targets, outputs) == pytest.approx(3 * box / 3.25, rel=1e-5)


def test_the_refinement_loss_is_that_of_its_parts():
    random = np.random.default_rng(0)
    targets = np.array([[1, 2, -1, 0.5, 3, 2, 1, 1], [1, 0, 1, 0, 0, 4, 0, 0], [0] * 8], np.float32)
    outputs = random.normal(0, 2, (3, 7)).astype(np.float32)
    label = np.array([0.99, 0.99, 0.01])
    score = 1 / (1 + np.exp(-outputs[:, 0].astype(np.float64)))
    face = -(label * np.log(score) + (1 - label) * np.log(1 - score)).mean()
    errors = smooth_l1(outputs[:, 1:] - targets[:, 1:7], 0.4)
    assert value(RefinementLoss(2, 0, 0, 0), targets, outputs) == pytest.approx(2 * face, rel=1e-5)
    box = errors[:2, :3].sum() / 3 / 0.5
    assert value(RefinementLoss(0, 1, 0, 0), targets, outputs) == pytest.approx(box, rel=1e-5)
    roll = errors[:2, 3:5].sum() / 3 / 0.5
    assert value(RefinementLoss(0, 0, 1, 0), targets, outputs) == pytest.approx(roll, rel=1e-5)
    yaw = errors[0, 5] / 3 / 0.375
    assert value(RefinementLoss(0, 0, 0, 1), targets, outputs) == pytest.approx(yaw, rel=1e-5)


def test_the_loss_of_a_batch_is_the_mean_of_its_crops():
    random = np.random.default_rng(0)
    targets = np.stack([encode_faces(FACES[: number % 3], [], 8) for number in range(6)])
    outputs = random.normal(0, 1, (6, 8, 8, 4)).astype(np.float32)
    loss = ProposalLoss()
    alone = [value(loss, targets[row : row + 1], outputs[row : row + 1]) for row in range(6)]
    assert value(loss, targets, outputs) == pytest.approx(np.mean(alone), rel=1e-5)


def test_extreme_logits_have_a_finite_loss():
    targets = encode_faces(FACES, [], 8)[None]
    for logit in (-200.0, 200.0):
        assert np.isfinite(value(ProposalLoss(), targets, np.full((1, 8, 8, 4), logit, np.float32)))


def test_recipes_name_their_loss_and_checkpoints_keep_it(proposal_recipe, refinement_recipe):
    for recipe, kind in ((proposal_recipe, ProposalLoss), (refinement_recipe, RefinementLoss)):
        loss = loss_of(recipe)
        assert type(loss) is kind
        again = keras.losses.deserialize(keras.losses.serialize(loss))
        assert again.get_config() == loss.get_config()
    assert loss.get_config()["face"] == 2
