"""Whether the loop's memory grows: the loop works on the same clip over and over."""

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
    """The state of the process after some frames.

    Attributes:
        frames: Frames processed so far.
        resident_mb: Resident memory in megabytes.
        blocks: Memory blocks that Python's allocator holds.
        people: Identities assigned so far.
    """

    frames: int
    resident_mb: float
    blocks: int
    people: int


def soak(clip: Clip, settings: Settings, frames: int, progress: Progress[int]) -> list[Sample]:
    """Runs the loop on a clip that is played forwards and backwards, so that faces do not jump.

    Args:
        clip: Frames to play.
        settings: Settings of the loop.
        frames: Number of frames in all.
        progress: Shows how far the work is.

    Returns:
        Samples at equal intervals. The first follows a twentieth of the frames, by when everything that is
        allocated once is allocated.
    """
    loop = EmotinyLoop(settings)
    frame_s = (clip.times[-1] - clip.times[0]) / (len(clip.times) - 1)
    order = _forwards_and_backwards(len(clip.frames))
    samples = []
    people = 0
    for number in progress(range(frames), "frames"):
        faces = loop.step(Frame(number, number * frame_s, clip.frames[next(order)]))
        loop.timer.discard_frame()
        people = max(people, *(face.id for face in faces), 0)
        if (number + 1) % max(1, frames // _SAMPLES) == 0:
            gc.collect()
            samples.append(Sample(number + 1, resident_mb(), sys.getallocatedblocks(), people))
    return samples


def _forwards_and_backwards(count: int) -> Iterator[int]:
    """Yields 0, 1, ... count - 1, ... 1, 0, 1, ... without end."""
    while True:
        yield from range(count - 1)
        yield from range(count - 1, 0, -1)
