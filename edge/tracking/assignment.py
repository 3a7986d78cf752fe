"""Who is who between two frames: the pairing whose costs sum to the least."""

from __future__ import annotations

import math
from collections.abc import Sequence


def assign(costs: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Pairs rows with columns so that as many as can be are paired, at the least sum of costs.

    The Hungarian method by shortest augmenting paths (Kuhn 1955; Jonker and Volgenant 1987), O(n^3): sixteen
    faces take less than a millisecond, so nothing larger than it is needed here.

    Args:
        costs: a row for each of the one, a column for each of the other; infinity where a pair cannot be.

    Returns:
        (row, column) pairs by row; rows and columns that are left over are in none.
    """
    rows, columns = len(costs), len(costs[0]) if costs else 0
    if not rows or not columns:
        return []
    side = max(rows, columns)
    finite = [cost for row in costs for cost in row if math.isfinite(cost)]
    # Dearer than all true pairs together: such a pair is only made where nothing else is left.
    never = 1.0 + 2.0 * sum(abs(cost) for cost in finite)
    square = [
        [
            costs[row][column]
            if row < rows and column < columns and math.isfinite(costs[row][column])
            else never
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
    """The row of each column of a square of finite costs."""
    side = len(costs)
    row_prices, column_prices = [0.0] * (side + 1), [0.0] * (side + 1)
    owner, before = [side] * (side + 1), [side] * (side + 1)  # the last column stands for "none yet"
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
        while column != side:  # hands the columns on along the path
            owner[column], column = owner[before[column]], before[column]
    return owner[:side]
