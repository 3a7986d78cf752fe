"""Running loops on a clip, and adding up what they cost."""

import numpy as np
import pytest

from edge.bench.accuracy import Observation
from edge.bench.clip import Clip, compose, demo_faces, read_clip
from edge.bench.loops import LOOPS
from edge.bench.measure import Run, cost_of, measure, play
from edge.bench.timing import StageTimer
from edge.sources.settings import CaptureSettings

CLIP = Clip("x", tuple(np.zeros((4, 4), np.uint8) for _ in range(5)), (0.0, 0.1, 0.2, 0.3, 0.5))


class RecordingLoop:
    """Keeps the frames that it is given."""

    def __init__(self):
        self.timer = StageTimer()
        self.frames = []

    def step(self, frame):
        self.frames.append((frame.index, frame.captured_at))
        self.timer.timed("detect", lambda: None)()
        return []


def test_a_loop_gets_the_frames_at_the_clip_s_times():
    loop = RecordingLoop()
    run = play(loop, CLIP)
    assert loop.frames == list(enumerate(CLIP.times))
    assert run.observed == [[]] * 5
    assert len(run.wall_ms) == len(run.cpu_ms) == len(run.stages) == 5
    assert all(set(stages) == {"detect"} for stages in run.stages)


def test_a_loop_may_get_the_first_frames_only():
    loop = RecordingLoop()
    play(loop, CLIP, 2)
    assert loop.frames == [(0, 0.0), (1, 0.1)]


def test_cost_is_the_median_over_the_runs_of_their_means():
    runs = [Run([], [ms, 3 * ms], [ms, ms], [{}, {}]) for ms in (1.0, 100.0, 4.0)]
    cost = cost_of(runs)
    assert (cost.ms, cost.cpu_ms) == (8.0, 4.0)
    assert cost.frame.p50 == pytest.approx(8.0)  # of 1, 3, 4, 12, 100, 300
    assert cost.frame.p95 == pytest.approx(250.0)  # a quarter of the way from 300 to 100


def test_a_stage_does_not_include_the_stages_within_it():
    stages = {"tracker": 7.0, "propose": 4.0, "judge": 1.0, "scheduler": 2.0, "emotion": 1.5}
    cost = cost_of([Run([], [10.0], [10.0], [stages])])
    assert {stage: spread.p50 for stage, spread in cost.stages.items()} == {
        "tracker": pytest.approx(2.0),
        "propose": pytest.approx(4.0),
        "judge": pytest.approx(1.0),
        "scheduler": pytest.approx(0.5),
        "emotion": pytest.approx(1.5),
        "rest": pytest.approx(1.0),
    }
    assert cost.stages["propose"].share == pytest.approx(0.4)
    assert sum(spread.share for spread in cost.stages.values()) == pytest.approx(1)


def test_a_stage_s_distribution_is_of_the_frames_that_had_it():
    run = Run([], [10.0, 10.0], [10.0, 10.0], [{"detect": 6.0}, {}])
    stages = cost_of([run]).stages
    assert stages["detect"].p50 == 6.0
    assert stages["detect"].share == pytest.approx(0.3)


def test_recall_is_measured_against_the_full_search(settings, monkeypatch):
    clip, boxes = compose(demo_faces(), 1, (320, 240), 0.5)

    class SeeingLoop(RecordingLoop):
        def step(self, frame):
            return [Observation(boxes[frame.index][0], 0, "happy", "male")]

    monkeypatch.setitem(LOOPS, "a", lambda _: SeeingLoop())
    monkeypatch.setitem(LOOPS, "b", lambda _: RecordingLoop())
    outcomes = measure(clip, settings, 1, ("a", "b"))
    assert (outcomes["a"].score.recall, outcomes["b"].score.recall) == (1.0, 0.0)
    assert outcomes["b"].score.faces == len(clip.frames)


def test_all_loops_see_the_demo(settings):
    clip = read_clip("demo", CaptureSettings(), 30)
    outcomes = measure(clip, settings, runs=1)
    assert list(outcomes) == ["a", "b", "c"]
    for outcome in outcomes.values():
        assert outcome.score.faces >= 25
        assert outcome.score.recall > 0.8  # the followed face is reported once it is sure
        assert outcome.score.precision > 0.95
        assert {"emotion", "gender", "rest"} <= set(outcome.cost.stages)
    assert outcomes["a"].score.recall == 1
    assert {"propose", "judge", "tracker"} <= set(outcomes["c"].cost.stages)
    assert outcomes["c"].score.id_switches == 0
