"""Whether an int8 file finds the faces that its float network finds."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ModelError

pytestmark = pytest.mark.train

from quantize.verification.face_fidelity import (  # noqa: E402
    compare_faces,
    fit_face_temperature,
    takes_for_face,
)
from quantize.verification.fidelity import check_faithful, is_faithful  # noqa: E402
from train.crops.refinement import FACE, YAW, YAW_KNOWN  # noqa: E402
from train.evaluation.face_figures import FaceEvaluation  # noqa: E402


@pytest.fixture(scope="module")
def refinement(toy_faces):
    return FaceEvaluation.of("refinement", toy_faces.val, 32, 200)


@pytest.fixture(scope="module")
def proposal(toy_faces):
    return FaceEvaluation.of("proposal", toy_faces.val, 64, 20)


def right_outputs(evaluation):
    """Returns the outputs of a network that makes no mistake: for refinement, (N, 7)."""
    targets = evaluation.crops.targets
    outputs = targets[:, FACE : YAW + 1].copy()
    outputs[:, 0] = np.where(targets[:, FACE] > 0, 3.0, -3.0) + np.linspace(-1, 1, len(targets))
    return outputs


def right_maps(evaluation):
    """The same for proposal, (N, cells, cells, 4)."""
    targets = evaluation.crops.targets
    maps = targets[..., :4].copy()
    maps[..., 0] = np.where(targets[..., 4] == 1, 4.0, -4.0)
    return maps


def test_equal_outputs_agree_in_everything(refinement, proposal):
    for evaluation, outputs in ((refinement, right_outputs(refinement)), (proposal, right_maps(proposal))):
        comparison = compare_faces(evaluation, "toy val", outputs, outputs)
        assert comparison.agreement == 1
        assert set(comparison.differences.values()) == {0.0}
        assert is_faithful(comparison)
        assert comparison.to_dict()["int8"]["split"] == "toy val"
    assert comparison.headline()["int8"]["average_precision"] == 1


def test_differences_are_means_where_an_output_means_something(refinement):
    before = right_outputs(refinement)
    after, faces = before.copy(), refinement.crops.targets[:, FACE] > 0
    after[:, 0] += 0.25
    after[faces, 1] -= 0.5
    after[~faces, 1] += 100  # no face, no place
    comparison = compare_faces(refinement, "toy val", before, after)
    assert list(comparison.differences) == ["face", "dx", "dy", "size", "roll_sin", "roll_cos", "yaw"]
    assert comparison.differences["face"] == pytest.approx(0.25, rel=1e-5)
    assert comparison.differences["dx"] == pytest.approx(0.5, rel=1e-5)
    assert comparison.differences["yaw"] == 0
    assert set(refinement.crops.targets[:, YAW_KNOWN]) == {0.0, 1.0}


def test_agreement_of_maps_counts_cells_that_either_takes_for_a_face(proposal):
    before = right_maps(proposal)
    after = before.copy()
    counted = np.argwhere((proposal.crops.targets[..., 5] > 0) & (before[..., 0] > 0))
    lost = counted[: len(counted) // 4]
    after[tuple(lost.T)] = -4
    comparison = compare_faces(proposal, "toy val", before, after)
    assert comparison.agreement == pytest.approx(1 - len(lost) / len(counted))
    # Cells that are ignored agree with anything.
    targets = proposal.crops.targets.copy()
    targets[tuple(lost.T)] = 0
    masked = replace(proposal, crops=replace(proposal.crops, targets=targets))
    comparison = compare_faces(masked, "toy val", before, after)
    assert (comparison.agreement, comparison.differences["face"]) == (1, 0)
    empty = np.full_like(before, -4)
    assert compare_faces(proposal, "toy val", empty, empty).agreement == 1


def test_little_may_be_lost(refinement, proposal):
    before = right_outputs(refinement)
    faces = np.flatnonzero(refinement.crops.targets[:, FACE] > 0)
    after = before.copy()
    after[faces[:5], 0] = -9
    comparison = compare_faces(refinement, "toy val", before, after)
    assert comparison.agreement == pytest.approx(0.975)
    with pytest.raises(
        ModelError, match=r"a: log average recall 95\.00% in int8, 100\.00% in float; more than 1% lost"
    ):
        check_faithful(comparison, "a")
    shifted = compare_faces(refinement, "toy val", before, before - 3)  # the order is the same
    with pytest.raises(
        ModelError, match=r"agree on .* of what either takes for a face; expected at least 98%"
    ):
        check_faithful(shifted, "a")
    better = compare_faces(refinement, "toy val", after, before)
    assert replace(better, agreement=1.0).fault == ""  # gains are no fault
    assert (
        "expected at least 85%"
        in replace(compare_faces(proposal, "v", *[right_maps(proposal)] * 2), agreement=0.8).fault
    )


def test_the_temperature_makes_confidences_shares_of_faces(refinement, proposal):
    random = np.random.default_rng(0)
    outputs = np.zeros((len(refinement.crops.targets), 7), np.float32)
    faces = refinement.crops.targets[:, FACE] > 0
    # Logits of a calibrated network with a likelihood ratio of exp(logit): normal, mean +-2, variance 4.
    outputs[:, 0] = 3 * np.where(faces, 2, -2) + 3 * random.normal(0, 2, len(faces))
    temperature = fit_face_temperature(refinement, outputs)
    assert temperature == pytest.approx(3, rel=0.25)
    calibrated, plain = (
        compare_faces(refinement, "toy val", outputs, outputs, each).to_dict()["calibration_error"]
        for each in (temperature, 1.0)
    )
    assert calibrated < plain
    assert fit_face_temperature(proposal, right_maps(proposal)) == 1
    assert compare_faces(proposal, "v", *[right_maps(proposal)] * 2).calibration_error is None


def test_decisions_are_at_the_scores_of_the_device():
    logits = np.array([-0.9, -0.8, -0.01, 0.0])
    np.testing.assert_array_equal(takes_for_face("proposal", logits), [False, True, True, True])
    np.testing.assert_array_equal(takes_for_face("refinement", logits), [False, False, False, True])
