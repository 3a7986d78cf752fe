"""Follows faces from frame to frame: in every frame by template matching, now and then by the detector."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edge.detection.detector import Detector
from edge.tracking.assignment import assign
from edge.tracking.motion import MotionDetector
from edge.tracking.settings import TrackingSettings
from edge.tracking.template import FaceTemplate
from edge.tracking.track import Track
from edge.types import Box, Detection, Gray, TrackedFace

# A track is confirmed, and reported, from this support on, of one detection or of several together. Most
# faces reach it at once, false alarms hardly ever.
_MIN_SUPPORT = 2.5
# An unconfirmed track is dropped after this many seconds.
_MAX_UNCONFIRMED_S = 0.6
# Boxes that overlap this much (IoU) are of one face.
_SAME_FACE = 0.3


class FaceTracker:
    """Keeps track of the faces in a stream of frames, and does no more work for a frame than it must.

    Attributes:
        detector: finds new faces and verifies known ones.
    """

    def __init__(self, detector: Detector, settings: TrackingSettings | None = None) -> None:
        self.detector = detector
        self._settings = settings or TrackingSettings()
        self._motion = MotionDetector()
        self._tracks: list[Track] = []
        self._lost: list[Track] = []
        self._last_id = 0
        self._detection_began_s = -math.inf
        self._scale_band: int | None = None
        self._shape = (0, 0)

    @property
    def lost_ids(self) -> list[int]:
        """Identities of the faces that went and may still come back."""
        return [track.id for track in self._lost]

    def detect_still(self, gray: Gray, at_s: float) -> list[TrackedFace]:
        """Detects the faces of an image that has nothing to do with the ones before and after it.

        Args:
            gray: (H, W) uint8.
            at_s: time of the image in seconds.

        Returns:
            The faces from left to right, each with an identity of its own.
        """
        faces = [each for each in self.detector.detect(gray) if each.support >= 1]
        first, self._last_id = self._last_id + 1, self._last_id + len(faces)
        return [TrackedFace(id_, each.box, at_s) for id_, each in enumerate(faces, start=first)]

    def update(self, gray: Gray, at_s: float) -> list[TrackedFace]:
        """Follows the known faces into the next frame of a stream, and finds new ones where it is time to.

        Args:
            gray: (H, W) uint8.
            at_s: capture time of the frame in seconds, never falling.

        Returns:
            The confirmed faces from left to right; a hidden one for `coast_s` after it was last seen.
        """
        if gray.shape != self._shape:  # the frame size changed: old boxes mean nothing any more
            self._shape = (gray.shape[0], gray.shape[1])
            self._tracks, self._lost, self._scale_band = [], [], None
            self._detection_began_s = -math.inf
        self._match_templates(gray, at_s)
        left = self._verify(gray, at_s, self._settings.verifications)
        self._detect(gray, at_s)
        self._verify(gray, at_s, left)  # new tracks: a false alarm is rarely one at another scale, too
        self._expire(at_s)
        coast_s = self._settings.coast_s
        shown = [track for track in self._tracks if track.id and at_s - track.seen_s <= coast_s]
        return [track.snapshot() for track in sorted(shown, key=lambda track: (track.box.x, track.box.y))]

    def _match_templates(self, gray: Gray, at_s: float) -> None:
        """Moves each track to where the frame looks most like its template."""
        matches = []
        for track in self._tracks:
            box, correlation = track.template.match(gray, track.box)
            inside = box.clipped((gray.shape[0], gray.shape[1]))
            unverified = at_s - track.detected_s > self._settings.max_unverified_s
            if correlation >= self._settings.min_correlation and inside is not None and not unverified:
                matches.append((correlation, track, inside))
        taken: list[Box] = []
        for _, track, box in sorted(matches, key=lambda match: -match[0]):
            # Where two tracks match one face, the better match has it; the other face is hidden behind it.
            if all(box.iou(other) < _SAME_FACE for other in taken):
                track.box, track.seen_s = box, at_s
                taken.append(box)

    def _verify(self, gray: Gray, at_s: float, most: int) -> int:
        """Has the detector verify the tracks that need it most.

        Args:
            gray: (H, W) uint8.
            at_s: time of the frame in seconds.
            most: largest number of verifications.

        Returns:
            How many of them are left.
        """
        waiting = [
            track
            for track in self._tracks
            if track.verified_s < at_s
            and (
                not track.id
                or track.seen_s < at_s
                or at_s - self._waits_since_s(track) >= self._settings.verify_s
            )
        ]
        # Unconfirmed tracks first: most of them are false alarms. Then those that waited longest.
        chosen = sorted(waiting, key=lambda track: (bool(track.id), self._waits_since_s(track)))[:most]
        for track in chosen:
            track.verified_s = at_s
            detection = self.detector.verify(gray, track.box)
            others = [each for each in self._tracks if each is not track and each.seen_s == at_s]
            if detection is None or _belongs_to_another(detection.box, track, others):
                track.doubted = True
            else:
                self._confirm(track, gray, detection, at_s)
        return most - len(chosen)

    def _waits_since_s(self, track: Track) -> float:
        """Returns since when a track waits to be verified.

        After a failure half of the wait counts as over: the face may have turned away for a moment only.
        """
        return track.verified_s - (self._settings.verify_s / 2 if track.doubted else 0.0)

    def _confirm(self, track: Track, gray: Gray, detection: Detection, at_s: float) -> None:
        """Moves a track to a detection of its face, and gives it an identity once its support suffices."""
        track.box, track.template = detection.box, FaceTemplate(gray, detection.box)
        track.detected_s = track.seen_s = track.verified_s = at_s
        track.support += detection.support
        track.doubted = False
        if not track.id and track.support >= _MIN_SUPPORT:
            self._last_id += 1
            track.id = self._last_id

    def _detect(self, gray: Gray, at_s: float) -> None:
        """Searches the whole frame, or one band of face sizes, where it is time to."""
        if self._scale_band is None:
            if at_s - self._detection_began_s < self._search_interval_s(gray, at_s):
                return
            self._detection_began_s = at_s
            self._motion.set_reference(gray)
            # Without a face to follow there is time for all sizes at once.
            self._scale_band = 0 if self._tracks else None
        known = [track.box for track in self._tracks if track.seen_s == at_s and not track.doubted]
        detections = self.detector.detect(gray, known, self._scale_band)
        if self._scale_band is not None:
            last = self._scale_band + 1 == self.detector.scale_bands
            self._scale_band = None if last else self._scale_band + 1
        new = [each for each in detections if all(each.box.iou(other) < _SAME_FACE for other in known)]
        self._associate(gray, new, at_s)

    def _search_interval_s(self, gray: Gray, at_s: float) -> float:
        """Returns the seconds from the beginning of one search of the frame to the next."""
        settings = self._settings
        missing = any(track.id and track.seen_s < at_s for track in self._tracks) or self._lost
        if self._tracks and not missing:
            return settings.search_s
        if missing or self._motion.has_moved(gray):
            return settings.alert_s
        return settings.idle_s

    def _associate(self, gray: Gray, detections: Sequence[Detection], at_s: float) -> None:
        """Gives detections to missing tracks at the least sum of distances; the rest begin new tracks."""
        missing = [*(track for track in self._tracks if track.seen_s < at_s or track.doubted), *self._lost]
        pairs = assign([[track.distance(each.box, at_s) for each in detections] for track in missing])
        for row, column in pairs:
            track = missing[row]
            if track in self._lost:
                self._lost.remove(track)
                self._tracks.append(track)
            self._confirm(track, gray, detections[column], at_s)
        associated = {column for _, column in pairs}
        for index, each in enumerate(detections):
            if index not in associated:
                track = Track(0, each.box, FaceTemplate(gray, each.box), 0.0, at_s, at_s, at_s, at_s)
                self._confirm(track, gray, each, at_s)
                if not track.id:
                    track.verified_s = -math.inf
                self._tracks.append(track)

    def _expire(self, at_s: float) -> None:
        """Drops old unconfirmed tracks, and moves unseen ones to the lost tracks and later out of them."""
        settings = self._settings
        self._lost = [track for track in self._lost if at_s - track.seen_s <= settings.lost_track_s]
        alive = []
        for track in self._tracks:
            if not track.id:
                if at_s - track.began_s <= _MAX_UNCONFIRMED_S:
                    alive.append(track)
            elif at_s - track.seen_s <= settings.coast_s:
                alive.append(track)
            elif at_s - track.seen_s <= settings.lost_track_s:
                self._lost.append(track)
        self._tracks = alive


def _belongs_to_another(box: Box, track: Track, others: Sequence[Track]) -> bool:
    """Whether a detection overlaps another track more than the one whose face was asked about."""
    return any(box.iou(other.box) > box.iou(track.box) for other in others)
