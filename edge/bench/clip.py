"""The frames that all loops work on: a recording held in memory, or faces composed into frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from edge.errors import ConfigError
from edge.sources.factory import open_source
from edge.sources.settings import CaptureSettings
from edge.types import Box, Gray

_MAX_BYTES = 1 << 30  # of frames in memory
_MIN_FRAMES = 10


@dataclass(frozen=True)
class Clip:
    """Frames and the times at which they were captured.

    Attributes:
        name: Name in tables and results.
        frames: (H, W) uint8 each, all of the same size.
        times: Seconds, never falling.
    """

    name: str
    frames: tuple[Gray, ...]
    times: tuple[float, ...]

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of the frames in pixels."""
        height, width = self.frames[0].shape
        return width, height


def read_clip(source: str, settings: CaptureSettings, max_frames: int) -> Clip:
    """Reads the first frames of a recording or of the demo.

    Args:
        source: A source as `open_source` takes it.
        settings: Size, rotation and mirroring of the frames.
        max_frames: Number of frames to read at most.

    Raises:
        CameraError: The source cannot be read.
        ConfigError: The source is no recording, is too short, or changes its frame size.
    """
    frames: list[Gray] = []
    times: list[float] = []
    with open_source(source, settings, fast=True) as camera:
        if camera.yields_stills:
            raise ConfigError(f"{source}: images without times; expected a video, or demo")
        for frame in islice((each for each in camera if each is not None), max_frames):
            if frames and frame.gray.shape != frames[0].shape:
                raise ConfigError(f"{source}: the size of its frames changes; give --size")
            frames.append(frame.gray.copy())
            times.append(frame.captured_at)
            if len(frames) * frame.gray.nbytes > _MAX_BYTES:
                break
    if len(frames) < _MIN_FRAMES or times[-1] <= times[0]:
        raise ConfigError(
            f"{source}: {len(frames)} frames; expected at least {_MIN_FRAMES}, one after the other"
        )
    return Clip(clip_name(source), tuple(frames), tuple(times))


def clip_name(source: str) -> str:
    """Returns the name of a source's clip in tables and results: its file name without the suffix."""
    return Path(source).stem


def crop_faces(clip: Clip, boxes: Sequence[Box], max_faces: int = 8) -> tuple[Gray, ...]:
    """Crops faces from a clip's first frame for `compose`, with a fifth of the box around each."""
    crops = []
    for box in boxes[:max_faces]:
        margin_x, margin_y = box.width // 5, box.height // 5
        crop = clip.frames[0][
            max(0, box.y - margin_y) : box.y + box.height + margin_y,
            max(0, box.x - margin_x) : box.x + box.width + margin_x,
        ]
        crops.append(crop)
    return tuple(crops)


def demo_faces() -> tuple[Gray, ...]:
    """Returns the demo's computed faces, with a border around each."""
    paths = sorted((Path(__file__).parents[1] / "sources" / "demo_faces").glob("*.png"))
    faces = (np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8) for path in paths)
    return tuple(
        np.asarray(cv2.copyMakeBorder(face, 4, 4, 4, 4, cv2.BORDER_REPLICATE), np.uint8) for face in faces
    )


def compose(
    faces: Sequence[Gray], count: int, size_wh: tuple[int, int], seconds: float, fps: float = 15.0
) -> tuple[Clip, list[list[Box]]]:
    """Composes a clip of faces that drift a little, each in its own cell of a grid, in front of a wall.

    Args:
        faces: (H, W) uint8 each, used in turn.
        count: Number of faces in every frame.
        size_wh: Size of the frames in pixels.
        seconds: Length of the clip.
        fps: Frames per second.

    Returns:
        The clip, and the boxes of the faces in each frame.
    """
    width, height = size_wh
    columns = math.ceil(math.sqrt(max(1, count) * width / height))
    rows = max(1, math.ceil(count / columns))
    cell_wh = width / columns, height / rows
    side = round(0.7 * min(*cell_wh, 0.6 * height))
    random = np.random.default_rng(count)
    wall = np.linspace(70, 110, height)[:, None] + np.linspace(0, 25, width)[None, :]
    noisy = [wall + random.normal(0, 2, (height, width)) for _ in range(4)]
    walls = [np.asarray(each.clip(0, 255), np.uint8) for each in noisy]
    resized = [np.asarray(cv2.resize(face, (side, side)), np.uint8) for face in faces]
    phases = random.uniform(0, 2 * math.pi, (count, 2))
    frames: list[Gray] = []
    boxes: list[list[Box]] = []
    for index in range(round(seconds * fps)):
        frame = walls[index % len(walls)].copy()
        frame_boxes = []
        for face in range(count):
            row, column = divmod(face, columns)
            drift = 0.1 * side * np.sin(phases[face] + 1.3 * index / fps)
            x = round((column + 0.5) * cell_wh[0] - side / 2 + drift[0])
            y = round((row + 0.5) * cell_wh[1] - side / 2 + drift[1])
            x, y = min(max(x, 0), width - side), min(max(y, 0), height - side)
            frame[y : y + side, x : x + side] = resized[face % len(resized)]
            frame_boxes.append(Box(x, y, side, side))
        frames.append(frame)
        boxes.append(frame_boxes)
    times = tuple(index / fps for index in range(len(frames)))
    return Clip(f"{count} faces at {width}x{height}", tuple(frames), times), boxes
