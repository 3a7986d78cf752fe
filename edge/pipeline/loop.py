"""The loop: the only place that knows the order in which a frame is worked on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from edge.output.sink import IdleReason, Sink
from edge.pipeline.brightness import BrightnessMonitor
from edge.pipeline.fps import FpsMeter
from edge.pipeline.governor import Governor
from edge.pipeline.scheduler import ReadingScheduler
from edge.sources.camera import TICK_S, Camera
from edge.tracking.tracker import FaceTracker
from edge.types import Detection, Face, Frame, Report


class Stop(Protocol):
    """Says when a run is to end; an `Event`, or what stands in for one."""

    def is_set(self) -> bool:
        """Whether it is to end."""

    def wait(self, timeout: float) -> bool:
        """The same, after so many seconds at most."""


def _always() -> Event:
    event = Event()
    event.set()
    return event


@dataclass(frozen=True)
class Stages:
    """What a frame goes through, in this order; opened and closed by whoever made them."""

    camera: Camera
    follower: FaceTracker
    readings: ReadingScheduler
    meter: FpsMeter
    budget: Governor
    sinks: Sequence[Sink]
    light: BrightnessMonitor = field(default_factory=BrightnessMonitor)
    # Set while faces are to be read; whoever is told from outside may clear it.
    reading: Event = field(default_factory=_always)


@dataclass(frozen=True)
class Summary:
    """What a run came to.

    Attributes:
        frames: processed.
        seconds: from the first look at the source to the end.
        dropped: pictures that were replaced by newer ones before they were read.
        frames_with_face: of the processed ones.
        people: identities given; a face that was lost for long counts again.
        emotions: how often each label was the first.
        genders: likewise.
    """

    frames: int
    seconds: float
    dropped: int
    frames_with_face: int
    people: int
    emotions: Mapping[str, int]
    genders: Mapping[str, int]

    def __str__(self) -> str:
        fps = self.frames / self.seconds if self.seconds else 0.0
        return (
            f"{self.frames} frames in {self.seconds:.1f} s ({fps:.1f} FPS), {self.dropped} dropped; "
            f"a face in {self.frames_with_face} of them; identities: {self.people}; "
            f"emotion: {_counts(self.emotions)}; apparent gender: {_counts(self.genders)}"
        )


def run(stages: Stages, stop: Stop, max_frames: int | None = None) -> Summary:
    """Reads frames until the source ends, enough were processed or `stop` is set.

    Args:
        stages: what a frame goes through.
        stop: looked at before every frame, and at least every `camera.TICK_S` while there is none or the
            budget has the loop wait.
        max_frames: how many to process; None for no limit.

    Raises:
        CameraError: the source broke.
        OutputError: a sink cannot write any more.
        BrokenPipeError: nobody reads what a sink writes.
    """
    camera, meter = stages.camera, stages.meter
    emotions: Counter[str] = Counter()
    genders: Counter[str] = Counter()
    frames = frames_with_face = people = 0
    started_s = meter.clock()
    for frame in camera:
        if stop.is_set():
            break
        if frame is None or not stages.reading.is_set():
            why: IdleReason = "gone" if camera.is_down else "tick" if frame is None else "off"
            for sink in stages.sinks:
                sink.idle(why)
            continue
        faces = process(frame, stages).faces
        frames += 1
        frames_with_face += bool(faces)
        people = max(people, *(face.id for face in faces), 0)
        emotions.update(face.emotion.label for face in faces)
        genders.update(face.gender.label for face in faces)
        if frames == max_frames:
            break
        if _rest(stages, stop):
            break
    seconds = meter.clock() - started_s
    return Summary(frames, seconds, camera.dropped, frames_with_face, people, emotions, genders)


def _rest(stages: Stages, stop: Stop) -> bool:
    """Waits as long as the budget wants, and tells the sinks every tick; gives whether the run is to end."""
    left_s = stages.budget.delay_s()
    while left_s > 0:
        if stop.wait(min(left_s, TICK_S)):
            return True
        left_s -= TICK_S
        if left_s > 0:
            for sink in stages.sinks:
                sink.idle("rest")
    return False


def process(frame: Frame, stages: Stages) -> Report:
    """What is done with one frame, from its pixels to the sinks; gives what they were sent."""
    faces = _see(frame, stages)
    rates = stages.meter.tick(stages.camera.captured, stages.camera.dropped)
    light = stages.light.update(frame.gray, frame.captured_at)
    report = Report(frame.index, frame.captured_at, rates, faces, stages.budget.state, light)
    for sink in stages.sinks:
        sink.send(frame, report)
    return report


def _see(frame: Frame, stages: Stages) -> tuple[Face, ...]:
    gray, at_s, yields_stills = frame.gray, frame.captured_at, stages.camera.yields_stills
    tracks = stages.follower.detect_still(gray, at_s) if yields_stills else stages.follower.update(gray, at_s)
    read = stages.readings.read(gray, tracks, at_s, stages.follower.lost_ids, all_at_once=yields_stills)
    return tuple(
        Face(track.id, Detection(track.box), *read[track.id]) for track in tracks if track.id in read
    )


def _counts(labels: Mapping[str, int]) -> str:
    ordered = sorted(labels.items(), key=lambda item: -item[1])
    return ", ".join(f"{label} {count}" for label, count in ordered) or "none"
