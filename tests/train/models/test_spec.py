"""Specs: what is refused, how many parameters they lead to, and their form in run.json."""

import json
from dataclasses import replace

import pytest

from edge.errors import ConfigError
from train.models.spec import (
    BUDGET,
    NetSpec,
    ProposalSpec,
    ReferenceSpec,
    Stage,
    TeacherSpec,
    spec_from_dict,
)
from train.recipes.registry import RECIPES

pytestmark = pytest.mark.train  # the recipes import imgaug

EMOTION, GENDER = RECIPES["emotion"].spec, RECIPES["gender"].spec
TEACHER = TeacherSpec((4, 8), classes=7)


@pytest.mark.parametrize("spec", [EMOTION, GENDER])
def test_shipped_networks_stay_below_the_budget(spec):
    assert spec.stored_parameters() < BUDGET


def test_parameters_are_those_counted_by_hand():
    spec = NetSpec(stem=4, stages=(Stage(6, 1, repeats=2),), head=3, classes=2, size=16)
    assert spec.final_size == 4
    stem = 25 * 4 + 4
    block = 9 * 4 + 4 * 6 + 6
    repeated = 9 * 6 + 6 * 6 + 2 * 2 * 6  # two BatchNorms, each a factor and a summand per channel
    head = 6 * 3 + 3 + 4 * 4 * 3
    logits = 3 * 2 + 2
    zeros = 4 + 6 + 3  # one bias of zeros per length: both depthwise convolutions and the spatial head
    assert spec.stored_parameters() == stem + block + repeated + head + logits + zeros


def test_a_stage_without_blocks_of_its_own_and_a_separable_head_store_little():
    spec = NetSpec(4, (Stage(6, 0, repeats=2),), head=3, classes=2, size=16, separable_head=True)
    assert spec.final_size == 4
    stem = 25 * 4 + 4
    repeated = 9 * 6 + 6 * 6 + 2 * 2 * 6
    head = 6 * 3 + 3 + 2 * 4 * 3
    logits = 3 * 2 + 2
    assert spec.stored_parameters() == stem + repeated + head + logits + 6 + 3


@pytest.mark.parametrize("change", [{"stem": 0}, {"head": 0}, {"classes": 1}, {"stages": (Stage(4, -1),)}])
def test_impossible_networks_are_refused(change):
    with pytest.raises(ConfigError, match="must be at least 1"):
        replace(EMOTION, **change)


def test_a_stage_without_blocks_cannot_take_channels_away():
    with pytest.raises(ConfigError, match="cannot be narrower than 12"):
        NetSpec(12, (Stage(8, 0, repeats=1),), 4, 7)


def test_every_stride_halves_the_side_and_rounds_up():
    assert NetSpec(4, (Stage(4, 1), Stage(4, 2), Stage(4, 1, stride=1)), 3, 7, size=50).final_size == 7


@pytest.mark.parametrize("change", [{"widths": (4,)}, {"widths": (4, 0)}, {"dropout": 1.0}, {"classes": 1}])
def test_impossible_teachers_are_refused(change):
    with pytest.raises(ConfigError, match="expected at least two widths"):
        replace(TEACHER, **change)


@pytest.mark.parametrize("spec", [EMOTION, TEACHER, ReferenceSpec("vgg16", 7, pretrained=True)])
def test_a_spec_is_read_back_from_a_run(spec):
    values = json.loads(json.dumps(replace(RECIPES["emotion"], spec=spec).to_dict()))["spec"]
    assert spec_from_dict(values) == spec


PROPOSAL = ProposalSpec(stem=4, stages=(Stage(6, 1), Stage(5, 2)), size=32)


def test_parameters_of_a_proposal_network_are_those_counted_by_hand():
    stem = 9 * 4 + 4
    blocks = (9 * 4 + 4 * 6 + 6) + (9 * 6 + 6 * 5 + 5) + (9 * 5 + 5 * 5 + 5)
    zeros = 4 + 6 + 5  # a bias of zeros for each width that a depthwise convolution has
    assert PROPOSAL.stored_parameters() == stem + blocks + (5 * 4 + 4) + zeros


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stem": 0}, "must be at least 1"),
        ({"stages": (Stage(4, 0),)}, "must be at least 1"),
        ({"stages": (Stage(4, 1, repeats=1),)}, "no block repeated"),
        ({"size": 100}, "a multiple of the stride, 8"),
    ],
)
def test_impossible_proposal_networks_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        replace(PROPOSAL, **change)


def test_a_spec_of_a_network_that_finds_faces_is_read_back():
    assert spec_from_dict(json.loads(json.dumps(PROPOSAL.to_dict()))) == PROPOSAL
