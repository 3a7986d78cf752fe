"""Networks that are built from specs."""

from dataclasses import replace

import numpy as np
import pytest

from train.models.spec import NetSpec, ProposalSpec, Stage, TeacherSpec
from train.recipes.registry import RECIPES

pytestmark = pytest.mark.train

SMALL = {recipe.name: recipe.spec for recipe in RECIPES.values() if isinstance(recipe.spec, NetSpec)}


@pytest.mark.parametrize("name", SMALL)
def test_a_spec_counts_the_parameters_of_its_network(name):
    from train.models.sepnet import build

    spec = SMALL[name]
    body = build(spec).get_layer("body")
    built = sum(int(np.prod(weight.shape)) for weight in body.weights)
    total, unbiased = built, set()
    for layer in body.layers:
        if layer.name.endswith("_bn"):
            total -= 3 * layer.gamma.shape[0]  # folded: one bias remains of four values per channel
        elif "_repeated_bn" in layer.name:
            total -= 2 * layer.gamma.shape[0]  # before its convolution: a factor and a summand remain
        elif layer.name.endswith(("_depthwise", "_repeated_pointwise")):
            unbiased.add(layer.output.shape[-1])
        elif layer.name == "places":
            total -= layer.bias.shape[0]  # it becomes part of the logits' bias
            unbiased.add(layer.bias.shape[0])
    assert spec.stored_parameters() == total + sum(unbiased)


def test_a_repeated_block_has_one_set_of_weights():
    from train.models.sepnet import build

    once, thrice = (build(NetSpec(4, (Stage(6, 1, repeats=times),), 3, 7, size=16)) for times in (1, 3))
    body = thrice.get_layer("body")
    assert sum("repeated_pointwise" in layer.name for layer in body.layers) == 1
    # Two more applications have two more BatchNorms of four values per channel, and nothing else.
    assert thrice.count_params() - once.count_params() == 2 * 4 * 6


def test_blocks_are_residual_where_the_width_stays():
    from train.models.sepnet import build

    spec = NetSpec(4, (Stage(6, 3, stride=1, repeats=1), Stage(6, 2)), 3, 7, size=16)
    names = [layer.name for layer in build(spec).get_layer("body").layers if layer.name.endswith("add")]
    # Not where the width changes from 4 to 6, and not where a stride halves the resolution.
    assert names == ["stage0_block1_add", "stage0_block2_add", "stage1_block1_add"]


def test_pixels_are_scaled_to_what_int8_represents_exactly():
    from train.models.sepnet import build

    scaled = build(SMALL["gender"]).get_layer("scale")(np.array([[0.0, 128.0, 255.0]]))
    np.testing.assert_array_equal(np.asarray(scaled), [[-1.0, 0.0, 127 / 128]])


def test_a_teacher_in_half_precision_has_float32_logits_and_restores_the_policy():
    import keras

    from train.models.sepnet import build

    teacher = build(TeacherSpec((4, 6, 8), classes=7, size=16), precision="mixed_bfloat16")
    logits = teacher(np.zeros((2, 16, 16, 1), np.float32))
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert teacher.get_layer("body").get_layer("stem").compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == "float32"


def test_a_proposal_network_has_the_parameters_and_the_map_of_its_spec():
    from train.models.complexity import folded_parameters
    from train.models.sepnet import build

    spec = ProposalSpec(stem=4, stages=(Stage(6, 1), Stage(5, 1, stride=1), Stage(7, 3)), size=32)
    body = build(spec).get_layer("body")
    assert spec.stored_parameters() == folded_parameters(body)
    assert [layer.name for layer in body.layers if layer.name.endswith("add")] == [
        "stage2_block1_add",
        "stage2_block2_add",
    ]
    assert body.output_shape == (None, 4, 4, 4)


def test_a_proposal_network_sees_the_same_in_a_larger_image():
    from train.models.sepnet import build

    spec = ProposalSpec(stem=4, stages=(Stage(6, 1), Stage(5, 1)), size=64)
    small, large = build(spec), build(replace(spec, size=96))
    random = np.random.default_rng(0)
    small.set_weights([random.normal(0, 0.5, weight.shape) ** 2 for weight in small.get_weights()])
    large.set_weights(small.get_weights())
    image = random.integers(0, 256, (1, 96, 96, 1)).astype(np.float32)
    whole, part = np.asarray(large(image)), np.asarray(small(image[:, :64, :64]))
    np.testing.assert_allclose(part[:, :6, :6], whole[:, :6, :6], rtol=1e-5)
    assert not np.allclose(part[:, 7], whole[:, 7, :8], rtol=1e-5)  # what lies beyond the edge differs


def test_a_proposal_network_expects_no_face_before_it_is_trained():
    from train.models.sepnet import build

    spec = ProposalSpec(stem=4, stages=(Stage(6, 1), Stage(5, 1)), size=16)
    maps = np.asarray(build(spec)(np.full((1, 16, 16, 1), 128, np.float32)))
    np.testing.assert_array_equal(maps[0, 0, 0], [-4, 0, 0, 0])
