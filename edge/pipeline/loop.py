"""The pipeline: the only place that knows the order in which a frame is worked on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from threading import Event
from typing import TYPE_CHECKING, Protocol

from edge.output.sink import IdleReason, Sink
from edge.pipeline import assembly
from edge.pipeline.brightness import BrightnessMonitor
from edge.pipeline.fps import FpsMeter
from edge.pipeline.governor import Governor, GovernorSettings
from edge.pipeline.scheduler import ReadingScheduler
from edge.pipeline.summary import Summary, Tally
from edge.sources.camera import TICK_S, Camera
from edge.system.thermal import ThermalSensors
from edge.tracking.tracker import FaceTracker
from edge.types import Detection, Face, Frame, Report

if TYPE_CHECKING:
    from edge.settings.settings import Settings


class Stop(Protocol):
    """Interface of what ends a run, such as `threading.Event`."""

    def is_set(self) -> bool:
        """Whether the run must end."""

    def wait(self, timeout: float) -> bool:
        """Waits until the run must end, at most `timeout` seconds; returns `is_set()`."""


class Pipeline:
    """Frames in, reports out: a camera, a tracker, a reader of faces and any number of sinks.

    Iterating yields a `Report` for each processed frame, after every sink has received it, and ends with the
    source. Frames that arrive while the loop is busy are dropped by live cameras and counted.

    Used as a context manager, it closes what `from_settings` opened. What the caller passes in, the caller
    closes.

    Example:
        >>> from edge.settings.settings import Settings
        >>> with Pipeline.from_settings(Settings(source="demo", fast=True)) as pipeline:
        ...     summary = pipeline.run(max_frames=30)
        >>> summary.frames, summary.people
        (30, 1)

    Attributes:
        camera: Source of frames.
        tracker: Finds faces and follows them.
        scheduler: Has the networks read them.
        sinks: Receive every report, in this order.
        governor: Limits how much the loop works.
        meter: Measures frames per second.
        brightness: Measures how light the frames are.
        enabled: Set while faces are to be read; while it is clear, frames are skipped.
    """

    def __init__(  # noqa: PLR0913 - the parts are its whole state, and all but three have defaults
        self,
        camera: Camera,
        tracker: FaceTracker,
        scheduler: ReadingScheduler,
        *,
        sinks: Sequence[Sink] = (),
        governor: Governor | None = None,
        meter: FpsMeter | None = None,
        enabled: Event | None = None,
    ) -> None:
        self.camera = camera
        self.tracker = tracker
        self.scheduler = scheduler
        self.sinks = sinks
        self.governor = governor or Governor(GovernorSettings(), ThermalSensors())
        self.meter = meter or FpsMeter()
        self.brightness = BrightnessMonitor()
        self.enabled = enabled or _set_event()
        self._opened = ExitStack()

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        *,
        sinks: Sequence[Sink] = (),
        camera: Camera | None = None,
        enabled: Event | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> Pipeline:
        """Opens everything that settings name, the source last, and puts it together.

        Args:
            settings: Settings of the run. `output`, `max_frames`, `log_level` and `detector.threads` are not
                used here: they concern a whole process.
            sinks: Receive the reports before those that the settings name; the caller closes them.
            camera: Used instead of `settings.source`; the caller closes it.
            enabled: Shared with whatever switches reading off and on; None for an event that is set.
            clock: Time in seconds that frames per second are measured by, never falling.

        Raises:
            CameraError: the source does not exist or cannot be read.
            ConfigError: a setting cannot be used.
            MissingDependencyError: a package that the settings ask for is not installed.
            ModelError: a network is missing, damaged or not what its contract describes.
        """
        enabled = enabled or _set_event()
        with ExitStack() as stack:  # closes what was opened if a later part cannot be
            assembly.try_networks(settings)
            reader = assembly.open_reader(settings)
            tracker = FaceTracker(assembly.open_detector(settings), settings.follow)
            opened_sinks = assembly.open_sinks(settings, enabled, stack)
            if camera is None:
                camera = assembly.open_camera(settings)
                stack.callback(camera.close)
            pipeline = cls(
                camera,
                tracker,
                ReadingScheduler(reader, settings.read, settings.labels),
                sinks=(*sinks, *opened_sinks),
                governor=Governor(settings.budget, ThermalSensors()),
                meter=FpsMeter(clock),
                enabled=enabled,
            )
            pipeline._opened = stack.pop_all()
        return pipeline

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes what `from_settings` opened, in reverse order; may be called again."""
        self._opened.close()

    def __iter__(self) -> Iterator[Report]:
        return self.reports(Event())

    def run(self, stop: Stop | None = None, max_frames: int | None = None) -> Summary:
        """Processes frames until the source ends, `stop` is set or enough frames were processed.

        Args:
            stop: Looked at before every frame, and at least every `TICK_S` seconds while there is none; None
                where nothing but the source and `max_frames` ends the run.
            max_frames: Largest number of frames; None for no limit.

        Raises:
            CameraError: the source broke.
            OutputError: a sink cannot write any more.
            BrokenPipeError: nobody reads what a sink writes.
        """
        tally = Tally()
        started_s = self.meter.clock()
        for report in self.reports(stop or Event(), max_frames):
            tally.add(report)
        return tally.summary(self.meter.clock() - started_s, self.camera.dropped)

    def reports(self, stop: Stop, max_frames: int | None = None) -> Iterator[Report]:
        """Yields the report of each processed frame; arguments, end and errors are those of `run`."""
        frames = 0
        for frame in self.camera:
            if stop.is_set():
                return
            if frame is None or not self.enabled.is_set():
                self._idle("gone" if self.camera.is_down else "tick" if frame is None else "off")
                continue
            yield self.process(frame)
            frames += 1
            if frames == max_frames or self._rest(stop):
                return

    def process(self, frame: Frame) -> Report:
        """Works on one frame, from its pixels to the sinks, and returns what the sinks received."""
        faces = self._read_faces(frame)
        rates = self.meter.tick(self.camera.captured, self.camera.dropped)
        brightness = self.brightness.update(frame.gray, frame.captured_at)
        report = Report(frame.index, frame.captured_at, rates, faces, self.governor.state, brightness)
        for sink in self.sinks:
            sink.send(frame, report)
        return report

    def _read_faces(self, frame: Frame) -> tuple[Face, ...]:
        gray, at_s, stills = frame.gray, frame.captured_at, self.camera.yields_stills
        frame_hw = gray.shape[0], gray.shape[1]
        tracked = self.tracker.detect_still(gray, at_s) if stills else self.tracker.update(gray, at_s)
        readings = self.scheduler.read(gray, tracked, at_s, self.tracker.lost_ids, all_at_once=stills)
        return tuple(
            Face(face.id, Detection(box, face.confidence), *readings[face.id])
            for face in tracked
            if face.id in readings and (box := face.box.clipped(frame_hw)) is not None
        )

    def _rest(self, stop: Stop) -> bool:
        """Waits as long as the governor asks for, with a tick for the sinks; returns whether to stop."""
        left_s = self.governor.delay_s()
        while left_s > 0:
            if stop.wait(min(left_s, TICK_S)):
                return True
            left_s -= TICK_S
            if left_s > 0:
                self._idle("rest")
        return False

    def _idle(self, reason: IdleReason) -> None:
        for sink in self.sinks:
            sink.idle(reason)


def _set_event() -> Event:
    event = Event()
    event.set()
    return event
