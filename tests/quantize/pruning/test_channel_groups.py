"""Channels that are added, or share weights, are in one group."""

import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from quantize.pruning.channel_groups import WeightAxis, channel_groups  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.models.spec import ReferenceSpec, TeacherSpec  # noqa: E402


def test_what_is_added_or_shared_is_one_group(net):
    stem, first, second, head = channel_groups(net.get_layer("body"))
    assert [group.width for group in (stem, first, second, head)] == [6, 8, 10, 5]
    assert first.producers == (
        "stage0_block0_pointwise",
        "stage0_block1_pointwise",
        "stage0_repeated_pointwise",
    )
    assert {axis.layer for axis in first.inputs} == {
        "stage0_block1_pointwise",
        "stage0_repeated_pointwise",
        "stage1_block0_pointwise",
    }
    assert WeightAxis("stage1_block0_depthwise", "kernel", 2) in first.passthrough
    assert {axis.layer for axis in stem.passthrough} == {"stem_bn", "stage0_block0_depthwise"}
    assert head.inputs == (WeightAxis("logits", "kernel", 0),)


def test_every_weight_but_the_last_bias_belongs_to_a_group(net):
    body = net.get_layer("body")
    grouped = {(axis.layer, axis.weight) for group in channel_groups(body) for axis in group.axes}
    weights = {(layer.name, weight.name) for layer in body.layers for weight in layer.weights}
    assert weights - grouped == {("logits", "bias")}


def test_a_residual_teacher_has_groups_too():
    groups = channel_groups(build(TeacherSpec((8, 12, 16), classes=3, size=16)).get_layer("body"))
    assert [group.width for group in groups] == [8, 12, 12, 16, 16, 16]
    assert groups[4].producers == ("block1_conv2", "block1_shortcut", "last_conv2")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mini_xception", r"separable_conv2d\w* \(SeparableConv2D\) cannot be pruned"),
        ("sequential", r"flatten\w* \(Flatten\) cannot be pruned: it mixes channels with the positions"),
    ],
)
def test_a_layer_that_cannot_be_pruned_is_named(name, message):
    with pytest.raises(ConfigError, match=message):
        channel_groups(build(ReferenceSpec(name, 7)).get_layer("body"))
