"""Figures of a refinement network: which crops it takes for faces, and how well it places and turns them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.detection.outputs import REFINEMENT_SHIFT_SCALE, REFINEMENT_SIZE_SCALE, YAW_SCALE
from train.crops.refinement import DX, DY, FACE, ROLL_COS, ROLL_SIN, SIZE, YAW, YAW_KNOWN
from train.crops.validation import RefinementValidation
from train.evaluation.bands import Band, ScoredFaces, face_bands
from train.evaluation.proposal_figures import Predict

# Sides of faces in their source: all crops are resized to one size, so this is how sharp they are. The bands
# are those of `edge bench --truth`, with one more for what it leaves out.
SIDES = ((0.0, 24.0), (24.0, 40.0), (40.0, np.inf))
FALSE_ALARMS = (0.01, 0.001)
# The shares over which `log_average_recall` is a mean.
_SHARES = np.geomspace(0.001, 0.1, 9)


@dataclass(frozen=True)
class RefinementFigures:
    """What a refinement network returns for validation crops.

    Attributes:
        crops: number of crops.
        faces: number of crops that show a face.
        face_logits: the logits of those, descending.
        other_logits: the logits of all others, descending.
        bands: recall by size, roll and light at each of `FALSE_ALARMS`.
        errors: {"centre": median distance in sides of the box, "log_side": median |ln| of the ratio,
            "roll_deg": median in degrees, "yaw": median}.
    """

    crops: int
    faces: int
    face_logits: npt.NDArray[np.float64]
    other_logits: npt.NDArray[np.float64]
    bands: tuple[Band, ...]
    errors: dict[str, float]

    @property
    def auc(self) -> float:
        """The probability that a face has a higher logit than another crop, 0 to 1."""
        ascending = self.other_logits[::-1]
        below = np.searchsorted(ascending, self.face_logits, "left")
        not_above = np.searchsorted(ascending, self.face_logits, "right")
        return float((below + not_above).mean() / 2 / max(len(ascending), 1))

    def threshold(self, false_alarms: float) -> float:
        """Returns the lowest logit that at most a share of the crops without a face exceed."""
        allowed = int(false_alarms * len(self.other_logits))
        return float(np.nextafter(self.other_logits[allowed], np.inf))

    def recall(self, false_alarms: float) -> float:
        """Returns the share of the faces at or above `threshold`."""
        return float((self.face_logits >= self.threshold(false_alarms)).mean())

    @property
    def log_average_recall(self) -> float:
        """The mean recall at nine shares of false alarms, evenly spaced by their logarithm from 0.001 to 0.1.

        The counterpart of the log-average miss rate (Dollar et al. 2012, doi:10.1109/TPAMI.2011.155); a
        single share hangs on a few crops.
        """
        return float(np.mean([self.recall(share) for share in _SHARES]))

    @property
    def headlines(self) -> dict[str, float]:
        """The few figures that a run's log holds, {name: 0 to 1}."""
        return {"log_average_recall": self.log_average_recall, "recall": self.recall(0.01)}

    def to_dict(self) -> dict[str, Any]:
        """Returns the figures for a JSON file."""
        return {
            "count": self.crops,
            "faces": self.faces,
            "auc": round(self.auc, 5),
            "log_average_recall": round(self.log_average_recall, 4),
            "recall_at_false_alarms": {f"{each:g}": round(self.recall(each), 4) for each in FALSE_ALARMS},
            "logit_at_false_alarms": {f"{each:g}": round(self.threshold(each), 3) for each in FALSE_ALARMS},
            "bands": {band.name: band.to_dict() for band in self.bands},
            "errors": {name: round(value, 4) for name, value in self.errors.items()},
        }


def refinement_figures(predict: Predict, crops: RefinementValidation) -> RefinementFigures:
    """Evaluates a refinement network.

    Args:
        predict: from (N, size, size) uint8 to (N, 7) float32.
        crops: the crops to evaluate it on, with and without faces.
    """
    outputs = np.asarray(predict(crops.images), np.float64)
    face = crops.targets[:, FACE] > 0
    logits = outputs[:, FACE]
    figures = RefinementFigures(
        len(face),
        int(face.sum()),
        np.sort(logits[face])[::-1],
        np.sort(logits[~face])[::-1],
        (),
        _errors(outputs[face], crops.targets[face].astype(np.float64)),
    )
    scored = ScoredFaces(logits[face], crops.sides[face], crops.rolls[face], crops.dim[face])
    bands = face_bands(scored, SIDES, {f"{each:g}": figures.threshold(each) for each in FALSE_ALARMS})
    return replace(figures, bands=bands)


def _errors(outputs: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]) -> dict[str, float]:
    """Returns the median errors over faces."""
    shift = np.hypot(outputs[:, DX] - targets[:, DX], outputs[:, DY] - targets[:, DY])
    roll, true_roll = (
        np.degrees(np.arctan2(each[:, ROLL_SIN], each[:, ROLL_COS])) for each in (outputs, targets)
    )
    known = targets[:, YAW_KNOWN] > 0
    yaw = np.abs(outputs[known, YAW] - targets[known, YAW]) / YAW_SCALE
    return {
        "centre": float(np.median(shift)) / REFINEMENT_SHIFT_SCALE,
        "log_side": float(np.median(np.abs(outputs[:, SIZE] - targets[:, SIZE]))) / REFINEMENT_SIZE_SCALE,
        "roll_deg": float(np.median(np.abs((roll - true_roll + 180) % 360 - 180))),
        "yaw": float(np.median(yaw)) if known.any() else 0.0,
    }
