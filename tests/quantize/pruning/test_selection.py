"""Channels are removed by importance for the parameters that they free, and no more than needed."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from quantize.pruning.channel_groups import channel_groups  # noqa: E402
from quantize.pruning.selection import is_narrow_enough, select_channels  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.models.spec import NetSpec, ProposalSpec, Stage  # noqa: E402

SPEC = NetSpec(stem=6, stages=(Stage(10, 2),), head=5, classes=7, size=16)
# The groups are, in this order, "stem", "stage0_block0_pointwise" and "head".
LAST_FREES_MOST = NetSpec(stem=6, stages=(Stage(10, 1, 1),), head=5, classes=7, size=16)
MIDDLE_FREES_MOST = NetSpec(stem=4, stages=(Stage(16, 2),), head=8, classes=7, size=16)


def groups_of(spec):
    return channel_groups(build(spec).get_layer("body"))


def equal_importance(groups):
    return {group.name: np.ones(group.width) for group in groups}


def test_the_least_important_go_first_and_no_more_than_needed():
    groups = groups_of(SPEC)
    random = np.random.default_rng(0)
    importance = {group.name: random.random(group.width) for group in groups}
    goal = round(SPEC.stored_parameters() * 0.7)
    kept, spec = select_channels(SPEC, groups, importance, goal)
    assert spec.stored_parameters() <= goal
    removed_any = False
    for group in groups:
        removed = np.setdiff1d(np.arange(group.width), kept[group.name])
        assert len(kept[group.name]) + len(removed) == group.width
        if len(removed):
            removed_any = True
            assert importance[group.name][removed].max() < importance[group.name][kept[group.name]].min()
    assert removed_any
    assert spec.stored_parameters() > goal - 60  # one channel of the widest group


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (SPEC, replace(SPEC, stem=5)),
        (MIDDLE_FREES_MOST, replace(MIDDLE_FREES_MOST, stages=(Stage(15, 2),))),
        (LAST_FREES_MOST, replace(LAST_FREES_MOST, head=4)),
    ],
    ids=["first", "middle", "last"],
)
def test_of_equally_important_channels_the_one_that_frees_most_goes_first(spec, expected):
    groups = groups_of(spec)
    _, smaller = select_channels(spec, groups, equal_importance(groups), spec.stored_parameters() - 1)
    assert smaller == expected


@pytest.mark.parametrize(("head", "removed"), [(1.5, "head"), (1.75, "stem")])
def test_importance_is_weighed_against_the_parameters_that_are_freed(head, removed):
    groups = groups_of(LAST_FREES_MOST)
    importance = {"stem": np.ones(6), "stage0_block0_pointwise": np.ones(10), "head": np.full(5, head)}
    _, smaller = select_channels(LAST_FREES_MOST, groups, importance, LAST_FREES_MOST.stored_parameters() - 1)
    # A channel of the stem frees 51 parameters, one of the head 83, and 1.5 / 83 < 1 / 51 < 1.75 / 83.
    assert smaller == replace(LAST_FREES_MOST, **{removed: getattr(LAST_FREES_MOST, removed) - 1})


def test_a_target_below_the_smallest_network_is_refused():
    groups = groups_of(SPEC)
    with pytest.raises(ConfigError, match="a target of 50 parameters; with 2 channels left everywhere"):
        select_channels(SPEC, groups, equal_importance(groups), 50)


def test_widths_never_meet_where_that_would_add_a_residual():
    spec = ProposalSpec(stem=4, stages=(Stage(6, 1, 1), Stage(8, 2)), size=16)
    groups = groups_of(spec)
    assert [group.name for group in groups] == ["stem", "stage0_block0_pointwise", "stage1_block0_pointwise"]
    # The first stage is worth nothing: alone it would shrink to the width of the stem.
    importance = {
        "stem": np.ones(4),
        "stage0_block0_pointwise": np.zeros(6),
        "stage1_block0_pointwise": np.ones(8),
    }
    for target in range(spec.stored_parameters() - 1, 130, -30):
        _, smaller = select_channels(spec, groups, importance, target)
        assert smaller.stored_parameters() <= target
        assert smaller.stages[0].channels > smaller.stem
    with pytest.raises(ConfigError, match="cannot be narrowed below"):
        select_channels(spec, groups, importance, 110)


VECTORS = NetSpec(stem=9, stages=(Stage(14, 1, 1, 2), Stage(23, 1, 2, 2)), head=5, classes=7, size=16)


def test_a_multiple_takes_the_channels_beyond_it_from_all_but_the_head_though_the_target_is_met():
    groups = groups_of(VECTORS)
    random = np.random.default_rng(1)
    importance = {group.name: random.random(group.width) for group in groups}
    kept, spec = select_channels(VECTORS, groups, importance, VECTORS.stored_parameters(), multiple=4)
    assert spec == replace(VECTORS, stem=8, stages=(Stage(12, 1, 1, 2), Stage(20, 1, 2, 2)))
    assert is_narrow_enough(spec, VECTORS.stored_parameters(), 4)
    assert not is_narrow_enough(VECTORS, VECTORS.stored_parameters(), 4)
    for group in groups:
        expected = np.sort(np.argsort(importance[group.name])[group.width - len(kept[group.name]) :])
        np.testing.assert_array_equal(kept[group.name], expected)


def test_a_multiple_is_kept_on_the_way_to_a_target():
    groups = groups_of(VECTORS)
    goal = round(VECTORS.stored_parameters() * 0.6)
    _, spec = select_channels(VECTORS, groups, equal_importance(groups), goal, multiple=4)
    assert spec.stored_parameters() <= goal
    widths = [spec.stem, *(stage.channels for stage in spec.stages)]
    assert max(widths) > 4
    assert all(width % 4 == 0 or width < 4 for width in widths)
    assert is_narrow_enough(spec, goal, 4)


def test_a_group_that_is_narrower_than_the_multiple_keeps_its_width():
    groups = groups_of(VECTORS)
    _, spec = select_channels(
        VECTORS, groups, equal_importance(groups), VECTORS.stored_parameters(), multiple=16
    )
    assert spec == replace(VECTORS, stages=(Stage(14, 1, 1, 2), Stage(16, 1, 2, 2)))


def test_channels_beyond_a_multiple_are_weighed_together():
    groups = groups_of(VECTORS)
    # The two beyond 12 of the first stage are dear, the three beyond 20 of the second cheap.
    importance = {
        "stem": np.full(9, 9.0),
        "stage0_block0_pointwise": np.full(14, 9.0),
        "head": np.full(5, 9.0),
    }
    importance["stage1_block0_pointwise"] = np.concatenate([np.full(20, 9.0), np.full(3, 0.1)])
    target = VECTORS.stored_parameters() - 1
    kept, spec = select_channels(VECTORS, groups, importance, target, multiple=4)
    assert kept["stage1_block0_pointwise"].tolist() == list(range(20))
    assert spec.stages[1].channels == 20
