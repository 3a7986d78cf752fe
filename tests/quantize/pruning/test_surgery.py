"""Channels without effect are removed without a change of the outputs."""

import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from quantize.pruning.channel_groups import channel_groups  # noqa: E402
from quantize.pruning.surgery import remove_channels  # noqa: E402
from tests.support.pruning import scale_inputs  # noqa: E402

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
    assert (spec.stem, [stage.channels for stage in spec.stages], spec.head) == (4, [5, 9], 4)
    before, after = net.predict(PIXELS, verbose=0), smaller.predict(PIXELS, verbose=0)
    assert np.ptp(before, axis=0).min() > 1e-3
    np.testing.assert_allclose(after, before, atol=1e-4)


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
