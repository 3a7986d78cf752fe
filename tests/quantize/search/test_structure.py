"""Structures that a search draws fit the parent and the size."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from quantize.search.structure import GateLayout, StageShape, Structure, draw_structure  # noqa: E402
from tests.support.gated import LAYOUT, WIDEST  # noqa: E402
from train.models.complexity import folded_parameters  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.models.spec import NetSpec, Stage  # noqa: E402


def test_random_structures_keep_within_the_size_and_the_parent():
    random = np.random.default_rng(1)
    drawn = [draw_structure(WIDEST, 1_500, random) for _ in range(40)]
    for structure in drawn:
        assert 1_425 <= structure.spec.stored_parameters() <= 1_500
        assert 2 <= structure.stem <= 6 and 2 <= structure.head <= 5
        for stage, most in zip(structure.stages, WIDEST.stages, strict=True):
            assert 2 <= stage.channels <= most.channels and stage.stride == most.stride
            assert 0 <= stage.own <= most.own and 0 <= stage.shared <= most.shared
    for values in zip(
        *((each.places, *(stage.block for stage in each.stages)) for each in drawn), strict=True
    ):
        assert set(values) == {True, False}
    assert drawn == [
        draw_structure(WIDEST, 1_500, random) for random in [np.random.default_rng(1)] for _ in range(40)
    ]


def test_a_size_that_no_structure_has_is_refused(monkeypatch):
    monkeypatch.setattr("quantize.search.structure._MAX_DRAWS", 50)
    with pytest.raises(ConfigError, match="no structure of about 90,000 parameters"):
        draw_structure(WIDEST, 90_000, np.random.default_rng(0))


def test_a_random_structure_can_be_built_and_stores_what_it_says():
    structure = draw_structure(WIDEST, 1_500, np.random.default_rng(3))
    assert folded_parameters(build(structure.spec).get_layer("body")) == structure.spec.stored_parameters()


def test_blocks_behind_pooling_are_a_second_stage():
    structure = Structure(4, (StageShape(6, 2, False, 2, 3), StageShape(8, 2, True, 1, 0)), 3, False, 5, 16)
    stages = (Stage(6, 0, 2), Stage(6, 2, 1, repeats=3), Stage(8, 2, 2))
    assert structure.spec == NetSpec(4, stages, 3, 5, 16, separable_head=True)


@pytest.mark.parametrize(
    ("stem", "stage", "sound"),
    [
        (6, StageShape(6, 1, True, 0, 0), False),
        (6, StageShape(6, 2, True, 0, 0), True),
        (6, StageShape(6, 1, False, 0, 1), True),
        (6, StageShape(5, 1, False, 0, 1), False),
        (6, StageShape(5, 1, True, 0, 1), True),
    ],
)
def test_a_structure_is_sound_if_it_has_no_residual_too_many_and_pooling_loses_nothing(stem, stage, sound):
    assert Structure(stem, (stage,), 3, True).is_sound is sound


def test_every_gate_has_one_decision():
    covered = np.concatenate([np.arange(LAYOUT.size)[where] for where in LAYOUT.slices.values()])
    assert covered.tolist() == list(range(LAYOUT.size))
    assert LAYOUT.channels() == ("stem", "stage0/channels", "stage1/channels", "head")


def test_a_widest_structure_leaves_no_decision_out():
    with pytest.raises(ConfigError, match="a widest structure has blocks"):
        GateLayout.of(replace(WIDEST, places=False))
