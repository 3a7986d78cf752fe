"""The plain network that gates leave computes what the gated one computes with these gates."""

import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from quantize.search.extraction import extract, read_structure, round_gates  # noqa: E402
from quantize.search.gated_net import build_gated  # noqa: E402
from quantize.search.structure import StageShape, stored_parameters  # noqa: E402
from tests.support.gated import LAYOUT, WIDEST, gates_with  # noqa: E402
from tests.support.random_weights import randomize_weights  # noqa: E402

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 1)).astype(np.float32)
# Gates, the structure that they leave as (stem, stages, head, places).
CASES = {
    "everything": (gates_with(), (6, WIDEST.stages, 5, True)),
    "narrower": (
        gates_with(stem=(0, 3), stage0_channels=(1, 2, 7), stage1_channels=(0, 4, 10), head=(4,)),
        (4, (StageShape(5, 1, True, 1, 2), StageShape(8, 2, True, 2, 3)), 4, True),
    ),
    "fewer applications, rows and columns": (
        gates_with(
            stem=(5,), stage0_own=(0,), stage0_shared=(0,), stage1_own=(0,), stage1_shared=(1,), places=(0,)
        ),
        (5, (StageShape(8, 1, True, 0, 1), StageShape(11, 2, True, 1, 2)), 5, False),
    ),
    "nothing shared": (
        gates_with(stage0_shared=(0, 1), stage1_shared=(0, 1, 2)),
        (6, (StageShape(8, 1, True, 1, 0), StageShape(11, 2, True, 2, 0)), 5, True),
    ),
    # A channel that pooling passes on stays, whatever its own gate.
    "pooling": (
        gates_with(
            stem=(1, 5),
            stage0_block=(0,),
            stage0_channels=(0, 1, 4, 5),
            stage1_block=(0,),
            stage1_channels=(7, 9),
        ),
        (4, (StageShape(6, 1, False, 1, 2), StageShape(10, 2, False, 2, 3)), 5, True),
    ),
    "pooling, then nothing or shared kernels only": (
        gates_with(
            stem=(2,),
            stage0_block=(0,),
            stage0_own=(0,),
            stage0_shared=(0, 1),
            stage1_block=(0,),
            stage1_own=(0, 1),
        ),
        (5, (StageShape(8, 1, False, 0, 0), StageShape(11, 2, False, 0, 3)), 5, True),
    ),
    "pooling, then a block": (
        gates_with(stem=(2,), stage0_block=(0,), stage0_channels=(2, 7)),
        (5, (StageShape(6, 1, False, 1, 2), StageShape(11, 2, True, 2, 3)), 5, True),
    ),
}


@pytest.fixture(scope="module")
def gated():
    net = randomize_weights(build_gated(LAYOUT))
    # As large as the outputs: that of a closed channel must not stay.
    for name in ("places", "columns"):
        net.get_layer(name).bias.assign(np.random.default_rng(1).normal(0, 1000, WIDEST.head))
    return net


@pytest.mark.parametrize("name", CASES)
def test_the_plain_network_computes_the_same(gated, name):
    gates, (stem, stages, head, places) = CASES[name]
    structure = read_structure(LAYOUT, gates)
    assert (structure.stem, structure.stages, structure.head, structure.places) == (
        stem,
        stages,
        head,
        places,
    )
    expected = np.asarray(gated([PIXELS, gates[np.newaxis]]))
    assert np.ptp(expected, axis=0).min() > 1e-3 * np.abs(expected).max()
    actual = np.asarray(extract(gated, LAYOUT, gates)(PIXELS))
    np.testing.assert_allclose(actual, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("name", CASES)
def test_the_price_of_open_gates_is_what_a_file_stores(name):
    gates, _ = CASES[name]
    structure = read_structure(LAYOUT, gates)
    price = float(stored_parameters(LAYOUT.split(gates[np.newaxis]), WIDEST))
    assert price == structure.spec.stored_parameters() + _equal_widths(structure)


def _equal_widths(structure):
    """Counts the zeros that a file stores once, and the price once for each place that reads them."""
    stages, before = structure.stages, structure.stem
    read = [structure.head]
    reads_before = False
    for stage in stages:
        if stage.block or reads_before:
            read.append(before)
        reads_before = bool(stage.own or stage.shared)
        before = stage.channels
    if reads_before:
        read.append(before)
    return sum(read) - sum(set(read))


def test_channels_are_closed_in_the_order_of_their_gates_until_the_size_is_right():
    log_alpha = np.full(LAYOUT.size, 1.0)
    log_alpha[LAYOUT.slices["stage1/own"]] = [-1.0, 0.5]
    where = LAYOUT.slices["stage1/channels"]
    log_alpha[where] = np.linspace(5, 9, 11)
    weak = LAYOUT.slices["stage0/channels"]
    log_alpha[weak] = np.linspace(-3, -2, 8)
    whole = read_structure(LAYOUT, gates_with(stage1_own=(0,))).spec.stored_parameters()
    gates = round_gates(LAYOUT, log_alpha, whole - 1)
    structure = read_structure(LAYOUT, gates)
    assert structure.stages == (StageShape(7, 1, True, 1, 2), StageShape(11, 2, True, 1, 3))
    assert gates[weak].tolist() == [0, 1, 1, 1, 1, 1, 1, 1]
    assert whole - 100 < structure.spec.stored_parameters() < whole
    smaller = read_structure(LAYOUT, round_gates(LAYOUT, log_alpha, 1_000))
    # Of the first stage's channels, which are the least likely, only the two that must stay are left.
    assert smaller.stages[0].channels == 2
    assert smaller.spec.stored_parameters() <= 1_000


def test_a_width_that_would_add_a_residual_is_passed_over():
    log_alpha = np.full(LAYOUT.size, 1.0)
    log_alpha[LAYOUT.slices["stage0/channels"]] = np.linspace(-3, -2, 8)
    sizes = {}
    for target in range(1_000, 2_300, 10):
        structure = read_structure(LAYOUT, round_gates(LAYOUT, log_alpha, target))
        assert structure.is_sound and structure.spec.stored_parameters() <= target
        sizes[structure.stem, structure.stages[0].channels] = target
    assert (6, 7) in sizes and (6, 5) in sizes and (6, 6) not in sizes


def test_a_size_that_no_channels_fit_is_refused():
    with pytest.raises(ConfigError, match="no network of at most 100 parameters"):
        round_gates(LAYOUT, np.ones(LAYOUT.size), 100)
