"""Runs the loops in turn on the same frames, and measures what each costs and how well it sees."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from edge.bench.accuracy import Observation, Score, exhaustive_detections, ground_truth_tracks, score
from edge.bench.clip import Clip
from edge.bench.loops import LOOPS, Loop
from edge.settings.settings import Settings
from edge.types import Frame

_Item = TypeVar("_Item")
# Shows how far the work is: receives the items to iterate over and a name for them, yields the items.
Progress = Callable[[Sequence[_Item], str], Iterable[_Item]]


@dataclass(frozen=True)
class Spread:
    """The distribution of a stage's times.

    Attributes:
        p50: Median, in milliseconds.
        p95: 95th percentile, in milliseconds.
        share: The stage's share of the time of all frames, 0 to 1.
    """

    p50: float
    p95: float
    share: float


@dataclass(frozen=True)
class Cost:
    """The time that a loop takes.

    Attributes:
        ms: Wall-clock milliseconds per frame: the median over the runs of each run's mean.
        cpu_ms: Processor milliseconds per frame, of all threads, likewise.
        frame: Distribution over all frames of all runs.
        stages: {stage: distribution over the frames in which the stage ran}.
    """

    ms: float
    cpu_ms: float
    frame: Spread
    stages: Mapping[str, Spread]


@dataclass(frozen=True)
class Outcome:
    """What a loop costs, and how well it sees."""

    cost: Cost
    score: Score


# Stages that run within another one: {outer stage: inner stages}.
_INNER_STAGES = {"tracker": ("propose", "judge"), "scheduler": ("emotion", "gender")}


def measure(
    clip: Clip, settings: Settings, runs: int, order: Sequence[str] = tuple(LOOPS)
) -> dict[str, Outcome]:
    """Runs the loops in turn, several times.

    Args:
        clip: Frames to play.
        settings: Settings of this package's loop; all loops take their networks and threads from them.
        runs: How often each loop plays the clip, with a fresh loop each time.
        order: Names of the loops; must contain "a", against which recall is measured.
    """
    observed: dict[str, list[list[Observation]]] = {}
    done: dict[str, list[Run]] = {name: [] for name in order}
    for _ in range(runs):
        for name in order:
            run = play(LOOPS[name](settings), clip)
            done[name].append(run)
            observed.setdefault(name, run.observed)
    tracks = ground_truth_tracks([exhaustive_detections(gray) for gray in clip.frames], clip.times)
    return {
        name: Outcome(cost_of(done[name]), score(tracks, observed["a"], observed[name], clip.times))
        for name in order
    }


@dataclass(frozen=True)
class Run:
    """One pass of a loop over a clip.

    Attributes:
        observed: What the loop reported of each frame.
        wall_ms: Wall-clock milliseconds of each frame.
        cpu_ms: Processor milliseconds of each frame, of all threads.
        stages: {stage: milliseconds} of each frame.
    """

    observed: list[list[Observation]]
    wall_ms: list[float]
    cpu_ms: list[float]
    stages: list[Mapping[str, float]]


def play(loop: Loop, clip: Clip, frames: int | None = None) -> Run:
    """Runs a loop on a clip as fast as it can; the frames still have the times of the clip.

    Args:
        loop: A loop that has seen no frame yet.
        clip: Frames to play.
        frames: How many of them; None for all.
    """
    observed, wall_ms, cpu_ms = [], [], []
    for index, (gray, time_s) in enumerate(list(zip(clip.frames, clip.times, strict=True))[:frames]):
        frame = Frame(index, time_s, gray)
        cpu_start_s, wall_start_s = time.process_time(), time.perf_counter()
        observed.append(loop.step(frame))
        wall_ms.append(1e3 * (time.perf_counter() - wall_start_s))
        cpu_ms.append(1e3 * (time.process_time() - cpu_start_s))
        loop.timer.end_frame()
    return Run(observed, wall_ms, cpu_ms, loop.timer.frames)


def cost_of(runs: Sequence[Run]) -> Cost:
    """Returns what the runs of one loop on one clip cost."""
    total_ms = sum(sum(run.wall_ms) for run in runs)
    stages: dict[str, list[float]] = {}
    for run in runs:
        for wall_ms, frame in zip(run.wall_ms, run.stages, strict=True):
            for stage, stage_ms in exclusive_times(wall_ms, frame).items():
                stages.setdefault(stage, []).append(stage_ms)
    return Cost(
        ms=float(np.median([np.mean(run.wall_ms) for run in runs])),
        cpu_ms=float(np.median([np.mean(run.cpu_ms) for run in runs])),
        frame=_spread([wall_ms for run in runs for wall_ms in run.wall_ms], total_ms),
        stages={stage: _spread(values, total_ms) for stage, values in stages.items()},
    )


def exclusive_times(wall_ms: float, stages: Mapping[str, float]) -> dict[str, float]:
    """Returns each stage's time without that of its inner stages, and as "rest" the time of no stage."""
    exclusive = {
        stage: stage_ms - sum(stages.get(inner, 0.0) for inner in _INNER_STAGES.get(stage, ()))
        for stage, stage_ms in stages.items()
    }
    return exclusive | {"rest": wall_ms - sum(exclusive.values())}


def _spread(values_ms: Sequence[float], total_ms: float) -> Spread:
    p50, p95 = np.percentile(values_ms, (50, 95))
    return Spread(float(p50), float(p95), sum(values_ms) / total_ms)
