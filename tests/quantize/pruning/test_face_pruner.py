"""Networks that find faces are pruned by the loss of their own training, and resumed like the others."""

from dataclasses import replace

import numpy as np
import pytest

pytestmark = pytest.mark.train

from quantize.pruning import pruner  # noqa: E402
from quantize.pruning.importance import taylor_importance  # noqa: E402
from quantize.pruning.pruner import prune  # noqa: E402
from quantize.pruning.steps import read_steps  # noqa: E402
from tests.support.pruning import small_plan  # noqa: E402
from train.models.spec import ProposalSpec, spec_from_dict  # noqa: E402
from train.runs.lookup import load_checkpoint, read_settings  # noqa: E402
from train.training.epochs import Checkpoints  # noqa: E402
from train.training.face_losses import ProposalLoss, RefinementLoss  # noqa: E402
from train.training.fit import fit  # noqa: E402


@pytest.fixture(scope="module")
def plan(proposal_recipe):
    target = round(proposal_recipe.spec.stored_parameters() * 0.8)
    return small_plan(target=target, batches=2, epochs=1)


@pytest.fixture(scope="module")
def pruned(face_run, proposal_recipe, toy_faces, plan, tmp_path_factory):
    """The steps of a pruning of the proposal network, and the folder of its run."""
    folder = tmp_path_factory.mktemp("pruned") / "net"
    return prune(proposal_recipe, plan, toy_faces, folder, Checkpoints(face_run / "best.keras")), folder


def test_a_map_network_becomes_a_smaller_spec_of_its_kind(pruned, proposal_recipe, plan):
    steps, folder = pruned
    assert steps[0].parameters == proposal_recipe.spec.stored_parameters()
    assert steps[-1].parameters <= plan.target
    assert steps == read_steps(folder / "steps.csv")
    assert steps[0].widths == "stem 4, stage0 8, stage1 8"
    spec = spec_from_dict(read_settings(folder)["recipe"]["spec"])
    assert isinstance(spec, ProposalSpec)
    assert spec.stored_parameters() == steps[-1].parameters
    assert spec.channels == 4
    assert load_checkpoint(folder).output_shape == (None, 8, 8, 4)
    assert all(0 <= step.before <= 1 for step in steps)


def test_an_interrupted_pruning_is_resumed_to_the_same_network(
    interrupted_after, face_run, proposal_recipe, toy_faces, plan, pruned, tmp_path
):
    steps, folder = pruned
    start = Checkpoints(face_run / "best.keras")
    with interrupted_after("01 1/1"):
        prune(proposal_recipe, plan, toy_faces, tmp_path / "net", start)
    assert prune(proposal_recipe, plan, toy_faces, tmp_path / "net", start) == steps
    for one, other in zip(
        *(load_checkpoint(run, "final.keras").get_weights() for run in (folder, tmp_path / "net")),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_importance_is_measured_by_the_recipes_own_loss_on_as_many_crops_as_needed(
    face_run, proposal_recipe, refinement_recipe, toy_faces, plan, tmp_path, monkeypatch
):
    seen = []

    def spy(body, groups, batches, loss):
        seen.append((loss, batches))
        return taylor_importance(body, groups, batches, loss)

    monkeypatch.setattr(pruner, "taylor_importance", spy)
    one_step = replace(plan, share=0.2)
    prune(proposal_recipe, one_step, toy_faces, tmp_path / "proposal", Checkpoints(face_run / "best.keras"))
    quick = replace(refinement_recipe, epochs=1)
    fit(quick, toy_faces, tmp_path / "parent")
    target = round(quick.spec.stored_parameters() * 0.8)
    start = Checkpoints(tmp_path / "parent" / "best.keras")
    steps = prune(quick, replace(one_step, target=target), toy_faces, tmp_path / "refinement", start)
    assert steps[-1].parameters <= target
    assert steps[0].widths == "stem 4, stage0 8, stage1 8, head 6"
    (loss, batches), (other_loss, other_batches) = seen[0], seen[-1]
    assert isinstance(loss, ProposalLoss)
    assert isinstance(other_loss, RefinementLoss)
    assert [len(pixels) for pixels, _ in batches] == [16, 16]
    assert batches[0][0].min() >= -1
    assert batches[0][0].max() <= 127 / 128
    assert other_batches[0][1].shape == (16, 8)
