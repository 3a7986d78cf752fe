"""The frames that every loop is given: a recording held in memory, or faces composed into pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from edge.errors import ConfigError
from edge.sources.camera import CaptureSettings
from edge.sources.factory import open_source
from edge.types import Box, Gray

# What is held in memory at most.
_MOST_BYTES = 1 << 30


@dataclass(frozen=True)
class Clip:
    """Frames with their times.

    Attributes:
        name: for tables.
        frames: (H, W) uint8 each, all of one size.
        times: seconds, rising.
    """

    name: str
    frames: tuple[Gray, ...]
    times: tuple[float, ...]

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        height, width = self.frames[0].shape
        return width, height


def read_clip(source: str, settings: CaptureSettings, most: int) -> Clip:
    """The first frames of a recording or of the demo.

    Args:
        source: as `open_source` takes it.
        settings: how its pictures are wanted.
        most: frames to read.

    Raises:
        CameraError: it cannot be read.
        ConfigError: it is no recording, is too short to say anything, or changes its size.
    """
    frames: list[Gray] = []
    times: list[float] = []
    with open_source(source, settings, fast=True) as camera:
        if camera.yields_stills:
            raise ConfigError(f"{source}: pictures in no order; expected a video, or demo")
        for frame in islice((each for each in camera if each is not None), most):
            if frames and frame.gray.shape != frames[0].shape:
                raise ConfigError(f"{source}: its pictures change their size; give --size")
            frames.append(frame.gray.copy())
            times.append(frame.captured_at)
            if len(frames) * frame.gray.nbytes > _MOST_BYTES:
                break
    if len(frames) < 10 or times[-1] <= times[0]:
        raise ConfigError(f"{source}: {len(frames)} frames; expected at least 10, one after the other")
    return Clip(clip_name(source), tuple(frames), tuple(times))


def clip_name(source: str) -> str:
    """What a clip is called in tables and results."""
    return Path(source).stem


def cut_faces(clip: Clip, boxes: Sequence[Box], most: int = 8) -> tuple[Gray, ...]:
    """Pictures of a clip's first frame's faces with what is around them, for `compose`."""
    cuts = []
    for box in boxes[:most]:
        margin_x, margin_y = box.width // 5, box.height // 5
        cut = clip.frames[0][
            max(0, box.y - margin_y) : box.y + box.height + margin_y,
            max(0, box.x - margin_x) : box.x + box.width + margin_x,
        ]
        cuts.append(cut)
    return tuple(cuts)


def demo_faces() -> tuple[Gray, ...]:
    """The demo's computed faces with an edge around them."""
    paths = sorted((Path(__file__).parents[1] / "sources" / "demo_faces").glob("*.png"))
    faces = (np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8) for path in paths)
    return tuple(
        np.asarray(cv2.copyMakeBorder(face, 4, 4, 4, 4, cv2.BORDER_REPLICATE), np.uint8) for face in faces
    )


def compose(
    faces: Sequence[Gray], count: int, size_wh: tuple[int, int], seconds: float, fps: float = 15.0
) -> tuple[Clip, list[list[Box]]]:
    """Faces that drift a little, each in a place of its own, before a wall.

    Args:
        faces: (H, W) uint8 each, taken in turn.
        count: how many are shown.
        size_wh: of the pictures, in pixels.
        seconds: of the clip.
        fps: frames a second.

    Returns:
        The clip, and where the faces are in each frame.
    """
    width, height = size_wh
    columns = math.ceil(math.sqrt(count * width / height))
    rows = math.ceil(count / columns)
    cell_wh = width / columns, height / rows
    side = round(0.7 * min(*cell_wh, 0.6 * height))
    random = np.random.default_rng(count)
    wall = np.linspace(70, 110, height)[:, None] + np.linspace(0, 25, width)[None, :]
    noisy = [wall + random.normal(0, 2, (height, width)) for _ in range(4)]
    walls = [np.asarray(each.clip(0, 255), np.uint8) for each in noisy]
    shown = [np.asarray(cv2.resize(each, (side, side)), np.uint8) for each in faces]
    phases = random.uniform(0, 2 * math.pi, (count, 2))
    frames: list[Gray] = []
    boxes: list[list[Box]] = []
    for number in range(round(seconds * fps)):
        picture = walls[number % len(walls)].copy()
        placed = []
        for face in range(count):
            row, column = divmod(face, columns)
            drift = 0.1 * side * np.sin(phases[face] + 1.3 * number / fps)
            x = round((column + 0.5) * cell_wh[0] - side / 2 + drift[0])
            y = round((row + 0.5) * cell_wh[1] - side / 2 + drift[1])
            x, y = min(max(x, 0), width - side), min(max(y, 0), height - side)
            picture[y : y + side, x : x + side] = shown[face % len(shown)]
            placed.append(Box(x, y, side, side))
        frames.append(picture)
        boxes.append(placed)
    times = tuple(number / fps for number in range(len(frames)))
    return Clip(f"{count} faces at {width}x{height}", tuple(frames), times), boxes
