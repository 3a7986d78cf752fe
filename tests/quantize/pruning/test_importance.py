"""Groups of channels, what they are worth, and what is left when they are cut."""

import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from train.models.spec import NetSpec, ReferenceSpec, Stage, TeacherSpec  # noqa: E402

SPEC = NetSpec(stem=6, stages=(Stage(8, 2, 1, repeats=2), Stage(10, 1)), head=5, classes=4, size=16)


@pytest.fixture
def net():
    """A network whose BatchNorms have statistics, scales and offsets of their own, as after training."""
    import keras

    from train.models.sepnet import build

    keras.utils.set_random_seed(3)
    model = build(SPEC, precision="float64")  # differences over a step too small for a ReLU's kink
    random = np.random.default_rng(3)
    for layer in model.get_layer("body").layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            width = layer.gamma.shape[0]
            layer.set_weights(
                [
                    random.uniform(0.5, 1.5, width),
                    random.normal(0, 0.5, width),
                    random.normal(0, 0.2, width),
                    random.uniform(0.5, 2, width),
                ]
            )
    return model


@pytest.fixture
def batch():
    random = np.random.default_rng(4)
    pixels = random.uniform(-1, 1, (12, 16, 16, 1)).astype(np.float32)
    targets = random.dirichlet(np.ones(4), 12).astype(np.float32)
    return pixels, targets


def numbers(weight):
    import keras

    return keras.ops.convert_to_numpy(weight)


def loss_of(body, batch):
    pixels, targets = batch
    logits = numbers(body(pixels, training=False))
    logits -= logits.max(axis=1, keepdims=True)
    return float(-(targets * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))).sum(axis=1).mean())


def scale_rows(body, group, channel, factor):
    """Multiplies everything that reads a channel."""
    for slot in group.inputs:
        layer = body.get_layer(slot.layer)
        kernel = numbers(layer.kernel).copy()
        np.moveaxis(kernel, slot.axis, 0)[channel] *= factor
        layer.kernel.assign(kernel)


def test_what_is_added_or_shared_goes_together(net):
    from quantize.pruning.channel_groups import WeightAxis, channel_groups

    stem, first, second, head = channel_groups(net.get_layer("body"))
    assert [group.width for group in (stem, first, second, head)] == [6, 8, 10, 5]
    assert first.producers == (
        "stage0_block0_pointwise",
        "stage0_block1_pointwise",
        "stage0_repeated_pointwise",
    )
    assert {slot.layer for slot in first.inputs} == {
        "stage0_block1_pointwise",
        "stage0_repeated_pointwise",
        "stage1_block0_pointwise",
    }
    assert WeightAxis("stage1_block0_depthwise", "kernel", 2) in first.passthrough
    assert {slot.layer for slot in stem.passthrough} == {"stem_bn", "stage0_block0_depthwise"}
    assert head.inputs == (WeightAxis("logits", "kernel", 0),)


def test_every_weight_but_the_ends_belongs_to_a_group(net):
    from quantize.pruning.channel_groups import channel_groups

    body = net.get_layer("body")
    lying = {(s.layer, s.weight) for group in channel_groups(body) for s in group.axes}
    assert {(layer.name, w.name) for layer in body.layers for w in layer.weights} - lying == {
        ("logits", "bias")
    }


def test_taylor_is_the_squared_derivative_of_the_loss_by_a_gate(net, batch):
    from quantize.pruning.channel_groups import channel_groups
    from quantize.pruning.importance import taylor_importance

    body = net.get_layer("body")
    groups = channel_groups(body)
    found = taylor_importance(body, groups, [batch])
    step = 1e-6
    for group in groups:
        for channel in (0, group.width - 1):
            losses = []
            for factor in (1 + step, (1 - step) / (1 + step)):
                scale_rows(body, group, channel, factor)
                losses.append(loss_of(body, batch))
            scale_rows(body, group, channel, 1 / (1 - step))
            derivative = (losses[0] - losses[1]) / (2 * step)
            assert found[group.name][channel] ** 0.5 == pytest.approx(abs(derivative), rel=1e-3, abs=1e-8)


