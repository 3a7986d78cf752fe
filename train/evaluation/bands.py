"""The recall of faces by size, roll and light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# The bands of the roll's absolute value in degrees.
_ROLLS = ((0, 10), (10, 25), (25, 40))


@dataclass(frozen=True)
class ScoredFaces:
    """Annotated faces and how they were found.

    Attributes:
        score: (F,) score of the detection that finds the face, -inf for none.
        side: (F,) side of the face in pixels.
        roll: (F,) roll in degrees.
        dim: (F,) bool, whether its crop is dim and noisy.
    """

    score: npt.NDArray[np.floating[Any]]
    side: npt.NDArray[np.floating[Any]]
    roll: npt.NDArray[np.floating[Any]]
    dim: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Band:
    """A group of faces.

    Attributes:
        name: what they have in common, such as "side 14-20".
        count: number of faces.
        recall: {operating point: share of them that is found, 0 to 1}; None without any face.
    """

    name: str
    count: int
    recall: Mapping[str, float | None]

    def to_dict(self) -> dict[str, Any]:
        """Returns the band for a JSON file."""
        rounded = {point: None if share is None else round(share, 4) for point, share in self.recall.items()}
        return {"count": self.count, "recall": rounded}


def face_bands(
    faces: ScoredFaces,
    sides: Sequence[tuple[float, float]],
    thresholds: Mapping[str, float],
) -> tuple[Band, ...]:
    """Returns the bands of faces and the recall of each.

    Args:
        faces: the faces.
        sides: lowest and highest side of each band; the highest does not belong to it.
        thresholds: {operating point: the lowest score that counts as found}.
    """
    roll = np.abs(faces.roll)
    members = {
        **{f"side {_interval(low, high)}": (faces.side >= low) & (faces.side < high) for low, high in sides},
        **{f"roll {_interval(low, high)}": (roll >= low) & (roll < high) for low, high in _ROLLS},
        "light as it is": ~faces.dim,
        "dim with noise": faces.dim,
    }
    return tuple(
        Band(
            name,
            int(rows.sum()),
            {
                point: float((faces.score[rows] >= threshold).mean()) if rows.any() else None
                for point, threshold in thresholds.items()
            },
        )
        for name, rows in members.items()
    )


def _interval(low: float, high: float) -> str:
    return f"{low:g}-{high:g}" if np.isfinite(high) else f"{low:g}+"
