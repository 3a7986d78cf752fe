"""Judges a square by the face in it and by what surrounds it.

The refinement network sees a face alone, and takes a knee, a cup or a letter for one now and then. The
proposal network sees head and shoulders, less sharply, and errs elsewhere: asked again at the very place, it
is a second opinion for a fraction of the time of a search.
"""

from __future__ import annotations

import math
from pathlib import Path

from edge.detection.candidate import Candidate
from edge.detection.outputs import STRIDE_PX
from edge.detection.refinement import RefinementNetwork
from edge.inference.network import Network
from edge.inference.preprocess import Framing, crop_square, normalize_contrast
from edge.types import Gray

# The window that the proposal network sees around a face, and the side of the face in it.
_WINDOW_PX, _FACE_PX = 64, 20.0
_FRAMING = Framing(_WINDOW_PX / _FACE_PX, 0.0)
_MIDDLE = _WINDOW_PX // STRIDE_PX // 2
_CENTRE = slice(_MIDDLE - 1, _MIDDLE + 1)
# Log odds of a face, at even odds before: FACE * log odds of the refinement network + SURROUNDINGS * logit of
# the second opinion + BIAS. `python -m quantize scenes` fits 1.41, 1.10 and -0.82 to single pictures; on the
# clips of `bench --truth`, where a false alarm lasts, the second opinion is worth more.
_FACE, _SURROUNDINGS, _BIAS = 1.4, 1.5, -0.6
# Where the refinement network is surer than this that there is no face, no second opinion is asked for.
_LEAST = 0.05


class JointJudge:
    """Tells faces from everything else by two networks.

    Attributes:
        face: The judge that sees a face alone.
    """

    def __init__(self, face: RefinementNetwork, proposal: Path | None = None, threads: int = 1) -> None:
        """Takes the judge of a face alone, and opens the network of the second opinion.

        Args:
            face: The judge that sees a face alone.
            proposal: The .tflite file of the proposal network or its contract; None for the network that
                comes with the package.
            threads: Processor threads of that network.

        Raises:
            ModelError: a file is missing, damaged or not what its contract describes.
            MissingDependencyError: no TFLite runtime is installed.
        """
        self.face = face
        self._proposal = Network.open(proposal, "proposal", threads, (_WINDOW_PX, _WINDOW_PX))

    def refine(self, gray: Gray, candidate: Candidate) -> Candidate:
        """Judges a square and moves it to the face.

        Args:
            gray: (H, W) uint8.
            candidate: A square, up to a third of its side away from the face.

        Returns:
            The moved square with the confidence that a face is there; 0 where the centre lies outside the
            frame, before or after the move.
        """
        found = self.face.refine(gray, candidate)
        if found.confidence < _LEAST:
            return found
        x, y, side, alone, roll_deg, yaw = found
        together = joint_confidence(alone, self.surroundings(gray, found))
        return Candidate(x, y, side, together, roll_deg, yaw)

    def surroundings(self, gray: Gray, face: Candidate) -> float:
        """Returns the second opinion: the highest logit of the four cells around the middle of a square.

        Args:
            gray: (H, W) uint8.
            face: A square whose centre lies in the frame.
        """
        network = self._proposal
        crop = normalize_contrast(crop_square(gray, face.box(), _WINDOW_PX, _FRAMING))
        # So few numbers are faster without numpy.
        upper, lower = network.run(crop)[_CENTRE, _CENTRE, 0].tolist()
        highest: int = max(*upper, *lower)
        return (highest - network.zero_point) * network.scale


def joint_confidence(face: float, surroundings: float) -> float:
    """Returns the confidence that there is a face.

    Args:
        face: Confidence of the refinement network, 0 to 1.
        surroundings: Logit of the second opinion.
    """
    odds = _FACE * math.log(face / max(1 - face, 1e-9)) + _SURROUNDINGS * surroundings + _BIAS
    return 1 / (1 + math.exp(-odds))