def test_taylor_averages_squares_and_never_gradients(net, batch):
    from quantize.pruning.channel_groups import channel_groups
    from quantize.pruning.importance import taylor_importance

    body = net.get_layer("body")
    groups = channel_groups(body)
    pixels, targets = batch
    other = (pixels[::-1] * 0.5, np.roll(targets, 1, axis=1))
    one, two, both = (taylor_importance(body, groups, bs) for bs in ([batch], [other], [batch, other]))
    for name in one:
        np.testing.assert_allclose(both[name], (one[name] + two[name]) / 2, rtol=1e-5)
    with pytest.raises(ConfigError, match="at least one batch"):
        taylor_importance(body, groups, [])


def test_a_network_that_diverged_has_no_importance(net, batch):
    from quantize.pruning.channel_groups import channel_groups
    from quantize.pruning.importance import taylor_importance

    body = net.get_layer("body")
    logits = body.get_layer("logits")
    logits.kernel.assign(np.full(logits.kernel.shape, np.nan))
    with pytest.raises(ConfigError, match="no finite gradient"):
        taylor_importance(body, channel_groups(body), [batch])


def test_magnitude_sums_what_makes_a_channel(net):
    from quantize.pruning.channel_groups import channel_groups
    from quantize.pruning.importance import magnitude_importance

    body = net.get_layer("body")
    found = magnitude_importance(body, channel_groups(body))
    by_hand = np.abs(numbers(body.get_layer("stem").kernel)).sum(axis=(0, 1, 2))
    np.testing.assert_allclose(found["stem"], by_hand / by_hand.mean(), rtol=1e-6)
    stream = sum(
        np.abs(numbers(body.get_layer(f"stage0_{part}_pointwise").kernel)).sum(axis=(0, 1, 2))
        for part in ("block0", "block1", "repeated")
    )
    np.testing.assert_allclose(found["stage0_block0_pointwise"], stream / stream.mean(), rtol=1e-6)


def test_lots_are_drawn_from_a_seed(net):
    from quantize.pruning.channel_groups import channel_groups
    from quantize.pruning.importance import random_importance

    groups = channel_groups(net.get_layer("body"))
    one, same, other = (random_importance(groups, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one["stem"], same["stem"])
    assert (one["stem"] != other["stem"]).all()


def test_channels_that_nothing_reads_can_be_cut_without_a_change(net, batch):
    from quantize.pruning.channel_groups import channel_groups
    from quantize.pruning.surgery import remove_channels

    body = net.get_layer("body")
    gone = {"stem": [1, 4], "stage0_block0_pointwise": [0, 3, 7], "stage1_block0_pointwise": [9], "head": [2]}
    kept = {}
    for group in channel_groups(body):
        for channel in gone[group.name]:
            scale_rows(body, group, channel, 0.0)
        kept[group.name] = np.setdiff1d(np.arange(group.width), gone[group.name])
    smaller, spec = remove_channels(net, SPEC, kept)
    assert (spec.stem, [stage.channels for stage in spec.stages], spec.head) == (4, [5, 9], 4)
    pixels = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 1), dtype=np.uint8)
    before, after = net.predict(pixels, verbose=0), smaller.predict(pixels, verbose=0)
    assert np.ptp(before, axis=0).min() > 1e-3
    np.testing.assert_allclose(after, before, atol=1e-4)


def test_cutting_one_channel_that_is_read_changes_the_answer(net, batch):
    from quantize.pruning.surgery import remove_channels

    smaller, _ = remove_channels(net, SPEC, {"stage0_block0_pointwise": np.arange(1, 8)})
    pixels = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 1), dtype=np.uint8)
    assert np.abs(net.predict(pixels, verbose=0) - smaller.predict(pixels, verbose=0)).max() > 1e-3


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ({"stem": np.array([], dtype=np.int64)}, "stem: nothing would be left of its 6 channels"),
        ({"stem": np.array([0, 6])}, "channels \\[0, 6\\], expected ascending, below 6"),
        ({"stem": np.array([2, 1])}, "channels \\[2, 1\\], expected ascending"),
        ({"tail": np.array([0])}, "no group of channels 'tail'; expected one of stem"),
    ],
)
def test_a_cut_that_cannot_be_is_refused(net, kept, message):
    from quantize.pruning.surgery import remove_channels

    with pytest.raises(ConfigError, match=message):
        remove_channels(net, SPEC, kept)


def test_a_residual_teacher_has_groups_too():
    from quantize.pruning.channel_groups import channel_groups
    from train.models.sepnet import build

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
    from quantize.pruning.channel_groups import channel_groups
    from train.models.sepnet import build

    with pytest.raises(ConfigError, match=message):
        channel_groups(build(ReferenceSpec(name, 7)).get_layer("body"))
