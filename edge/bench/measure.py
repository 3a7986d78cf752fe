"""The loops run in turn on the same frames, and what each did and cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from edge.bench.accuracy import Observation, Score, exhaustive_detections, score, true_faces
from edge.bench.clip import Clip
from edge.bench.loops import LOOPS, Loop
from edge.settings.settings import Settings
from edge.types import Frame

_Item = TypeVar("_Item")
# Shows that something goes on: takes what is iterated over and what it is called.
Progress = Callable[[Sequence[_Item], str], Iterable[_Item]]


@dataclass(frozen=True)
class Spread:
    """Milliseconds: the middle of a stage's times, and what nineteen of twenty stay below."""

    p50: float
    p95: float
    share: float


@dataclass(frozen=True)
class Cost:
    """What a loop took.

    Attributes:
        ms: wall-clock milliseconds a frame: the median over the runs of their means.
        cpu_ms: processor milliseconds a frame, of all threads, likewise.
        frame: of all frames of all runs.
        stages: {stage: of the frames that had it; its share of all time}.
    """

    ms: float
    cpu_ms: float
    frame: Spread
    stages: Mapping[str, Spread]


@dataclass(frozen=True)
class Outcome:
    """A loop's cost and what it saw."""

    cost: Cost
    score: Score


# What a stage's time holds of others'.
_WITHIN = {"tracker": ("detect", "verify"), "scheduler": ("emotion", "gender")}


def measure(
    clip: Clip, settings: Settings, runs: int, order: Sequence[str] = tuple(LOOPS)
) -> dict[str, Outcome]:
    """Runs the loops in turn, several times; (a), which recall is about, must be one of them.

    Args:
        clip: the frames.
        settings: of the loop of this package, and the networks and threads of all.
        runs: how often each loop sees the clip, from a fresh start.
        order: which loops.
    """
    seen: dict[str, list[list[Observation]]] = {}
    taken: dict[str, list[Run]] = {name: [] for name in order}
    for _ in range(runs):
        for name in order:
            run = play(LOOPS[name](settings), clip)
            taken[name].append(run)
            seen.setdefault(name, run.seen)
    chains = true_faces([exhaustive_detections(gray) for gray in clip.frames], clip.times)
    return {
        name: Outcome(cost_of(taken[name]), score(chains, seen["a"], seen[name], clip.times))
        for name in order
    }


@dataclass(frozen=True)
class Run:
    """One pass over a clip: of each frame what was seen, wall and processor milliseconds, stages."""

    seen: list[list[Observation]]
    wall_ms: list[float]
    cpu_ms: list[float]
    stages: list[Mapping[str, float]]


def play(loop: Loop, clip: Clip, frames: int | None = None) -> Run:
    """Gives a loop the frames of a clip, as fast as it takes them, at their times.

    Args:
        loop: fresh.
        clip: the frames.
        frames: how many of them; None for all.
    """
    seen, wall_ms, cpu_ms = [], [], []
    for number, (gray, at_s) in enumerate(list(zip(clip.frames, clip.times, strict=True))[:frames]):
        frame = Frame(number, at_s, gray)
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        seen.append(loop.step(frame))
        wall_ms.append(1e3 * (time.perf_counter() - wall_s))
        cpu_ms.append(1e3 * (time.process_time() - cpu_s))
        loop.stopwatch.next_frame()
    return Run(seen, wall_ms, cpu_ms, loop.stopwatch.frames)


def cost_of(runs: Sequence[Run]) -> Cost:
    """What the passes of one loop over one clip took."""
    whole = sum(sum(run.wall_ms) for run in runs)
    stages: dict[str, list[float]] = {}
    for run in runs:
        for wall, frame in zip(run.wall_ms, run.stages, strict=True):
            for stage, value in _own(wall, frame).items():
                stages.setdefault(stage, []).append(value)
    return Cost(
        ms=float(np.median([np.mean(run.wall_ms) for run in runs])),
        cpu_ms=float(np.median([np.mean(run.cpu_ms) for run in runs])),
        frame=_spread([value for run in runs for value in run.wall_ms], whole),
        stages={stage: _spread(values, whole) for stage, values in stages.items()},
    )


def _own(wall: float, stages: Mapping[str, float]) -> dict[str, float]:
    """Each stage without what other stages took within it, and what none of them took."""
    own = {
        stage: value - sum(stages.get(inner, 0.0) for inner in _WITHIN.get(stage, ()))
        for stage, value in stages.items()
    }
    return own | {"rest": wall - sum(own.values())}


def _spread(values: Sequence[float], whole: float) -> Spread:
    p50, p95 = np.percentile(values, (50, 95))
    return Spread(float(p50), float(p95), sum(values) / whole)
