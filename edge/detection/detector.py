"""Finds faces in two steps: a proposer names squares that may hold a face, a network judges each of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from edge.detection.candidate import Candidate, distinct, without_duplicates
from edge.detection.haar_proposer import HaarProposer
from edge.detection.joint_judge import JointJudge
from edge.detection.proposal import ProposalNetwork
from edge.detection.refinement import RefinementNetwork
from edge.detection.search import SearchPart
from edge.detection.settings import DetectorSettings
from edge.types import Gray

# The second look starts where the first one moved the square to; less confidence than this is not worth it.
_WORTH_A_SECOND_LOOK = 0.08
# A face may seem this much smaller than it is.
_LEEWAY = 0.85
# A candidate this many times larger than a known face may be the face of which the known one is an eye.
_LARGER = 1.5
_MAX_JUDGED = 16  # candidates of one part of the search, those with the highest confidence


class Proposer(Protocol):
    """Interface of what names squares that may hold a face, in one part of the frame at a time.

    Attributes:
        name: For messages.
        patience: Factor of the time from one search to the next; more than 1 where a search costs much.
    """

    name: str
    patience: float

    def plan(self, frame_hw: tuple[int, int]) -> Sequence[SearchPart]:
        """Returns the parts, of bounded work each, in which a frame of (height, width) is searched."""

    def propose(self, gray: Gray, part: SearchPart) -> list[Candidate]:
        """Returns the candidates in one part of a frame, (H, W) uint8, most confident first."""


class Judge(Protocol):
    """Interface of what tells whether a square holds a face, such as `JointJudge`."""

    def refine(self, gray: Gray, candidate: Candidate) -> Candidate:
        """Returns the square moved to the face, with the confidence that a face is there."""


class FaceDetector:
    """Finds faces, one part of the frame at a time.

    Example:
        >>> from edge.sources.factory import open_source
        >>> frame = next(iter(open_source("demo")))
        >>> [face.confidence > 0.5 for face in FaceDetector.shipped().detect_all(frame.gray)]
        [True]

    Attributes:
        proposer: Names squares that may hold a face.
        judge: Tells whether they do.
    """

    def __init__(self, proposer: Proposer, judge: Judge, smallest_px: float = 0) -> None:
        """Takes both parts, and the side of the smallest face in pixels of the frame."""
        self.proposer = proposer
        self.judge = judge
        self._least_side = _LEEWAY * smallest_px

    @classmethod
    def open(
        cls,
        settings: DetectorSettings | None = None,
        proposal: Path | None = None,
        refinement: Path | None = None,
        threads: int = 1,
    ) -> FaceDetector:
        """Opens what proposes faces, and the network that judges them.

        Args:
            settings: What proposes faces and how; None for the defaults.
            proposal: .tflite file or contract of the proposal network; None for the one that comes with the
                package.
            refinement: The same of the network that judges.
            threads: Processor threads of each network.

        Raises:
            ConfigError: the cascade file is missing or not a cascade.
            MissingDependencyError: this OpenCV has no cascade classifier, or no TFLite runtime is installed.
            ModelError: a network is missing, damaged or not what its contract describes.
        """
        settings = settings or DetectorSettings()
        proposer: Proposer
        if settings.kind == "haar":
            proposer = HaarProposer(settings.cascade, settings.min_face)
        else:
            proposer = ProposalNetwork(proposal, settings.min_face, threads=threads)
        judge = JointJudge(RefinementNetwork(refinement, threads), proposal, threads)
        return cls(proposer, judge, settings.min_face)

    @classmethod
    def shipped(cls) -> FaceDetector:
        """Opens the networks that come with the package.

        Raises:
            ModelError: a file is missing or damaged.
            MissingDependencyError: no TFLite runtime is installed.
        """
        return cls.open()

    def plan(self, frame_hw: tuple[int, int]) -> Sequence[SearchPart]:
        """Returns the parts, of bounded work each, in which a frame of (height, width) is searched."""
        return self.proposer.plan(frame_hw)

    def detect(
        self, gray: Gray, part: SearchPart, exclude: Sequence[Candidate] = (), least: float = 0.5
    ) -> list[Candidate]:
        """Searches one part of a frame.

        Args:
            gray: (H, W) uint8.
            part: A part of the plan for frames of this size.
            exclude: Faces that need not be found again. A surer and much larger face around one of them is
                found nevertheless: an eye may resemble a small face.
            least: Least confidence of a face, 0 to 1.

        Returns:
            The faces, most confident first.
        """
        proposed = [
            each
            for each in without_duplicates(self.proposer.propose(gray, part))
            if not any(
                each.is_same_face(face) and each.side < _LARGER * face.side for face in each.touching(exclude)
            )
        ]
        judged = [self.refine(gray, each) for each in proposed[:_MAX_JUDGED]]
        faces = distinct(each for each in judged if each.confidence >= least)
        return [face for face in faces if not any(_is_known(face, other) for other in face.touching(exclude))]

    def detect_all(self, gray: Gray, least: float = 0.5) -> list[Candidate]:
        """Searches a whole frame, (H, W) uint8, at once; see `detect`."""
        height, width = gray.shape
        parts = self.plan((height, width))
        return distinct(face for part in parts for face in self.detect(gray, part, (), least))

    def refine(self, gray: Gray, candidate: Candidate) -> Candidate:
        """Judges a square with two looks, the second where the first one moved it to.

        Args:
            gray: (H, W) uint8.
            candidate: A square near a face.

        Returns:
            The moved square with the confidence that a face is there.
        """
        first = self.look(gray, candidate)
        return self.look(gray, first) if first.confidence >= _WORTH_A_SECOND_LOOK else first

    def look(self, gray: Gray, candidate: Candidate) -> Candidate:
        """Judges a square once; what is smaller than the smallest face is none."""
        seen = self.judge.refine(gray, candidate)
        return seen if seen.side >= self._least_side else seen._replace(confidence=0.0)


def _is_known(face: Candidate, known: Candidate) -> bool:
    """Whether a face is a known one, or part of it."""
    surer_and_larger = face.confidence > known.confidence and face.side >= _LARGER * known.side
    return face.is_same_face(known) and not surer_and_larger
