"""Computes the metrics of a run."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from edge.labels import EMOTIONS, GENDERS
from edge.system.thermal import REASONS
from edge.types import UNCERTAIN, BoardState, Report
from edge.version import __version__

# Rates are averages over five seconds, so that older ones say nothing about now.
_STALE_S = 5.0


@dataclass(frozen=True)
class Snapshot:
    """The state of a run at one moment; frozen, because two threads share it.

    Attributes:
        report: The last report; None before the first one.
        at_s: When it was made, in seconds on a monotonic clock.
        processed: Number of reports so far.
        camera: Whether the camera delivers frames.
        reading: Whether faces are read.
    """

    report: Report | None = None
    at_s: float = 0.0
    processed: int = 0
    camera: bool = False
    reading: bool = True


class RunCollector(Collector):
    """Collects the metrics of a run whenever Prometheus asks for them."""

    def __init__(
        self,
        snapshot: Callable[[], Snapshot],
        board: Callable[[], BoardState],
        clock: Callable[[], float],
    ) -> None:
        """Collects nothing yet.

        Args:
            snapshot: Returns the state of the run.
            board: Returns the state of the board.
            clock: Returns seconds; the clock of `Snapshot.at_s`.
        """
        self._snapshot = snapshot
        self._board = board
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """Yields all metrics."""
        snapshot = self._snapshot()
        yield InfoMetricFamily(
            "emotiny_build",
            "What runs here.",
            {"version": __version__, "python": platform.python_version(), "machine": platform.machine()},
        )
        yield GaugeMetricFamily(
            "emotiny_camera_up", "1 while the source delivers pictures, else 0.", float(snapshot.camera)
        )
        yield GaugeMetricFamily(
            "emotiny_reading_enabled", "1, or 0 while reading is switched off.", float(snapshot.reading)
        )
        yield from self._frames(snapshot)
        yield from _faces(snapshot)
        yield from _board(self._board())

    def _frames(self, snapshot: Snapshot) -> Iterator[Metric]:
        rates = snapshot.report.rates if snapshot.report else None
        yield CounterMetricFamily(
            "emotiny_frames_processed", "Pictures processed since the run began.", snapshot.processed
        )
        yield CounterMetricFamily(
            "emotiny_frames_dropped",
            "Pictures that newer ones replaced before they were processed, since the run began.",
            rates.dropped if rates else 0,
        )
        age_s = self._clock() - snapshot.at_s
        current = rates if age_s <= _STALE_S and snapshot.camera and snapshot.reading else None
        fps = GaugeMetricFamily(
            "emotiny_frames_per_second",
            "Pictures a second that the source delivered (captured) and the loop finished (processed).",
            labels=["stage"],
        )
        fps.add_metric(["captured"], current.capture_fps if current else 0.0)
        fps.add_metric(["processed"], current.processed_fps if current else 0.0)
        yield fps
        if snapshot.report is not None:
            # Computed from the age: boards without a clock of their own learn the time after the start.
            yield GaugeMetricFamily(
                "emotiny_last_frame_timestamp_seconds",
                "When a picture was last processed, in seconds since 1970; absent before the first.",
                time.time() - age_s,
            )


def _faces(snapshot: Snapshot) -> Iterator[Metric]:
    faces = snapshot.report.faces if snapshot.report and snapshot.camera and snapshot.reading else ()
    yield GaugeMetricFamily("emotiny_faces", "Faces in the last picture.", len(faces))
    by_label = GaugeMetricFamily(
        "emotiny_faces_by_label", "Faces in the last picture, by label.", labels=["kind", "label"]
    )
    for kind, labels, counts in (
        ("emotion", EMOTIONS, Counter(face.emotion.label for face in faces)),
        ("apparent_gender", GENDERS, Counter(face.gender.label for face in faces)),
    ):
        for label in (*labels, UNCERTAIN):
            by_label.add_metric([kind, label], counts[label])
    yield by_label


def _board(state: BoardState) -> Iterator[Metric]:
    if state.temperature_c is not None:
        yield GaugeMetricFamily(
            "emotiny_board_temperature_celsius",
            "Temperature of the processor; absent if the board does not report it.",
            state.temperature_c,
        )
    throttled = GaugeMetricFamily(
        "emotiny_board_throttled",
        "1 while the board is throttled for this reason, else 0, also if it does not report that.",
        labels=["reason"],
    )
    for reason in REASONS:
        throttled.add_metric([reason.replace("-", "_").replace(" ", "_")], float(reason in state.throttled))
    yield throttled
