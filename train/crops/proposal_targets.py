"""The map that the proposal network should return for a crop, from the faces in the crop."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from edge.detection.outputs import (
    CELL_CENTRE_PX,
    PROPOSAL_SHIFT_PX,
    PROPOSAL_SIDE_PX,
    PROPOSAL_SIZE_SCALE,
    STRIDE_PX,
)

# Channels of a target: how much a cell is a face's centre (0 to 1, and 1 in one cell for each face), the
# three numbers that the network should return there, their weight in the loss, and whether the cell counts.
HEAT, DX, DY, SIZE, WEIGHT, COUNTS = range(6)
_CHANNELS = 6
# Cells next to the centre's learn the box as well: the network may find the face there.
_NEAR_WEIGHT = 0.3

Floats = npt.NDArray[np.float32]


def encode_faces(faces: npt.ArrayLike, ignored: npt.ArrayLike, cells: int) -> Floats:
    """Returns the target of a crop, in the manner of CenterNet (Zhou et al. 2019, arXiv:1904.07850).

    Args:
        faces: (F, 3) or more columns: x and y of the centre, and the side, in pixels of the crop. The centre
            lies within the crop.
        ignored: (G, 3): x, y and radius of circles in which the network may return anything.
        cells: side of the map.

    Returns:
        (cells, cells, 6) float32.
    """
    centres = np.arange(cells) * STRIDE_PX + CELL_CENTRE_PX
    cell_x, cell_y = np.meshgrid(centres, centres)
    target = np.zeros((cells, cells, _CHANNELS), np.float32)
    target[..., COUNTS] = 1
    for x, y, radius in np.asarray(ignored, float).reshape(-1, 3):
        target[(cell_x - x) ** 2 + (cell_y - y) ** 2 < radius**2, COUNTS] = 0
    nearest = np.full((cells, cells), np.inf)
    centre_cells = []
    for x, y, side, *_ in np.asarray(faces, float):
        squared = (cell_x - x) ** 2 + (cell_y - y) ** 2
        spread = max(0.5 * STRIDE_PX, 0.17 * side)
        target[..., HEAT] = np.maximum(target[..., HEAT], np.exp(-squared / (2 * spread**2)))
        cell = int((y + 0.5) // STRIDE_PX), int((x + 0.5) // STRIDE_PX)
        near = (squared < nearest) & (squared < max(9.0, 0.25 * side) ** 2)
        near[cell] = True
        nearest[near] = squared[near]
        target[near, DX] = (x - cell_x[near]) / PROPOSAL_SHIFT_PX
        target[near, DY] = (y - cell_y[near]) / PROPOSAL_SHIFT_PX
        target[near, SIZE] = PROPOSAL_SIZE_SCALE * np.log(side / PROPOSAL_SIDE_PX)
        target[near, WEIGHT] = np.maximum(target[near, WEIGHT], _NEAR_WEIGHT)
        centre_cells.append(cell)
    for cell in centre_cells:
        target[cell][[HEAT, WEIGHT, COUNTS]] = 1
    return target


def decode_maps(maps: Floats) -> tuple[Floats, Floats]:
    """Returns what each cell of the network's output means.

    Args:
        maps: (N, cells, cells, 4) float32.

    Returns:
        The logits of a face, (N, cells, cells), and x and y of the centre and the side of the box, in pixels,
        (N, cells, cells, 3).
    """
    rows, columns = np.indices(maps.shape[1:3])
    boxes = np.stack(
        [
            columns * STRIDE_PX + CELL_CENTRE_PX + maps[..., DX] * PROPOSAL_SHIFT_PX,
            rows * STRIDE_PX + CELL_CENTRE_PX + maps[..., DY] * PROPOSAL_SHIFT_PX,
            PROPOSAL_SIDE_PX * np.exp(maps[..., SIZE] / PROPOSAL_SIZE_SCALE),
        ],
        axis=-1,
    )
    return maps[..., HEAT], boxes.astype(np.float32)
