import itertools
import math

import numpy as np
import pytest

from edge.tracking.assignment import assign

NEVER = math.inf


def best_by_trying_all(costs):
    """(pairs, sum of costs) of the best pairing: first as many pairs as can be, then the cheapest."""
    rows, columns = costs.shape
    for count in range(min(rows, columns), -1, -1):
        sums = [
            sum(costs[row, column] for row, column in zip(chosen, order, strict=True))
            for chosen in itertools.combinations(range(rows), count)
            for order in itertools.permutations(range(columns), count)
        ]
        if sums and min(sums) < NEVER:
            return count, min(sums)
    raise AssertionError


@pytest.mark.parametrize("seed", range(150))
def test_no_pairing_is_better(seed):
    random = np.random.default_rng(seed)
    costs = random.random(random.integers(1, 6, 2))
    costs[random.random(costs.shape) < 0.3] = NEVER
    pairs = assign(costs.tolist())
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    count, total = best_by_trying_all(costs)
    assert len(pairs) == count
    assert sum(costs[pair] for pair in pairs) == pytest.approx(total)


def test_the_nearest_pair_first_would_not_be_best():
    assert assign([[1.0, 2.0], [1.5, 9.0]]) == [(0, 1), (1, 0)]


def test_what_cannot_be_is_left_over():
    assert assign([[NEVER, 1.0], [NEVER, 2.0]]) == [(0, 1)]
    assert assign([[NEVER]]) == []


@pytest.mark.parametrize("costs", [[], [[], []]])
def test_nobody_to_pair(costs):
    assert assign(costs) == []
