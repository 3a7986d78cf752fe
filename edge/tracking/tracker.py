"""Follows faces from frame to frame by the network that judges them, and searches the frame now and then."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import attrgetter, itemgetter

from edge.detection.candidate import Candidate
from edge.detection.detector import FaceDetector
from edge.detection.search import SearchPart
from edge.tracking.assignment import assign
from edge.tracking.search_schedule import SearchSchedule
from edge.tracking.settings import TrackingSettings
from edge.tracking.track import Track
from edge.types import Box, Gray, TrackedFace

# An unconfirmed track is dropped below this evidence, or after this many seconds and at least as many looks.
_DROPPED, _MAX_UNCONFIRMED_S, _LEAST_LOOKS = -1.0, 1.0, 8
# The judge sees the face of a track from this confidence on. A detection begins a track from less on: nothing
# is reported before its evidence suffices.
_FOLLOWED, _DETECTED = 0.5, 0.4
_MAX_FOLLOWED = 32  # tracks that are judged in one frame; the others wait for the next


class FaceTracker:
    """Keeps track of the faces in a stream of frames, and does no more work for a frame than it must.

    Attributes:
        detector: finds new faces and judges known ones.
    """

    def __init__(self, detector: FaceDetector, settings: TrackingSettings | None = None) -> None:
        self.detector = detector
        self._settings = settings or TrackingSettings()
        self._schedule = SearchSchedule()
        self._tracks: list[Track] = []
        self._lost: list[Track] = []
        self._last_id = 0
        self._shape = (0, 0)
        self._plan: Sequence[SearchPart] = ()
        self._followed_s = 0.0

    @property
    def lost_ids(self) -> list[int]:
        """Identities of the faces that went and may still come back."""
        return [track.id for track in self._lost]

    @property
    def possible_boxes(self) -> list[Box]:
        """Squares that may hold a face: those followed, with too little evidence too, and of who went."""
        return [track.square.box() for track in (*self._tracks, *self._lost)]

    def detect_still(self, gray: Gray, at_s: float) -> list[TrackedFace]:
        """Detects the faces of an image that has nothing to do with the ones before and after it.

        Args:
            gray: (H, W) uint8.
            at_s: time of the image in seconds.

        Returns:
            The faces from left to right, each with an identity of its own.
        """
        faces = self.detector.detect_all(gray, self._settings.min_confidence)
        first, self._last_id = self._last_id + 1, self._last_id + len(faces)
        return [
            TrackedFace(id_, each.box(), at_s, each.confidence, each.roll_deg)
            for id_, each in enumerate(sorted(faces, key=lambda face: (face.x, face.y)), start=first)
        ]

    def update(self, gray: Gray, at_s: float) -> list[TrackedFace]:
        """Follows the known faces into the next frame of a stream, and finds new ones where it is time to.

        Args:
            gray: (H, W) uint8.
            at_s: capture time of the frame in seconds, never falling.

        Returns:
            The confirmed faces from left to right; a hidden one for `coast_s` after it was last seen. Their
            boxes may reach beyond the frame.
        """
        if gray.shape != self._shape:  # the frame size changed: old squares mean nothing any more
            self._shape = (gray.shape[0], gray.shape[1])
            self._plan = self.detector.plan(self._shape)
            self._tracks, self._lost = [], []
            self._schedule.reset()
        self._follow(gray, at_s)
        self._search(gray, at_s)
        self._expire(at_s)
        coast_s = self._settings.coast_s
        shown = [track for track in self._tracks if track.id and at_s - track.seen_s <= coast_s]
        return [
            track.snapshot() for track in sorted(shown, key=lambda track: (track.square.x, track.square.y))
        ]

    def _follow(self, gray: Gray, at_s: float) -> None:
        """Moves each track to where the judge sees its face, or else to where its template matches."""
        # Of too many, those that waited longest.
        due = sorted(self._tracks, key=attrgetter("looked_s"))[:_MAX_FOLLOWED]
        looks = []
        for track in due:
            expected = track.predicted(at_s)
            looked, correlation = self._look(gray, track, expected)
            rank = track.seen_s < self._followed_s, _distance(expected, looked)
            looks.append((rank, track, looked, correlation))
        # Where two tracks meet, one face hides the other: the place is that of the one expected there.
        looks.sort(key=itemgetter(0))
        self._followed_s = at_s
        height, width = self._shape
        taken: list[Candidate] = []
        for _, track, looked, correlation in looks:
            track.looked_s = at_s
            inside = 0 <= looked.x < width and 0 <= looked.y < height
            if not inside or any(map(looked.is_same_face, looked.touching(taken))):
                track.weigh(0.0)
                continue
            track.weigh(looked.confidence)
            if looked.confidence >= _FOLLOWED:
                track.see(gray, looked, at_s)
            elif (
                correlation >= self._settings.min_correlation
                and at_s - track.judged_s <= self._settings.max_unverified_s
            ):
                track.square, track.seen_s = looked, at_s
            else:
                continue
            taken.append(track.square)
            self._confirm(track)

    def _look(self, gray: Gray, track: Track, expected: Candidate) -> tuple[Candidate, float]:
        """Returns where the face of a track is now, and how much it looks like its template, -1 to 1."""
        looked = self.detector.look(gray, expected)
        if looked.confidence >= _FOLLOWED:
            return looked, 1.0
        box, correlation = track.template.match(gray, track.square.box())
        matched = track.square._replace(x=box.x + box.width / 2, y=box.y + box.height / 2)
        again = self.detector.look(gray, matched)
        if again.confidence >= _FOLLOWED:
            return again, correlation
        return matched._replace(confidence=max(looked.confidence, again.confidence)), correlation

    def _search(self, gray: Gray, at_s: float) -> None:
        """Searches the parts of the frame that are due."""
        interval_s = self._search_interval_s(gray, at_s) * self.detector.proposer.patience
        for part in self._schedule.due(gray, at_s, self._plan, interval_s):
            known = [track.square for track in self._tracks if track.seen_s == at_s]
            detections = self.detector.detect(gray, part, known, _DETECTED)
            if detections:
                self._schedule.found(part)
                self._associate(gray, detections, at_s)

    def _search_interval_s(self, gray: Gray, at_s: float) -> float:
        """Returns the seconds from the beginning of one search of the frame to the next."""
        settings = self._settings
        missing = any(track.id and track.seen_s < at_s for track in self._tracks) or self._lost
        if self._tracks and not missing:
            return settings.search_s
        if missing or self._schedule.has_moved(gray):
            return settings.alert_s
        return settings.idle_s

    def _associate(self, gray: Gray, detections: Sequence[Candidate], at_s: float) -> None:
        """Gives detections to missing tracks at the least sum of distances; the rest begin new tracks."""
        detections = [each for each in detections if not self._enlarge(gray, each, at_s)]
        missing = [*(track for track in self._tracks if track.seen_s < at_s), *self._lost]
        pairs = assign([[track.distance(each, at_s) for each in detections] for track in missing])
        for row, column in pairs:
            track = missing[row]
            if track in self._lost:
                self._lost.remove(track)
                self._tracks.append(track)
            track.jump(gray, detections[column], at_s)
            track.weigh(detections[column].confidence)
            self._confirm(track)
        associated = {column for _, column in pairs}
        for index, each in enumerate(detections):
            if index not in associated:
                track = Track.begin(gray, each, at_s)
                self._confirm(track)
                self._tracks.append(track)

    def _enlarge(self, gray: Gray, detection: Candidate, at_s: float) -> bool:
        """Moves a track that followed a part of a face, such as an eye, to the face.

        Returns:
            Whether there was one.
        """
        parts = [
            track for track in self._tracks if track.seen_s == at_s and detection.is_same_face(track.square)
        ]
        if not parts:
            return False
        oldest = min(parts, key=lambda track: (not track.id, track.id, track.began_s))
        self._tracks = [track for track in self._tracks if track is oldest or track not in parts]
        oldest.jump(gray, detection, at_s)
        oldest.weigh(detection.confidence)
        self._confirm(oldest)
        return True

    def _confirm(self, track: Track) -> None:
        """Gives a track an identity once its evidence suffices: Wald's sequential test (1945)."""
        if not track.id and track.evidence >= self._settings.min_evidence:
            self._last_id += 1
            track.id = self._last_id

    def _expire(self, at_s: float) -> None:
        """Drops unconfirmed tracks that are old or unlikely, and moves unseen ones to the lost tracks."""
        settings = self._settings
        self._lost = [track for track in self._lost if at_s - track.seen_s <= settings.lost_track_s]
        alive = []
        for track in self._tracks:
            if not track.id:
                young = at_s - track.began_s <= _MAX_UNCONFIRMED_S or track.looks < _LEAST_LOOKS
                if young and track.evidence > _DROPPED:
                    alive.append(track)
            elif at_s - track.seen_s <= settings.coast_s:
                alive.append(track)
            elif at_s - track.seen_s <= settings.lost_track_s:
                self._lost.append(track)
        self._tracks = alive


def _distance(expected: Candidate, found: Candidate) -> float:
    """Returns the distance of two squares' centres in sides of the expected one."""
    return math.hypot(found.x - expected.x, found.y - expected.y) / expected.side
