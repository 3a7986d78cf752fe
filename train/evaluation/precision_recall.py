"""Precision and recall of detections by their score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision and recall at every score that a detection has.

    Attributes:
        scores: (S,) the detections' scores without repetition, descending.
        precision: (S,) share of the detections of that score or a higher one that are faces.
        recall: (S,) share of the faces that they find.
    """

    scores: Floats
    precision: Floats
    recall: Floats

    @property
    def average_precision(self) -> float:
        """The mean precision over all recalls, 0 to 1; faces that are never found count as 0."""
        steps = np.diff(self.recall, prepend=0.0)
        return float((steps * self.precision).sum())

    def at_precision(self, precision: float) -> tuple[float, float]:
        """Returns the highest recall with at least a precision, and the lowest score that counts then.

        Without any such score, the recall is 0 and the score infinite.
        """
        enough = np.flatnonzero(self.precision >= precision)
        if not len(enough):
            return 0.0, float("inf")
        return float(self.recall[enough[-1]]), float(self.scores[enough[-1]])


def precision_recall(scores: npt.ArrayLike, hits: npt.ArrayLike, faces: int) -> PrecisionRecall:
    """Computes precision and recall.

    Args:
        scores: (D,) score of each detection.
        hits: (D,) bool, whether it finds a face that no detection with a higher score finds.
        faces: number of faces, found or not.
    """
    scores, hits = np.asarray(scores, np.float64), np.asarray(hits, np.bool_)
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(hits[order])
    # A threshold cannot divide equal scores, of which an int8 network has many: they count together.
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    return PrecisionRecall(scores[order][last], found[last] / (last + 1), found[last] / max(faces, 1))
