"""Reads the ground truth of a clip: every face of every frame, annotated from outside this package.

`NAME.json` next to a video is `{"fps", "wh", "group", "frames"}`, with one list of faces per frame; a face is
`{"id", "box", "face", "yaw", "roll", "ignore"}`. `box` is what the Haar cascade would draw, in pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.bench.clip import Clip
from edge.documents import parse_json, read_text
from edge.errors import ConfigError
from edge.types import Box

VERSION = 1
_MAX_BYTES = 1 << 26  # of such a file


@dataclass(frozen=True)
class TrueFace:
    """A face of one frame.

    Attributes:
        id: The person, from 1; 0 where it is doubtful who it is.
        box: Where the face is, in pixels; may reach beyond the frame.
        side: Side of the box in pixels, not rounded.
        ignore: Whether the face need not be found, and is no false alarm when it is.
    """

    id: int
    box: Box
    side: float
    ignore: bool


@dataclass(frozen=True)
class Truth:
    """The faces of a clip.

    Attributes:
        group: What kind of clip it is, such as "several" or "approach".
        frames: The faces of each frame.
    """

    group: str
    frames: tuple[tuple[TrueFace, ...], ...]


def truth_path(source: str) -> Path:
    """Returns where the truth of a recording is: next to it, with the suffix .json."""
    return Path(source).with_suffix(".json")


def read_truth(path: Path, clip: Clip, *, is_whole: bool) -> Truth:
    """Reads the truth of a clip.

    Args:
        path: The .json file.
        clip: The clip that was read.
        is_whole: Whether all frames of the recording were read; else the truth may be longer than the clip.

    Raises:
        ConfigError: The file cannot be read, is damaged, is of another version, or is not of this clip.
    """
    try:
        content = parse_json(read_text(path, _MAX_BYTES))
    except OSError as error:
        raise ConfigError(f"truth {path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"truth {path}: {error}") from error
    try:
        version = content.get("version", VERSION)
        size_wh = tuple(int(side) for side in content["wh"])
        group = str(content["group"])
        frames = tuple(tuple(_face(fields) for fields in faces) for faces in content["frames"])
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"truth {path}: damaged ({type(error).__name__}: {error}); expected fps, wh, group and frames"
        ) from error
    if version != VERSION:
        raise ConfigError(f"truth {path}: version {version!r}; expected {VERSION}")
    if size_wh != clip.size_wh:
        raise ConfigError(
            f"truth {path}: of frames of {'x'.join(map(str, size_wh))}; the clip's are "
            f"{clip.size_wh[0]}x{clip.size_wh[1]}"
        )
    count = len(clip.frames)
    if len(frames) < count or (is_whole and len(frames) > count):
        raise ConfigError(f"truth {path}: {len(frames)} frames; the clip has {count}")
    return Truth(group, frames[:count])


def _face(fields: Mapping[str, Any]) -> TrueFace:
    values: Sequence[float] = [float(value) for value in fields["box"]]
    if len(values) != 4 or not all(map(math.isfinite, values)) or min(values[2:]) <= 0:
        raise ValueError(f"box {fields['box']!r}")
    x, y, width, height = values
    box = Box(round(x), round(y), max(1, round(width)), max(1, round(height)))
    return TrueFace(int(fields["id"]), box, math.sqrt(width * height), bool(fields["ignore"]))
