"""Linear assignment: pairs tracks with detections at the least sum of costs."""

from __future__ import annotations

import math
from collections.abc import Sequence


def assign(costs: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pairs as many rows with columns as possible, at the least sum of costs.

    The Hungarian method by shortest augmenting paths (Kuhn 1955; Jonker and Volgenant 1987), O(n^3): sixteen
    faces take less than a millisecond, so the device needs no SciPy.

    Args:
        costs: Cost of each pair, one sequence a row; infinity where a pair is impossible.

    Returns:
        (row, column) pairs in the order of rows; a row or column without a partner is in none.
    """
    rows, columns = len(costs), len(costs[0]) if costs else 0
    if not rows or not columns:
        return []
    side = max(rows, columns)
    finite = [cost for row in costs for cost in row if math.isfinite(cost)]
    # More than all possible pairs together: an impossible pair is chosen only where nothing else is left.
    impossible = 1.0 + 2.0 * sum(abs(cost) for cost in finite)
    square = [
        [
            costs[row][column]
            if row < rows and column < columns and math.isfinite(costs[row][column])
            else impossible
            for column in range(side)
        ]
        for row in range(side)
    ]
    owner = _solve(square)
    return sorted(
        (row, column)
        for column, row in enumerate(owner)
        if row < rows and column < columns and math.isfinite(costs[row][column])
    )


def _solve(costs: list[list[float]]) -> list[int]:
    """Returns the row of each column for a square of finite costs."""
    side = len(costs)
    row_prices, column_prices = [0.0] * (side + 1), [0.0] * (side + 1)
    owner, before = [side] * (side + 1), [side] * (side + 1)  # the last index stands for "none yet"
    for row in range(side):
        owner[side], column = row, side
        least, seen = [math.inf] * (side + 1), [False] * (side + 1)
        while owner[column] != side:
            seen[column], held = True, owner[column]
            reach, following = math.inf, side
            for other in range(side):
                if not seen[other]:
                    reduced = costs[held][other] - row_prices[held] - column_prices[other]
                    if reduced < least[other]:
                        least[other], before[other] = reduced, column
                    if least[other] < reach:
                        reach, following = least[other], other
            for other in range(side + 1):
                if seen[other]:
                    row_prices[owner[other]] += reach
                    column_prices[other] -= reach
                else:
                    least[other] -= reach
            column = following
        while column != side:  # reassigns the columns along the augmenting path
            owner[column], column = owner[before[column]], before[column]
    return owner[:side]
