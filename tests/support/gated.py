"""A small gated network, and gates to try it with."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from quantize.search.structure import GateLayout, StageShape, Structure

WIDEST = Structure(
    stem=6,
    stages=(StageShape(8, 1, True, 1, 2), StageShape(11, 2, True, 2, 3)),
    head=5,
    places=True,
    classes=7,
    size=16,
)
LAYOUT = GateLayout.of(WIDEST)


def gates_with(**closed: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Returns open gates but for those named: `gates_with(stage0_own=(0,))` closes "stage0/own" at 0."""
    gates = np.ones(LAYOUT.size, np.float32)
    for name, indices in closed.items():
        where = LAYOUT.slices[name.replace("_", "/")]
        gates[where.start + np.array(indices, dtype=np.int64)] = 0
    return gates
