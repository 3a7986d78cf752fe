"""The long run."""

import numpy as np
import pytest

from edge.bench.accuracy import Observation
from edge.bench.clip import Clip, read_clip
from edge.bench.soak import soak
from edge.bench.timing import StageTimer
from edge.sources.settings import CaptureSettings
from edge.types import Box


def without_progress(items, name):
    return items


def test_the_loop_does_not_grow(settings):
    clip = read_clip("demo", CaptureSettings(), 40)
    samples = soak(clip, settings, 1200, without_progress)
    assert samples[-1].frames == 1200
    middle, end = samples[9], samples[-1]
    # Memory is paged in little by little; Python's blocks show a growing queue at once.
    assert end.resident_mb < middle.resident_mb + 5
    assert end.blocks < middle.blocks + 300
    assert end.people <= 3


def test_the_clip_is_played_forwards_and_backwards(settings, monkeypatch):
    values, times = [], []

    class RecordingLoop:
        def __init__(self, settings):
            self.timer = StageTimer()

        def step(self, frame):
            values.append(int(frame.gray[0, 0]))
            times.append(frame.captured_at)
            return [Observation(Box(0, 0, 1, 1), 1 + len(values) // 4, "happy", "male")]

    monkeypatch.setattr("edge.bench.soak.EmotinyLoop", RecordingLoop)
    clip = Clip("x", tuple(np.full((2, 2), value, np.uint8) for value in range(4)), (0.0, 0.1, 0.2, 0.3))
    samples = soak(clip, settings, 9, without_progress)
    assert values == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert times == pytest.approx([0.1 * index for index in range(9)])
    assert [sample.frames for sample in samples] == list(range(1, 10))
    assert samples[-1].people == 3
