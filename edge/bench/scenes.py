"""What a frame costs with few and many faces, in small and large pictures, on one thread and more."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from edge.bench.clip import compose
from edge.bench.loops import LOOPS
from edge.bench.measure import Progress, play
from edge.settings.settings import Settings
from edge.types import Gray

COUNTS = (1, 2, 4, 8, 16)
SIZES = ((320, 240), (640, 480), (1280, 720), (1920, 1080))
THREADS = (1, 2)
CASES = tuple(itertools.product(THREADS, SIZES, COUNTS))
_SECONDS = 4.0
# The two that search every frame in full are the same from frame to frame.
_FRAMES = {"a": 4, "b": 6, "c": None}


@dataclass(frozen=True)
class Scene:
    """One composed scene.

    Attributes:
        faces: shown.
        size_wh: of the pictures in pixels.
        threads: of OpenCV and of each network.
        ms: milliseconds a frame of each loop.
        p95_ms: what nineteen of twenty frames of this package's loop stay below.
        followed: faces that it reports in the last second, on average.
    """

    faces: int
    size_wh: tuple[int, int]
    threads: int
    ms: dict[str, float]
    p95_ms: float
    followed: float


def measure_scenes(
    settings: Settings,
    faces: Sequence[Gray],
    progress: Progress[tuple[int, tuple[int, int], int]],
    cases: Sequence[tuple[int, tuple[int, int], int]] = CASES,
) -> list[Scene]:
    """Lets the loops work on composed scenes; OpenCV's number of threads is as it was afterwards.

    Args:
        settings: of this package's loop.
        faces: pictures of faces with what is around them, taken in turn.
        progress: shows that something goes on.
        cases: threads, width and height in pixels, and faces of each scene.
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
    chosen = replace(settings, threads=threads)
    runs = {name: play(make(chosen), clip, _FRAMES[name]) for name, make in LOOPS.items()}
    last = runs["c"].seen[-round(len(clip.frames) / _SECONDS) :]
    return Scene(
        count,
        size_wh,
        threads,
        {name: float(np.mean(run.wall_ms)) for name, run in runs.items()},
        float(np.percentile(runs["c"].wall_ms, 95)),
        float(np.mean([len(seen) for seen in last])),
    )
