"""Channels without effect are removed without a change of the outputs."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from quantize.pruning.channel_groups import channel_groups  # noqa: E402
from quantize.pruning.surgery import remove_channels, residual_blocks  # noqa: E402
from tests.support.pruning import scale_inputs  # noqa: E402
from tests.support.random_weights import randomize_weights  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.models.spec import ProposalSpec, Stage  # noqa: E402

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 1), dtype=np.uint8)


def test_channels_whose_inputs_are_zero_are_removed_without_a_change(net, prunable_spec):
    body = net.get_layer("body")
    removed = {
        "stem": [1, 4],
        "stage0_block0_pointwise": [0, 3, 7],
        "stage1_block0_pointwise": [9],
        "head": [2],
    }
    kept = {}
    for group in channel_groups(body):
        for channel in removed[group.name]:
            scale_inputs(body, group, channel, 0.0)
        kept[group.name] = np.setdiff1d(np.arange(group.width), removed[group.name])
    smaller, spec = remove_channels(net, prunable_spec, kept)
    assert spec == replace(prunable_spec, stem=4, stages=(Stage(5, 2, 1, repeats=2), Stage(9, 1)), head=4)
    before, after = net.predict(PIXELS, verbose=0), smaller.predict(PIXELS, verbose=0)
    assert np.ptp(before, axis=0).min() > 1e-3
    np.testing.assert_allclose(after, before, atol=1e-4)


def test_a_map_stays_as_it_is_without_the_channels_that_have_no_effect():
    spec = ProposalSpec(stem=4, stages=(Stage(6, 1), Stage(8, 3)), size=16)
    net = randomize_weights(build(spec))
    kept = {}
    for group in channel_groups(net.get_layer("body")):
        scale_inputs(net.get_layer("body"), group, 1, 0.0)
        kept[group.name] = np.delete(np.arange(group.width), 1)
    smaller, narrow = remove_channels(net, spec, kept)
    assert narrow == ProposalSpec(stem=3, stages=(Stage(5, 1), Stage(7, 3)), size=16)
    before, after = net.predict(PIXELS, verbose=0), smaller.predict(PIXELS, verbose=0)
    assert before.shape == (9, 2, 2, 4)
    assert np.ptp(before, axis=(0, 1, 2)).min() > 1e-3
    np.testing.assert_allclose(after, before, atol=1e-5 * np.abs(before).max())


def test_residual_blocks_are_those_that_the_network_has():
    spec = ProposalSpec(stem=6, stages=(Stage(6, 2, 1), Stage(8, 1, 1), Stage(8, 3)), size=16)
    blocks = residual_blocks(spec)
    assert blocks == ((0, 0), (0, 1), (2, 1), (2, 2))
    names = [layer.name for layer in build(spec).get_layer("body").layers if layer.name.endswith("_add")]
    assert names == [f"stage{stage}_block{block}_add" for stage, block in blocks]


def test_a_block_gets_no_residual_that_it_was_trained_without():
    spec = ProposalSpec(stem=4, stages=(Stage(5, 1, 1), Stage(8, 1)), size=16)
    with pytest.raises(ConfigError, match="would get a residual addition"):
        remove_channels(build(spec), spec, {"stage0_block0_pointwise": np.arange(4)})


def test_removing_a_channel_that_is_used_changes_the_outputs(net, prunable_spec):
    smaller, _ = remove_channels(net, prunable_spec, {"stage0_block0_pointwise": np.arange(1, 8)})
    assert np.abs(net.predict(PIXELS, verbose=0) - smaller.predict(PIXELS, verbose=0)).max() > 1e-3


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ({"stem": np.array([], dtype=np.int64)}, "stem: nothing would be left of its 6 channels"),
        ({"stem": np.array([0, 6])}, "channels \\[0, 6\\], expected ascending, below 6"),
        ({"stem": np.array([2, 1])}, "channels \\[2, 1\\], expected ascending"),
        ({"tail": np.array([0])}, "no group of channels 'tail'; expected one of stem"),
    ],
)
def test_an_impossible_removal_is_refused(net, prunable_spec, kept, message):
    with pytest.raises(ConfigError, match=message):
        remove_channels(net, prunable_spec, kept)
