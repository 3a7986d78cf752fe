"""The proposal network: how its maps are read, and how its interpreters are kept.

What it finds is tested with what every proposer must do, in test_proposers.py.
"""

import math
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

import edge.detection.proposal
from edge.detection.outputs import CELL_CENTRE_PX, PROPOSAL_SIDE_PX, STRIDE_PX
from edge.detection.proposal import ProposalNetwork
from edge.detection.search import SearchPart
from edge.errors import ModelError
from edge.inference.contract import MODELS_FOLDER, find_model
from edge.inference.network import Network
from edge.types import Box
from tests.support.faces import scene

SCALE, ZERO_POINT = 1 / 16, -20
WHOLE = SearchPart(Box(0, 0, 80, 64), (80, 64), 1.0)
GRAY = np.zeros((480, 640), np.uint8)


@pytest.fixture
def network_of(monkeypatch):
    """Makes a proposer whose network outputs a given map, {(row, column): (face, dx, dy, size)}."""

    def make(cells, temperature=1.0, **options):
        class MapNetwork:
            scale, zero_point = SCALE, ZERO_POINT
            contract = SimpleNamespace(name="map", temperature=temperature)

            def __init__(self, size_hw=None):
                self.size_hw = size_hw

            @classmethod
            def open(cls, path, task, threads=1):
                return cls()

            def resized(self, size_hw):
                return type(self)(size_hw)

            def run(self, pixels):
                assert pixels.shape == self.size_hw
                maps = np.full((*(side // STRIDE_PX for side in self.size_hw), 4), -128, np.int8)
                for (row, column), values in cells.items():
                    codes = [round(value / SCALE) + ZERO_POINT for value in values]
                    maps[row, column] = np.clip(codes, -128, 127)
                return maps

        monkeypatch.setattr(edge.detection.proposal, "Network", MapNetwork)
        return ProposalNetwork(**options)

    return make


def test_a_cell_of_the_map_is_a_square_in_the_frame(network_of):
    (found,) = network_of({(2, 5): (3.0, 0.25, -0.5, 1.0)}).propose(GRAY, WHOLE)
    # Places in continuous pixels: the centre of the first pixel lies at 0.5.
    assert found.x == pytest.approx(5 * STRIDE_PX + CELL_CENTRE_PX + 0.5 + 2)
    assert found.y == pytest.approx(2 * STRIDE_PX + CELL_CENTRE_PX + 0.5 - 4)
    assert found.side == pytest.approx(PROPOSAL_SIDE_PX * math.exp(0.5))
    assert found.confidence == pytest.approx(1 / (1 + math.exp(-3)))
    assert (found.roll_deg, found.yaw) == (0, 0)


def test_a_part_that_is_reduced_and_moved(network_of):
    network = network_of({(1, 2): (3.0, 0.0, 0.0, 0.0)})
    (found,) = network.propose(GRAY, SearchPart(Box(100, 60, 200, 160), (80, 64), 2.5))
    assert found[:3] == pytest.approx((100 + 2.5 * 20, 60 + 2.5 * 12, 2.5 * PROPOSAL_SIDE_PX))


def test_a_part_that_is_no_multiple_of_the_stride_is_filled_up(network_of):
    (found,) = network_of({(7, 9): (3.0, 0.0, 0.0, 0.0)}).propose(
        GRAY, SearchPart(Box(0, 0, 73, 57), (73, 57), 1.0)
    )
    assert (found.x, found.y) == (76, 60)


def test_of_neighbouring_cells_the_highest_counts(network_of):
    cells = {
        (2, 2): (2.0, 0, 0, 0),
        (2, 3): (3.0, 0, 0, 0),
        (3, 4): (2.5, 0, 0, 0),
        (2, 6): (1.0, 0, 0, 0),  # no neighbour
    }
    found = network_of(cells).propose(GRAY, WHOLE)
    assert [(each.x, each.y) for each in found] == [(28, 20), (52, 20)]


@pytest.mark.parametrize("least", [0.1, 0.5, 0.9])
def test_cells_below_the_threshold_are_left_out(network_of, least):
    logits = np.arange(-4, 4, 0.25)
    cells = {(2 * (n // 4), 2 * (n % 4)): (logit, 0, 0, 0) for n, logit in enumerate(logits)}
    part = SearchPart(Box(0, 0, 64, 128), (64, 128), 1.0)
    found = network_of(cells, threshold=least).propose(GRAY, part)
    assert len(found) == min(24, sum(1 / (1 + math.exp(-logit)) >= least for logit in logits))
    assert all(each.confidence >= least for each in found)


def test_the_temperature_divides_the_logit(network_of):
    cells = {(2, 2): (2.0, 0, 0, 0), (2, 6): (1.0, 0, 0, 0)}
    (found,) = network_of(cells, temperature=2.0, threshold=0.7).propose(GRAY, WHOLE)
    assert found.confidence == pytest.approx(1 / (1 + math.exp(-1)))


def test_of_many_the_most_confident_are_left(network_of):
    cells = {(2 * (n // 16), 2 * (n % 16)): (n / 40, 0, 0, 0) for n in range(128)}
    part = SearchPart(Box(0, 0, 256, 128), (256, 128), 1.0)
    found = network_of(cells, threshold=0.3).propose(GRAY, part)
    assert len(found) == 24
    assert found[-1].confidence >= 1 / (1 + math.exp(-2.5))


def test_a_lower_threshold_proposes_more():
    gray = scene(("happy", 60, 40, 90), ("sad", 350, 200, 60), noise=12)
    few, many = (
        sum(len(network.propose(gray, part)) for part in network.plan((480, 640)))
        for network in (ProposalNetwork(threshold=0.8), ProposalNetwork(threshold=0.05))
    )
    assert few < many


@pytest.mark.parametrize(
    "frame_hw", [(120, 160), (480, 640), (640, 480), (720, 1280), (1080, 1920), (1079, 1917), (400, 1920)]
)
def test_each_interpreter_is_opened_once(monkeypatch, frame_hw):
    opened = []

    class Counting(Network):
        def resized(self, size_hw):
            opened.append(size_hw)
            return super().resized(size_hw)

    monkeypatch.setattr(edge.detection.proposal, "Network", Counting)
    network, gray = ProposalNetwork(), np.zeros(frame_hw, np.uint8)
    for _ in range(2):
        for part in network.plan(frame_hw):
            network.propose(gray, part)
    assert len(opened) == len(set(opened)) <= 13


def test_frames_of_the_commonest_size_find_their_interpreters_open(monkeypatch):
    network = ProposalNetwork()
    monkeypatch.setattr(Network, "resized", None)  # no further one can be opened
    for part in network.plan((480, 640)):
        network.propose(np.zeros((480, 640), np.uint8), part)
    with pytest.raises(TypeError):
        network.propose(np.zeros((480, 648), np.uint8), network.plan((480, 648))[0])


def test_frames_whose_size_changes_all_the_time_do_not_fill_the_memory():
    network = ProposalNetwork()
    for side in range(100, 500, 20):
        gray = np.zeros((side, side), np.uint8)
        for part in network.plan((side, side)):
            network.propose(gray, part)
    assert len(network._networks) <= 12


def test_a_file_that_is_replaced_meanwhile_is_not_read(tmp_path):
    """Frames of another size need another interpreter, and may come at any time."""
    shipped = find_model(MODELS_FOLDER, "proposal")
    for suffix in (".json", ".tflite"):
        shutil.copy(shipped.with_suffix(suffix), tmp_path / f"copy{suffix}")
    network = ProposalNetwork(tmp_path / "copy.tflite")
    for suffix in (".json", ".tflite"):
        (tmp_path / f"copy{suffix}").write_bytes(b"not a network")
    gray = scene(("happy", 60, 40, 90))[:400, :400]
    for part in network.plan((400, 400)):
        assert network.propose(gray, part) == ProposalNetwork().propose(gray, part)


def test_threads_do_not_change_what_is_proposed():
    gray = scene(("happy", 60, 40, 90), ("sad", 350, 200, 160))
    one, two = (ProposalNetwork(threads=threads) for threads in (1, 2))
    for part in one.plan((480, 640)):
        assert one.propose(gray, part) == two.propose(gray, part)


def test_a_network_that_is_no_proposal_network_is_refused(models, tmp_path):
    with pytest.raises(ModelError, match="a network for emotion; expected one for proposal"):
        ProposalNetwork(models / "tiny_emotion.json")
    with pytest.raises(ModelError, match=r"none\.tflite: No such file"):
        ProposalNetwork(tmp_path / "none.tflite")
