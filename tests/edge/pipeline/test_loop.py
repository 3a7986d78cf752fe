from dataclasses import replace
from threading import Event

import numpy as np
import pytest

from edge.detection.haar import HaarDetector
from edge.errors import CameraError
from edge.output.sink import MemorySink
from edge.pipeline.fps import FpsMeter
from edge.pipeline.governor import Governor, GovernorSettings
from edge.pipeline.loop import Stages, process, run
from edge.pipeline.scheduler import ReadingScheduler
from edge.sources.camera import TICK_S
from edge.sources.replay import ReplayCamera
from edge.system.thermal import ThermalSensors
from edge.tracking.tracker import FaceTracker, TrackingSettings
from edge.types import Frame

EMPTY = np.full((480, 640), 128, np.uint8)


class Clock:
    """Every look at it takes a quarter of a second."""

    now = 0.0

    def __call__(self):
        self.now += 0.25
        return self.now


@pytest.fixture(scope="module")
def detector():
    return HaarDetector()


@pytest.fixture
def stages(detector, reader):
    def make(pictures, *more_sinks, times=None, yields_stills=False):
        sinks = (MemorySink(), *more_sinks)
        camera = ReplayCamera(pictures, times, yields_stills=yields_stills)
        return Stages(
            camera,
            FaceTracker(detector),
            ReadingScheduler(reader),
            FpsMeter(Clock()),
            Governor(GovernorSettings(), ThermalSensors()),
            sinks,
        )

    return make


def test_every_picture_becomes_a_report(stages, happy, face_box):
    parts = stages([happy, None, happy, EMPTY, happy])
    summary = run(parts, Event())
    reports = parts.sinks[0].reports
    assert [report.frame for report in reports] == [0, 1, 2, 3]
    assert [report.captured_at for report in reports] == [0, 1 / 15, 2 / 15, 3 / 15]
    # Held through the third.
    assert [[face.id for face in report.faces] for report in reports] == [[1]] * 4
    assert all(face.detection.box.iou(face_box) > 0.5 for report in reports for face in report.faces)
    assert reports[-1].rates.processed_fps == pytest.approx(2)  # two looks at the clock a frame
    assert (summary.frames, summary.frames_with_face, summary.people, summary.dropped) == (4, 4, 1, 0)
    assert sum(summary.emotions.values()) == sum(summary.genders.values()) == 4


def test_in_pictures_that_have_nothing_to_do_with_one_another_every_face_is_new(stages, happy, face_box):
    parts = stages([happy, happy, EMPTY, happy], times=[0, 1, 2, 3], yields_stills=True)
    run(parts, Event())
    reports = parts.sinks[0].reports
    assert [[face.id for face in report.faces] for report in reports] == [[1], [2], [], [3]]
    (first,), (second,), _, _ = (report.faces for report in reports)
    assert first.detection.box.iou(face_box) > 0.5
    assert first.emotion == second.emotion
    assert first.emotion.scores == first.emotion.raw


def test_a_face_that_comes_back_has_its_number_and_its_evidence(stages, detector, happy):
    """Apparent gender adds up over thirty readings: whoever is followed again need not begin anew."""
    parts = replace(stages([]), follower=FaceTracker(detector, TrackingSettings(lost_track_s=60.0)))

    def play(picture, from_s, seconds):
        for number in range(int(seconds * 10)):
            report = process(Frame(number, from_s + number / 10, picture), parts)
        return [face.id for face in report.faces]

    assert play(happy, 0, 2) == [1]
    known = parts.readings._people[1]
    assert play(EMPTY, 2, 10) == []
    assert play(happy, 12, 2) == [1]
    assert parts.readings._people[1] is known


def test_it_ends_after_as_many_frames_as_wanted(stages, happy):
    parts = stages([happy, None, happy, happy])
    assert run(parts, Event(), max_frames=2).frames == 2
    assert len(parts.sinks[0].reports) == 2


