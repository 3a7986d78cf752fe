"""This package's loop with parts of its face detection left out, to show what each part is good for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

from edge.bench.loops import EmotinyLoop, Loop
from edge.detection.candidate import Candidate, distinct
from edge.detection.detector import FaceDetector, Judge, Proposer
from edge.detection.refinement import RefinementNetwork
from edge.detection.search import SearchPart
from edge.pipeline.assembly import open_detector
from edge.settings.settings import Settings
from edge.types import Gray

# Without a judge a single detection must do to begin a track.
_ONE_DETECTION = 1.0
# Nor does one follow a face between two searches: seconds for which its looks alone do, and seconds for which
# it is reported after that.
_LOOKS_ALONE_S, _COAST_S = 1.5, 0.3


class _NoJudge:
    """Has no opinion: faces are followed by their looks alone."""

    def refine(self, gray: Gray, candidate: Candidate) -> Candidate:
        return candidate._replace(confidence=0.499)


class _Detector(FaceDetector):
    """Judges what is proposed by one judge, or not at all, and what is followed by another one."""

    def __init__(self, proposer: Proposer, judge_proposed: Judge | None, judge_followed: Judge) -> None:
        super().__init__(proposer, judge_followed)
        self._judged = None if judge_proposed is None else FaceDetector(proposer, judge_proposed)

    def detect(
        self, gray: Gray, part: SearchPart, exclude: Sequence[Candidate] = (), least: float = 0.5
    ) -> list[Candidate]:
        if self._judged is not None:
            return self._judged.detect(gray, part, exclude, least)
        proposed = [
            each
            for each in distinct(self.proposer.propose(gray, part))
            if not any(each.is_same_face(known) for known in exclude)
        ]
        # As sure as a judge would be: the proposer's confidence is of another scale.
        return [each._replace(confidence=0.95) for each in proposed if each.confidence >= least]


_Kind = Literal["network", "haar"]


def _open(kind: _Kind, judges_proposed: bool, settings: Settings) -> Loop:
    settings = replace(
        settings,
        detector=replace(settings.detector, kind=kind),
        follow=replace(
            settings.follow, min_evidence=_ONE_DETECTION, max_unverified_s=_LOOKS_ALONE_S, coast_s=_COAST_S
        ),
    )
    whole = open_detector(settings)
    judge = whole.judge if judges_proposed else None
    return EmotinyLoop(settings, _Detector(whole.proposer, judge, _NoJudge()))


def _open_whole(kind: _Kind, settings: Settings) -> Loop:
    return EmotinyLoop(replace(settings, detector=replace(settings.detector, kind=kind)))


def _open_face_judge(settings: Settings) -> Loop:
    models, least_px = settings.models, settings.detector.min_face
    judge = RefinementNetwork(models.refinement, models.threads)
    return EmotinyLoop(settings, FaceDetector(open_detector(settings).proposer, judge, least_px))


ABLATION: dict[str, Callable[[Settings], Loop]] = {
    "haar": partial(_open, "haar", False),
    "haar+judge": partial(_open, "haar", True),
    "haar+judge+follow": partial(_open_whole, "haar"),
    "network": partial(_open, "network", False),
    "network+judge": partial(_open, "network", True),
    "network+face+follow": _open_face_judge,
}
ABLATION_DESCRIPTIONS = {
    "haar": "the cascade in this package's search, faces followed by their looks",
    "haar+judge": "the same, each detection judged by both networks",
    "haar+judge+follow": "the same, faces followed by the judges: --detector haar",
    "network": "the proposal network in this package's search, faces followed by their looks",
    "network+judge": "the same, each detection judged; emotiny (c) also follows by the judges",
    "network+face+follow": "emotiny (c) without the second opinion of the proposal network",
}
