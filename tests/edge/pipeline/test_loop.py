from dataclasses import replace
from threading import Event

import numpy as np
import pytest

from edge.detection.detector import FaceDetector
from edge.errors import CameraError
from edge.labels import EMOTIONS, GENDERS
from edge.output.sink import MemorySink
from edge.pipeline.fps import FpsMeter
from edge.pipeline.governor import Governor, GovernorSettings
from edge.pipeline.loop import Pipeline
from edge.pipeline.scheduler import ReadingScheduler
from edge.settings.settings import Settings
from edge.sources.camera import TICK_S
from edge.sources.replay import ReplayCamera
from edge.system.thermal import ThermalSensors
from edge.tracking.settings import TrackingSettings
from edge.tracking.tracker import FaceTracker
from edge.types import Frame, Scores

EMPTY = np.full((480, 640), 128, np.uint8)
SURE = 8  # frames in which a clear face becomes sure enough to be reported


class Clock:
    """Every look at it takes a quarter of a second."""

    now = 0.0

    def __call__(self):
        self.now += 0.25
        return self.now


@pytest.fixture(scope="module")
def detector():
    return FaceDetector.shipped()


@pytest.fixture
def pipeline_of(detector, reader):
    def make(
        pictures,
        *more_sinks,
        times=None,
        yields_stills=False,
        tracking=None,
        governor=None,
        face_reader=None,
    ):
        return Pipeline(
            ReplayCamera(pictures, times, yields_stills=yields_stills),
            FaceTracker(detector, tracking),
            ReadingScheduler(face_reader or reader),
            sinks=(MemorySink(), *more_sinks),
            governor=governor,
            meter=FpsMeter(Clock()),
        )

    return make


def test_every_picture_becomes_a_report(pipeline_of, happy, face_box):
    pipeline = pipeline_of([*[happy] * SURE, None, happy, EMPTY, happy])
    summary = pipeline.run(Event())
    reports = pipeline.sinks[0].reports
    assert [report.frame for report in reports] == list(range(SURE + 3))
    assert [report.captured_at for report in reports] == [number / 15 for number in range(SURE + 3)]
    # Held through the empty one.
    assert [[face.id for face in report.faces] for report in reports[-3:]] == [[1]] * 3
    assert all(face.detection.box.iou(face_box) > 0.5 for report in reports for face in report.faces)
    assert reports[-1].rates.processed_fps == pytest.approx(2)  # two looks at the clock a frame
    with_face = sum(bool(report.faces) for report in reports)
    assert (summary.frames, summary.people, summary.dropped) == (SURE + 3, 1, 0)
    assert summary.frames_with_face == with_face
    assert sum(summary.emotions.values()) == sum(summary.genders.values()) == with_face


def test_in_pictures_that_have_nothing_to_do_with_one_another_every_face_is_new(pipeline_of, happy, face_box):
    pipeline = pipeline_of([happy, happy, EMPTY, happy], times=[0, 1, 2, 3], yields_stills=True)
    pipeline.run(Event())
    reports = pipeline.sinks[0].reports
    assert [[face.id for face in report.faces] for report in reports] == [[1], [2], [], [3]]
    (first,), (second,), _, _ = (report.faces for report in reports)
    assert first.detection.box.iou(face_box) > 0.5
    assert first.emotion == second.emotion
    assert first.emotion.scores == first.emotion.raw


class TurnCoat:
    """A reader that is sure of one apparent gender at first, and of the other once it is told so."""

    male = 0.95

    def read_face(self, gray, box, roll_deg):
        emotion = Scores(EMOTIONS, tuple(float(label == "happy") for label in EMOTIONS))
        return emotion, Scores(GENDERS, (self.male, 1 - self.male))


@pytest.mark.parametrize(("lost_track_s", "label"), [(60.0, "male"), (2.0, "female")])
def test_a_face_that_comes_back_has_its_number_and_its_evidence(pipeline_of, happy, lost_track_s, label):
    """Evidence of apparent gender adds up; a face that is followed again does not begin anew."""
    face_reader = TurnCoat()
    pipeline = pipeline_of([], tracking=TrackingSettings(lost_track_s=lost_track_s), face_reader=face_reader)

    def play(picture, from_s, seconds):
        for number in range(int(seconds * 10)):
            report = pipeline.process(Frame(number, from_s + number / 10, picture))
        return report.faces

    (before,) = play(happy, 0, 4)
    assert (before.id, before.gender.label) == (1, "male")
    assert play(EMPTY, 4, 10) == ()
    face_reader.male = 0.05
    (after,) = play(happy, 14, 1.0)
    assert (after.id == before.id, after.gender.label) == (label == "male", label)


def test_it_ends_after_as_many_frames_as_wanted(pipeline_of, happy):
    pipeline = pipeline_of([happy, None, happy, happy])
    assert pipeline.run(Event(), max_frames=2).frames == 2
    assert len(pipeline.sinks[0].reports) == 2