def test_it_ends_when_it_is_stopped(stages):
    stop = Event()

    class Stopper(MemorySink):
        def send(self, frame, report):
            super().send(frame, report)
            if report.frame == 1:
                stop.set()

    parts = stages([EMPTY] * 9, Stopper())
    assert run(parts, stop).frames == 2
    assert [len(sink.reports) for sink in parts.sinks] == [2, 2]


def test_it_ends_when_it_is_stopped_while_nothing_comes(stages):
    stop = Event()
    stop.set()
    assert run(stages([None] * 9), stop).frames == 0


def test_a_source_without_pictures_makes_an_empty_summary(stages):
    assert "0 frames" in str(run(stages([]), Event()))


def test_a_source_that_breaks_is_not_hidden(stages):
    parts = stages([EMPTY])
    parts.camera.close()
    with pytest.raises(CameraError):
        run(parts, Event())


def test_the_summary_reads_as_a_line(stages, happy):
    line = str(run(stages([happy, EMPTY], yields_stills=True), Event()))
    assert line.startswith(
        "2 frames in 1.2 s (1.6 FPS), 0 dropped; a face in 1 of them; identities: 1; emotion: "
    )
    assert "; apparent gender: " in line
    assert line.endswith(" 1")


class Waiter(MemorySink):
    """Remembers why it was told to wait, too."""

    def __init__(self):
        super().__init__()
        self.reasons = []

    def idle(self, reason):
        self.reasons.append(reason)


def test_sinks_are_told_why_there_is_nothing(stages, happy):
    waiter = Waiter()
    parts = stages([happy, None, happy, happy], waiter)
    run(parts, Event())
    assert waiter.reasons == ["tick"]


def test_nobody_is_read_while_reading_is_switched_off(stages, happy):
    waiter = Waiter()
    parts = stages([happy, happy], waiter)
    parts.reading.clear()
    assert run(parts, Event()).frames == 0
    assert waiter.reasons == ["off", "off"]


class Watch:
    """Stands in for the event that ends a run: time passes by waiting for it, and not else."""

    now_s = 0.0

    def __init__(self, until_s=float("inf")):
        self.until_s, self.longest_s = until_s, 0.0

    def is_set(self):
        return self.now_s >= self.until_s

    def wait(self, timeout):
        self.now_s += timeout
        self.longest_s = max(self.longest_s, timeout)
        return self.is_set()


def held_back(stages, watch, *pictures, frame_s=0.0, **limits):
    """A run over pictures of which each takes so long; gives its summary and what sinks were told."""
    waiter = Waiter()

    class Slow(MemorySink):
        def send(self, frame, report):
            watch.now_s += frame_s

    parts = stages(pictures, waiter, Slow())
    settings = GovernorSettings(**limits)
    budget = Governor(settings, ThermalSensors(), lambda: watch.now_s, lambda: frame_s * len(waiter.reports))
    return run(replace(parts, budget=budget), watch), waiter.reasons


def test_it_waits_until_nothing_is_owed_and_tells_the_sinks_every_tick(stages):
    watch = Watch()
    summary, why = held_back(stages, watch, *[EMPTY] * 5, frame_s=0.12, cpu_share=0.05)
    assert summary.frames == 5
    assert watch.now_s == pytest.approx(5 * 0.12 / 0.05, rel=0.05)
    assert watch.longest_s <= TICK_S
    assert set(why) == {"rest"}
    assert len(why) == pytest.approx(watch.now_s / TICK_S, rel=0.15)


def test_frames_further_apart_than_a_second(stages):
    watch = Watch()
    held_back(stages, watch, *[EMPTY] * 4, max_fps=0.1)
    assert watch.now_s == pytest.approx(30, abs=0.1)  # after the first it need not wait


def test_short_waits_are_told_to_nobody(stages):
    assert held_back(stages, Watch(), *[EMPTY] * 4, max_fps=10)[1] == []


def test_it_ends_at_once_when_it_is_stopped_while_it_holds_back(stages):
    watch = Watch(until_s=3.0)
    summary, _ = held_back(stages, watch, *[EMPTY] * 4, max_fps=0.01)
    assert summary.frames == 2
    assert watch.now_s < 3.0 + TICK_S + 0.01
