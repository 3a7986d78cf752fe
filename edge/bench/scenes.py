"""What a frame costs with few and many faces, in small and large frames, on one and two threads."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from edge.bench.clip import Clip, compose
from edge.bench.library_time import LibraryTime, library_time, own_share
from edge.bench.loops import LOOPS, EmotinyLoop
from edge.bench.measure import Progress, exclusive_times, play
from edge.settings.settings import Settings
from edge.types import Frame, Gray

COUNTS = (0, 1, 4, 16)
SIZES = ((640, 480), (1280, 720), (1920, 1080))
THREADS = (1, 2)
CASES = tuple(itertools.product(THREADS, SIZES, COUNTS))
_SECONDS = 10.0
# Loops (a) and (b) do the same work on every frame, so that a few frames are enough.
_FRAMES = {"a": 4, "b": 6, "c": None}
_SHARE_RUNS = 5  # of which the least time of each call counts


@dataclass(frozen=True)
class Tail:
    """How times are distributed, and how bad they get, in milliseconds.

    Attributes:
        p50: Median.
        p95: 95th percentile.
        p99: 99th percentile.
        worst: Maximum.
    """

    p50: float
    p95: float
    p99: float
    worst: float

    @classmethod
    def of(cls, values_ms: Sequence[float]) -> Tail:
        """Sums up some times."""
        p50, p95, p99 = np.percentile(values_ms, (50, 95, 99))
        return cls(float(p50), float(p95), float(p99), float(max(values_ms)))


@dataclass(frozen=True)
class Scene:
    """What the loops took on a clip that was composed of faces.

    Attributes:
        faces: Number of faces in the clip.
        size_wh: Size of its frames in pixels.
        threads: Threads of OpenCV and of each network.
        ms: {loop: milliseconds per frame}.
        frame: Milliseconds per frame of this package's loop.
        stages: {stage: the same of each of its stages, over the frames in which the stage ran}.
        own_share: Share of its time outside of OpenCV and the interpreter, 0 to 1.
        followed: Faces that this package's loop reports in the last second, on average.
    """

    faces: int
    size_wh: tuple[int, int]
    threads: int
    ms: dict[str, float]
    frame: Tail
    stages: dict[str, Tail]
    own_share: float
    followed: float


def measure_scenes(
    settings: Settings,
    faces: Sequence[Gray],
    progress: Progress[tuple[int, tuple[int, int], int]],
    cases: Sequence[tuple[int, tuple[int, int], int]] = CASES,
) -> list[Scene]:
    """Runs all loops on composed clips, and restores OpenCV's number of threads afterwards.

    Args:
        settings: Settings of this package's loop.
        faces: (H, W) uint8 each: faces with some of their surroundings, used in turn.
        progress: Shows how far the work is.
        cases: (threads, size_wh in pixels, number of faces) of each scene.
    """
    before = cv2.getNumThreads()
    try:
        return [
            _scene(settings, faces, count, size_wh, threads)
            for threads, size_wh, count in progress(cases, "scenes")
        ]
    finally:
        cv2.setNumThreads(before)


def _scene(
    settings: Settings, faces: Sequence[Gray], count: int, size_wh: tuple[int, int], threads: int
) -> Scene:
    cv2.setNumThreads(threads)
    clip, _ = compose(faces, count, size_wh, _SECONDS)
    settings = replace(settings, models=replace(settings.models, threads=threads))
    runs = {name: play(open_loop(settings), clip, _FRAMES[name]) for name, open_loop in LOOPS.items()}
    own = runs["c"]
    stages: dict[str, list[float]] = {}
    for frame_ms, frame in zip(own.wall_ms, own.stages, strict=True):
        for stage, stage_ms in exclusive_times(frame_ms, frame).items():
            stages.setdefault(stage, []).append(stage_ms)
    last_second = own.observed[-round(len(clip.frames) / _SECONDS) :]
    return Scene(
        faces=count,
        size_wh=size_wh,
        threads=threads,
        ms={name: float(np.mean(run.wall_ms)) for name, run in runs.items()},
        frame=Tail.of(own.wall_ms),
        stages={stage: Tail.of(values_ms) for stage, values_ms in stages.items()},
        own_share=own_share([_library_time(settings, clip) for _ in range(_SHARE_RUNS)]),
        followed=float(np.mean([len(observed) for observed in last_second])),
    )


def _library_time(settings: Settings, clip: Clip) -> LibraryTime:
    """Measures the libraries in a run of its own: to time each call takes time, too."""
    loop = EmotinyLoop(settings, with_stages=False)  # to open it belongs to no frame
    with library_time() as measured:
        for index, (gray, time_s) in enumerate(zip(clip.frames, clip.times, strict=True)):
            frame = Frame(index, time_s, gray)
            measured.begin_frame()
            loop.process(frame)
            measured.end_frame()
    return measured
