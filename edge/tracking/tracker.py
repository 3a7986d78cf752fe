"""Faces followed from frame to frame: cheaply by how they look, now and then by looking anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge.detection.haar import Detector
from edge.errors import ConfigError
from edge.tracking.assignment import assign
from edge.tracking.motion import MotionDetector
from edge.tracking.template import FaceTemplate
from edge.types import Box, Detection, Gray


@dataclass(frozen=True)
class TrackingSettings:
    """How much is done for a frame, and when something counts.

    Attributes:
        search_s: between the beginnings of two searches of the whole picture while faces are followed.
        idle_s: the same while there is no face and nothing moves.
        alert_s: the same while there is no face and something moves, or a face was lost a moment ago.
        verify_s: between two looks of the cascade at a face that is followed.
        verifications: of the cascade in one frame, at most; those that waited longest come first.
        min_correlation: least correlation of a face with what it looked like, 0 to 1.
        coast_s: how long a face that is not seen is still reported.
        lost_track_s: how long a face that went may take to come back under its number.
        max_unverified_s: how long a face is followed by its looks alone.
    """

    search_s: float = 0.65
    idle_s: float = 1.0
    alert_s: float = 0.25
    verify_s: float = 0.5
    verifications: int = 2
    min_correlation: float = 0.8
    coast_s: float = 0.7
    lost_track_s: float = 2.0
    max_unverified_s: float = 3.0

    def __post_init__(self) -> None:
        for name in (
            "search_s",
            "idle_s",
            "alert_s",
            "verify_s",
            "coast_s",
            "lost_track_s",
            "max_unverified_s",
        ):
            if not 0 <= getattr(self, name) <= 3600:
                raise ConfigError(f"{name} {getattr(self, name)}: must be 0 to 3600 seconds")
        if not 0 <= self.min_correlation <= 1 or self.verifications < 1:
            raise ConfigError(f"{self}: min_correlation must be 0 to 1, verifications at least 1")


# Support, of one hit of the cascade or of several together, from which on a face is reported: false alarms
# die young, while most faces have as much at once.
_SURE = 2.5
_YOUNG_S = 0.6
_SAME = 0.3  # IoU of two boxes that are of one face
_TOUCHED = 0.1


@dataclass
class Track:
    """A face that is followed.

    Attributes:
        id: from 1, never given twice; 0 until it is confirmed.
        box: where it is, inside the picture it was seen in.
        template: what it looked like when the cascade last found it.
        support: what all hits of the cascade came to.
        began_s: when it was found first.
        detected_s: when the cascade last found it.
        verified_s: when the cascade was last asked.
        doubted: whether it did not find the face then.
        seen_s: when it was last found or recognised.
    """

    id: int
    box: Box
    template: FaceTemplate
    support: float
    began_s: float
    detected_s: float
    verified_s: float
    seen_s: float
    doubted: bool = False


class FaceTracker:
    """Knows which faces are in the picture, and does for each frame no more than it must."""

    def __init__(self, detector: Detector, settings: TrackingSettings | None = None) -> None:
        self._detector = detector
        self._settings = settings or TrackingSettings()
        self._motion = MotionDetector()
        self._tracks: list[Track] = []
        self._lost: list[Track] = []
        self._last_id = 0
        self._searched_s = -float("inf")
        self._scale_band: int | None = None
        self._shape = (0, 0)

    @property
    def lost_ids(self) -> list[int]:
        """The numbers of those who went and may come back."""
        return [track.id for track in self._lost]

    def detect_still(self, gray: Gray, at_s: float) -> list[Track]:
        """The faces of a picture that has nothing to do with the ones before and after, left to right."""
        found = []
        for detection in self._detector.detect(gray):
            if detection.support < 1:
                continue
            self._last_id += 1
            box = detection.box
            found.append(Track(self._last_id, box, FaceTemplate(gray, box), _SURE, at_s, at_s, at_s, at_s))
        return found

    def update(self, gray: Gray, at_s: float) -> list[Track]:
        """The faces of a frame, left to right.

        Args:
            gray: (H, W) uint8.
            at_s: when it was captured, in seconds, never falling.
        """
        if gray.shape != self._shape:  # another picture altogether: places mean nothing any more
            self._shape = (gray.shape[0], gray.shape[1])
            self._tracks, self._lost, self._scale_band, self._searched_s = [], [], None, -float("inf")
        self._match_templates(gray, at_s)
        left = self._verify(gray, at_s, self._settings.verifications)
        self._detect(gray, at_s)
        self._verify(gray, at_s, left)  # at newcomers: a false alarm is rarely one at another scale
        self._expire(at_s)
        hold = self._settings.coast_s
        shown = [track for track in self._tracks if track.id and at_s - track.seen_s <= hold]
        return sorted(shown, key=lambda track: (track.box.x, track.box.y))

    def _match_templates(self, gray: Gray, at_s: float) -> None:
        """Moves each track to where the picture looks as it did."""
        found = []
        for track in self._tracks:
            box, score = track.template.match(gray, track.box)
            inside = box.clipped((gray.shape[0], gray.shape[1]))
            blind = at_s - track.detected_s > self._settings.max_unverified_s
            if score >= self._settings.min_correlation and inside is not None and not blind:
                found.append((score, track, inside))
        taken: list[Box] = []
        for _, track, box in sorted(found, key=lambda each: -each[0]):
            # Where two come to lie on one face, it is the one that looks more like it; the other is hidden.
            if all(box.iou(other) < _SAME for other in taken):
                track.box, track.seen_s = box, at_s
                taken.append(box)

    def _verify(self, gray: Gray, at_s: float, looks: int) -> int:
        """Asks the cascade about those who need it most; gives the number of looks that are left."""
        waiting = [
            track
            for track in self._tracks
            if track.verified_s < at_s
            and (not track.id or track.seen_s < at_s or at_s - track.verified_s >= self._settings.verify_s)
        ]
        chosen = sorted(waiting, key=lambda each: (bool(each.id), each.verified_s))[:looks]
        for track in chosen:
            track.verified_s = at_s
            found = self._detector.verify(gray, track.box)
            others = [each for each in self._tracks if each is not track and each.seen_s == at_s]
            if found is None or any(found.box.iou(other.box) > found.box.iou(track.box) for other in others):
                track.verified_s -= self._settings.verify_s / 2  # it may have turned away for a moment
                track.doubted = True
                continue
            self._confirm(track, gray, found, at_s)
        return looks - len(chosen)

    def _confirm(self, track: Track, gray: Gray, found: Detection, at_s: float) -> None:
        track.box, track.template = found.box, FaceTemplate(gray, found.box)
        track.detected_s = track.seen_s = track.verified_s = at_s
        track.support += found.support
        track.doubted = False
        if not track.id and track.support >= _SURE:
            self._last_id += 1
            track.id = self._last_id

    def _detect(self, gray: Gray, at_s: float) -> None:
        """Searches the picture, or a part of the sizes of faces, where it is time to."""
        if self._scale_band is None:
            if at_s - self._searched_s < self._search_interval_s(gray, at_s):
                return
            self._searched_s = at_s
            self._motion.set_reference(gray)
            # Where there is nothing else to do, all sizes at once.
            self._scale_band = 0 if self._tracks else None
        known = [track.box for track in self._tracks if track.seen_s == at_s and not track.doubted]
        found = self._detector.detect(gray, known, self._scale_band)
        if self._scale_band is not None:
            self._scale_band = (
                self._scale_band + 1 if self._scale_band + 1 < self._detector.scale_bands else None
            )
        new = [each for each in found if all(each.box.iou(other) < _SAME for other in known)]
        self._associate(gray, new, at_s)

    def _search_interval_s(self, gray: Gray, at_s: float) -> float:
        """Seconds from one search to the next."""
        settings = self._settings
        missed = any(track.id and track.seen_s < at_s for track in self._tracks) or self._lost
        if self._tracks and not missed:
            return settings.search_s
        if missed or self._motion.has_moved(gray):
            return settings.alert_s
        return settings.idle_s

    def _associate(self, gray: Gray, found: Sequence[Detection], at_s: float) -> None:
        """Gives what was found to those who are missed, the nearest overall; the rest are newcomers."""
        missed = [*(track for track in self._tracks if track.seen_s < at_s or track.doubted), *self._lost]
        pairs = assign([[_distance(track, each.box, at_s) for each in found] for track in missed])
        for row, column in pairs:
            track = missed[row]
            if track in self._lost:
                self._lost.remove(track)
                self._tracks.append(track)
            self._confirm(track, gray, found[column], at_s)
        met = {column for _, column in pairs}
        for place, each in enumerate(found):
            if place not in met:
                track = Track(0, each.box, FaceTemplate(gray, each.box), 0.0, at_s, at_s, at_s, at_s)
                self._confirm(track, gray, each, at_s)
                if not track.id:
                    track.verified_s = -float("inf")
                self._tracks.append(track)

    def _expire(self, at_s: float) -> None:
        settings = self._settings
        self._lost = [track for track in self._lost if at_s - track.seen_s <= settings.lost_track_s]
        kept = []
        for track in self._tracks:
            if not track.id:
                if at_s - track.began_s <= _YOUNG_S:
                    kept.append(track)
            elif at_s - track.seen_s <= settings.coast_s:
                kept.append(track)
            elif at_s - track.seen_s <= settings.lost_track_s:
                self._lost.append(track)
        self._tracks = kept


def _distance(track: Track, other: Box, at_s: float) -> float:
    """Between centres, in sizes, and how the sizes differ; infinity for what cannot be the same face."""
    one = track.box
    if track.seen_s == at_s and one.iou(other) < _TOUCHED:
        return float("inf")  # it is recognised, only not as a face
    size = (one.width + other.width) / 2
    x = one.x + one.width / 2 - other.x - other.width / 2
    y = one.y + one.height / 2 - other.y - other.height / 2
    apart = (x * x + y * y) ** 0.5 / size
    ratio = max(one.width, other.width) / min(one.width, other.width)
    return apart + ratio - 1 if apart < 1.5 and ratio < 2 else float("inf")
