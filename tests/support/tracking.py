"""Runs a tracker over composed pictures, with the real detector or a scripted one."""

from itertools import pairwise

import numpy as np

from edge.detection.candidate import Candidate
from edge.detection.detector import FaceDetector
from edge.detection.search import SearchPart
from edge.tracking.tracker import FaceTracker
from edge.types import Box
from tests.support.faces import scene

FPS = 15
SURE = 8  # frames in which a clear face becomes sure enough to be reported
RANDOM = np.random.default_rng(0)


def followed(detector, pictures, settings=None, fps=FPS):
    """The ids and boxes of every picture."""
    tracker = FaceTracker(detector, settings)
    found = []
    for number, picture in enumerate(pictures):
        faces = tracker.update(picture, number / fps)
        found.append({face.id: face.box for face in faces})
        centres = [face.box.x + face.box.width / 2 for face in faces]
        assert all(one <= other + 1 for one, other in pairwise(centres))
    return found


def near(box, x, y, side):
    """Whether a box lies on a face that was drawn at a place."""
    middle = box.x + box.width / 2, box.y + box.height / 2
    return abs(middle[0] - x - side / 2) < side / 4 and abs(middle[1] - y - side / 2) < side / 4


def shown(count, *faces):
    """A face, or nobody, that stays for some pictures."""
    return [scene(*faces, seed=n) for n in range(count)]


FACE, ELSEWHERE = Candidate(300, 220, 200, 0.95), Candidate(465, 195, 150, 0.95)
PART = SearchPart(Box(0, 0, 640, 480), (640, 480), 1.0)


class Scripted:
    """Proposes one list of squares in each search, and judges by a function of the square and the time."""

    name, patience = "scripted", 1.0

    def __init__(self, proposed, judge):
        self.proposed, self.answer = list(proposed), judge
        self.searches = self.looks = 0

    def plan(self, frame_hw):
        return (PART,)

    def propose(self, gray, part):
        self.searches += 1
        return self.proposed.pop(0) if self.proposed else []

    def refine(self, gray, candidate):
        self.looks += 1
        return self.answer(candidate)


def tracker_of(proposed, judge, settings=None):
    scripted = Scripted(proposed, judge)
    return FaceTracker(FaceDetector(scripted, scripted), settings), scripted


def nearest(*faces):
    """A judge that sees some faces, from half a side away, and else nothing."""

    def judge(square):
        for face in faces:
            if max(abs(square.x - face.x), abs(square.y - face.y)) < face.side / 2:
                return face
        return square._replace(confidence=0.01)

    return judge


class Limited:
    """The real judge, which is never surer than it may be."""

    def __init__(self, judge, most):
        self._judge, self._most = judge, most

    def refine(self, gray, candidate):
        found = self._judge.refine(gray, candidate)
        return found._replace(confidence=min(found.confidence, self._most))
