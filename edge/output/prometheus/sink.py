"""What Prometheus is told, put together when it asks: the loop only keeps its last report."""

from __future__ import annotations

import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from prometheus_client import CollectorRegistry, ProcessCollector, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from edge.labels import EMOTIONS, GENDERS
from edge.output.prometheus.server import MetricsServer
from edge.output.prometheus.settings import MetricsSettings
from edge.output.sink import IdleReason, Sink, raise_if_closed
from edge.system.thermal import REASONS, ThermalSensors
from edge.types import UNCERTAIN, BoardState, Frame, Report
from edge.version import __version__

# The rates are those of the last five seconds: older ones are no rates any more.
_STALE_S = 5.0


@dataclass(frozen=True)
class Snapshot:
    """What the loop last said; replaced whole, so that the thread that answers sees all of one moment.

    Attributes:
        report: None before the first.
        at_s: when it came, monotonic seconds.
        processed: reports so far.
        camera: whether pictures come.
        reading: whether faces are to be read.
    """

    report: Report | None = None
    at_s: float = 0.0
    processed: int = 0
    camera: bool = False
    reading: bool = True


class MetricsSink(Sink):
    """Answers Prometheus with the run's figures. No person has a metric of their own.

    Attributes:
        port: that is listened on.
    """

    def __init__(
        self,
        settings: MetricsSettings,
        board: Callable[[], BoardState] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Listens at once.

        Args:
            settings: where; port 0 takes any that is free.
            board: what the board says now; None asks this one. It is asked when Prometheus asks, since a
                board may be hot while its camera is gone.
            clock: seconds, never falling.

        Raises:
            ConfigError: this user may not have the port.
            OutputError: another program has it, or the address is not one of this device.
        """
        self._clock = clock
        self._seen = Snapshot()
        self._closed = False
        # Not prometheus_client's global one: at SIGHUP this sink is made anew.
        registry = CollectorRegistry()
        registry.register(_Figures(lambda: self._seen, board or ThermalSensors().state, clock))
        ProcessCollector(registry=registry)
        self._server = MetricsServer(settings, make_wsgi_app(registry))
        self.port = self._server.port

    def send(self, frame: Frame, report: Report) -> None:
        """Keeps the report; the frame is not looked at."""
        raise_if_closed(self, self._closed)
        self._seen = Snapshot(report, self._clock(), self._seen.processed + 1, camera=True, reading=True)

    def idle(self, reason: IdleReason) -> None:
        """Keeps that the camera is gone, or that nobody is to be read."""
        if reason == "gone" and self._seen.camera:
            self._seen = replace(self._seen, camera=False)
        elif reason == "off" and (self._seen.reading or not self._seen.camera):
            self._seen = replace(self._seen, camera=True, reading=False)

    def close(self) -> None:
        """Frees the port; may be called again."""
        self._closed = True
        self._server.close()


class _Figures(Collector):
    def __init__(
        self, seen: Callable[[], Snapshot], board: Callable[[], BoardState], clock: Callable[[], float]
    ) -> None:
        self._seen = seen
        self._board = board
        self._clock = clock

    def collect(self) -> Iterator[Metric]:
        """All metrics but those of the process."""
        seen = self._seen()
        yield InfoMetricFamily(
            "emotiny_build",
            "What runs here.",
            {"version": __version__, "python": platform.python_version(), "machine": platform.machine()},
        )
        yield GaugeMetricFamily(
            "emotiny_camera_up", "1 while the source delivers pictures, else 0.", float(seen.camera)
        )
        yield GaugeMetricFamily(
            "emotiny_reading_enabled", "1, or 0 while somebody switched reading off.", float(seen.reading)
        )
        yield from self._frames(seen)
        yield from _faces(seen)
        yield from _board(self._board())

    def _frames(self, seen: Snapshot) -> Iterator[Metric]:
        rates = seen.report.rates if seen.report else None
        yield CounterMetricFamily(
            "emotiny_frames_processed", "Pictures processed since the run began.", seen.processed
        )
        yield CounterMetricFamily(
            "emotiny_frames_dropped",
            "Pictures that newer ones replaced before they were processed, since the run began.",
            rates.dropped if rates else 0,
        )
        age_s = self._clock() - seen.at_s
        fresh = rates if age_s <= _STALE_S and seen.camera and seen.reading else None
        fps = GaugeMetricFamily(
            "emotiny_frames_per_second",
            "Pictures a second that the source delivered (captured) and the loop finished (processed).",
            labels=["stage"],
        )
        fps.add_metric(["captured"], fresh.capture_fps if fresh else 0.0)
        fps.add_metric(["processed"], fresh.processed_fps if fresh else 0.0)
        yield fps
        if seen.report is not None:
            # Told from the age: boards without a clock of their own learn the time after they have started.
            yield GaugeMetricFamily(
                "emotiny_last_frame_timestamp_seconds",
                "When a picture was last processed, in seconds since 1970; absent before the first.",
                time.time() - age_s,
            )


def _faces(seen: Snapshot) -> Iterator[Metric]:
    faces = seen.report.faces if seen.report and seen.camera and seen.reading else ()
    yield GaugeMetricFamily("emotiny_faces", "Faces in the last picture.", len(faces))
    by_label = GaugeMetricFamily(
        "emotiny_faces_by_label", "Of these, as many as have the label.", labels=["kind", "label"]
    )
    for kind, labels, found in (
        ("emotion", EMOTIONS, Counter(face.emotion.label for face in faces)),
        ("apparent_gender", GENDERS, Counter(face.gender.label for face in faces)),
    ):
        for label in (*labels, UNCERTAIN):
            by_label.add_metric([kind, label], found[label])
    yield by_label


def _board(state: BoardState) -> Iterator[Metric]:
    if state.temperature_c is not None:
        yield GaugeMetricFamily(
            "emotiny_board_temperature_celsius",
            "Of the processor; absent where the board does not tell.",
            state.temperature_c,
        )
    throttled = GaugeMetricFamily(
        "emotiny_board_throttled",
        "1 where the board is held back for this reason, else 0, also where it does not tell.",
        labels=["reason"],
    )
    for reason in REASONS:
        throttled.add_metric([reason.replace("-", "_").replace(" ", "_")], float(reason in state.throttled))
    yield throttled
