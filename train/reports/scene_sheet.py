"""A survey of scenes, and a sheet of some with their boxes: a wrong box is seen at once, and read never."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.files import atomic_write
from train.data.scenes import Scene, SceneSet

# Sides of a face's box in pixels at which the survey counts apart.
_SIDES = (0, 12, 24, 40, 80, 10_000)
_COLUMNS, _ROWS = 6, 4
_CELL_WH = (320, 240)
# Blue, green, red.
_CLEAR, _IGNORED = (80, 220, 80), (150, 150, 150)


def survey_lines(scenes: SceneSet) -> Iterator[str]:
    """Yields the lines of a survey: images and faces by split, and clear faces by size."""
    for split in ("train", "val", "test"):
        part = scenes.part(split)
        if part:
            empty = sum(scene.kind == "none" for scene in part)
            clear = sum(int((~scene.faces.ignore).sum()) for scene in part)
            ignored = sum(int(scene.faces.ignore.sum()) for scene in part)
            yield (
                f"{split}: {len(part):,} images, {empty:,} of them without a face; {clear:,} clear faces, "
                f"{ignored:,} to ignore"
            )
    sides = np.concatenate(
        [scene.faces.boxes[~scene.faces.ignore, 2] for scene in scenes.scenes] or [np.empty(0)]
    )
    counts = np.histogram(sides, _SIDES)[0]
    for low, high, count in zip(_SIDES, _SIDES[1:], counts, strict=False):
        size = f"of {low} to {high} pixels" if high < _SIDES[-1] else f"of {low} pixels and more"
        yield f"clear faces {size}: {count:,}"
    yield f"damaged images: {len(scenes.bad_rows)}"


def save_scene_sheet(scenes: SceneSet, path: Path, seed: int = 0) -> None:
    """Draws 24 scenes at random, half of them with faces if there are as many.

    Args:
        scenes: the set.
        path: PNG file to write.
        seed: of the draw.

    Raises:
        OutputError: the file cannot be written.
    """
    random = np.random.default_rng(seed)
    count = _COLUMNS * _ROWS
    chosen: list[Scene] = []
    for kind in ("face", "none"):
        candidates = [scene for scene in scenes.scenes if scene.kind == kind]
        order = random.permutation(len(candidates))[: count // 2]
        chosen += [candidates[index] for index in order]
    cells = [_cell(scene) for scene in chosen]
    cells += [np.zeros((_CELL_WH[1], _CELL_WH[0], 3), np.uint8)] * (count - len(cells))
    rows = [np.hstack(cells[start : start + _COLUMNS]) for start in range(0, count, _COLUMNS)]
    content = cv2.imencode(".png", np.vstack(rows))[1]
    atomic_write(path, lambda partial: partial.write_bytes(content.tobytes()))


def _cell(scene: Scene) -> npt.NDArray[np.uint8]:
    """Returns the scene with its boxes, fitted into a cell: (H, W, 3) uint8."""
    gray = scene.image()
    ratio = min(_CELL_WH[0] / gray.shape[1], _CELL_WH[1] / gray.shape[0])
    size_wh = max(1, round(gray.shape[1] * ratio)), max(1, round(gray.shape[0] * ratio))
    canvas = cv2.cvtColor(cv2.resize(gray, size_wh, interpolation=cv2.INTER_AREA), cv2.COLOR_GRAY2BGR)
    for box, ignored in zip(scene.faces.boxes, scene.faces.ignore, strict=True):
        _draw_box(canvas, (box * ratio).round().astype(int).tolist(), _IGNORED if ignored else _CLEAR)
    cell = np.zeros((_CELL_WH[1], _CELL_WH[0], 3), np.uint8)
    cell[: size_wh[1], : size_wh[0]] = canvas
    return cell


def _draw_box(canvas: cv2.typing.MatLike, box: Sequence[int], colour: tuple[int, int, int]) -> None:
    x, y, width, height = box
    cv2.rectangle(canvas, (x, y), (x + width, y + height), colour, 1)
