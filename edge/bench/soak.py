"""Whether the loop grows: the same clip over and over, forwards and backwards."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from edge.bench.clip import Clip
from edge.bench.footprint import resident_mb
from edge.bench.loops import EmotinyLoop
from edge.bench.measure import Progress
from edge.settings.settings import Settings
from edge.types import Frame

_SAMPLES = 20


@dataclass(frozen=True)
class Sample:
    """After so many frames: resident memory in MB, blocks that Python holds, people seen so far."""

    frames: int
    resident_mb: float
    blocks: int
    people: int


def soak(clip: Clip, settings: Settings, frames: int, progress: Progress[int]) -> list[Sample]:
    """Gives the loop a clip over and over.

    Args:
        clip: played forwards and backwards, so that faces do not jump.
        settings: of the loop.
        frames: in all.
        progress: shows that something goes on.

    Returns:
        Samples at equal distances, the first after a twentieth, when all that is made once is made.
    """
    loop = EmotinyLoop(settings)
    step_s = (clip.times[-1] - clip.times[0]) / (len(clip.times) - 1)
    order = _to_and_fro(len(clip.frames))
    samples = []
    people = 0
    for number in progress(range(frames), "frames"):
        seen = loop.step(Frame(number, number * step_s, clip.frames[next(order)]))
        loop.stopwatch.forget()
        people = max(people, *(face.id for face in seen), 0)
        if (number + 1) % max(1, frames // _SAMPLES) == 0:
            gc.collect()
            samples.append(Sample(number + 1, resident_mb(), sys.getallocatedblocks(), people))
    return samples


def _to_and_fro(count: int) -> Iterator[int]:
    while True:
        yield from range(count - 1)
        yield from range(count - 1, 0, -1)
