"""What fresh processes cost: memory and time are printed, but only memory is judged, because time varies."""

import itertools
import subprocess
from functools import partial
from pathlib import Path

import pytest

from edge.bench.footprint import Footprint, footprints, fresh_run, play_loop, resident_mb
from edge.bench.loops import LOOPS
from edge.errors import EdgeError


def test_memory_and_start_next_to_the_bare_imports(capsys):
    measured = footprints("demo", 10, repetitions=1)
    with capsys.disabled():
        print("\nprocessor seconds and peak resident memory of a fresh process:")
        for name, footprint in measured.items():
            print(f"  {name:20} {footprint.cpu_s:5.2f} s {footprint.peak_mb:6.0f} MB")
    assert list(measured) == ["parts", "parts and source", "first report", "a", "b", "c"]
    for footprint in measured.values():
        assert 0 < footprint.resident_mb <= footprint.peak_mb
        assert footprint.cpu_s > 0
    # A few frames of buffers, two networks and the cascade.
    parts_mb = measured["parts"].peak_mb
    assert parts_mb < measured["first report"].peak_mb < parts_mb + 80
    assert measured["c"].peak_mb < parts_mb + 80


def test_the_process_with_the_least_processor_time_counts(monkeypatch):
    cpu_s = itertools.cycle((3.0, 1.0, 2.0))

    def fake_run(command, **_):
        return subprocess.CompletedProcess(command, 0, f"x\n[50.0, 60.0, {next(cpu_s)}]\n", "")

    monkeypatch.setattr(subprocess, "run", fake_run)
    assert set(footprints("demo", 10, repetitions=3).values()) == {Footprint(50.0, 60.0, 1.0)}


def test_a_process_does_not_read_this_machine_s_settings(monkeypatch):
    monkeypatch.setenv("EMOTINY_MAX_FPS", "no number")
    footprint, seconds = fresh_run("demo", 1)
    assert footprint.cpu_s > 0
    assert seconds > 0


def test_a_process_that_fails_is_an_error():
    with pytest.raises(EdgeError, match=r"a process of the bench failed: .*none\.mp4"):
        fresh_run("none.mp4", 1)


def test_a_loop_is_played_with_settings_of_its_own(monkeypatch):
    class RecordingLoop:
        def __init__(self, frames, settings):
            assert (settings.source, settings.output, settings.detector.threads) == ("demo", "jsonl", 1)
            self.frames = frames

        def step(self, frame):
            self.frames.append(frame.index)
            return []

    frames: list[int] = []
    monkeypatch.setitem(LOOPS, "a", partial(RecordingLoop, frames))
    monkeypatch.setenv("EMOTINY_MAX_FPS", "no number")
    play_loop("a", "demo", 4)
    assert frames == [0, 1, 2, 3]


def test_the_resident_memory_of_this_process_is_that_of_its_status():
    before = resident_mb()
    block = bytearray(b"x" * (64 << 20))
    assert resident_mb() > before + 50, len(block)
    assert before < int(Path("/proc/meminfo").read_text().split()[1]) / 1024