def test_it_ends_when_it_is_stopped(pipeline_of):
    stop = Event()

    class Stopper(MemorySink):
        def send(self, frame, report):
            super().send(frame, report)
            if report.frame == 1:
                stop.set()

    pipeline = pipeline_of([EMPTY] * 9, Stopper())
    assert pipeline.run(stop).frames == 2
    assert [len(sink.reports) for sink in pipeline.sinks] == [2, 2]


def test_it_ends_when_it_is_stopped_while_nothing_comes(pipeline_of):
    stop = Event()
    stop.set()
    assert pipeline_of([None] * 9).run(stop).frames == 0


def test_a_source_without_pictures_makes_an_empty_summary(pipeline_of):
    assert "0 frames" in str(pipeline_of([]).run(Event()))


def test_a_source_that_breaks_is_not_hidden(pipeline_of):
    pipeline = pipeline_of([EMPTY])
    pipeline.camera.close()
    with pytest.raises(CameraError):
        pipeline.run(Event())


def test_the_summary_reads_as_a_line(pipeline_of, happy):
    line = str(pipeline_of([happy, EMPTY], yields_stills=True).run(Event()))
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


def test_sinks_are_told_why_there_is_nothing(pipeline_of, happy):
    waiter = Waiter()
    pipeline = pipeline_of([happy, None, happy, happy], waiter)
    pipeline.run(Event())
    assert waiter.reasons == ["tick"]


def test_nobody_is_read_while_reading_is_switched_off(pipeline_of, happy):
    waiter = Waiter()
    pipeline = pipeline_of([happy, happy], waiter)
    pipeline.enabled.clear()
    assert pipeline.run(Event()).frames == 0
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


def held_back(pipeline_of, watch, *pictures, frame_s=0.0, **limits):
    """A run over pictures of which each takes so long; gives its summary and what sinks were told."""
    waiter = Waiter()

    class Slow(MemorySink):
        def send(self, frame, report):
            watch.now_s += frame_s

    governor = Governor(
        GovernorSettings(**limits),
        ThermalSensors(),
        lambda: watch.now_s,
        lambda: frame_s * len(waiter.reports),
    )
    return pipeline_of(pictures, waiter, Slow(), governor=governor).run(watch), waiter.reasons


def test_it_waits_until_nothing_is_owed_and_tells_the_sinks_every_tick(pipeline_of):
    watch = Watch()
    summary, why = held_back(pipeline_of, watch, *[EMPTY] * 5, frame_s=0.12, cpu_share=0.05)
    assert summary.frames == 5
    assert watch.now_s == pytest.approx(5 * 0.12 / 0.05, rel=0.05)
    assert watch.longest_s <= TICK_S
    assert set(why) == {"rest"}
    assert len(why) == pytest.approx(watch.now_s / TICK_S, rel=0.15)


def test_frames_further_apart_than_a_second(pipeline_of):
    watch = Watch()
    held_back(pipeline_of, watch, *[EMPTY] * 4, max_fps=0.1)
    assert watch.now_s == pytest.approx(30, abs=0.1)  # after the first it need not wait


def test_short_waits_are_told_to_nobody(pipeline_of):
    assert held_back(pipeline_of, Watch(), *[EMPTY] * 4, max_fps=10)[1] == []


def test_it_ends_at_once_when_it_is_stopped_while_it_holds_back(pipeline_of):
    watch = Watch(until_s=3.0)
    summary, _ = held_back(pipeline_of, watch, *[EMPTY] * 4, max_fps=0.01)
    assert summary.frames == 2
    assert watch.now_s < 3.0 + TICK_S + 0.01


def test_iterating_yields_what_the_sinks_received(pipeline_of, happy):
    pipeline = pipeline_of([happy, None, EMPTY])
    assert list(pipeline) == pipeline.sinks[0].reports
    assert [report.frame for report in pipeline.sinks[0].reports] == [0, 1]


SETTINGS = Settings(source="demo", fast=True)


def test_a_pipeline_closes_what_its_settings_opened_and_nothing_else(tmp_path):
    path = tmp_path / "faces.png"
    given = MemorySink()
    with Pipeline.from_settings(replace(SETTINGS, annotate=path), sinks=[given]) as pipeline:
        pipeline.run(Event(), max_frames=2)
    assert path.exists()  # is written when the sink is closed
    pipeline.close()
    with pytest.raises(CameraError, match="closed"):
        next(iter(pipeline))
    given.send(Frame(0, 0.0, EMPTY), given.reports[0])


def test_what_was_opened_is_closed_where_a_later_part_cannot_be(tmp_path):
    path = tmp_path / "faces.avi"
    with pytest.raises(CameraError, match="no such file"):
        Pipeline.from_settings(Settings(source=str(tmp_path / "none.mp4"), annotate=path))
    assert list(tmp_path.iterdir()) == []


def test_a_camera_that_is_given_stays_open(happy):
    camera = ReplayCamera([happy, happy])
    with Pipeline.from_settings(SETTINGS, camera=camera) as pipeline:
        assert pipeline.run(Event(), max_frames=1).frames == 1
    assert next(iter(camera)) is not None
