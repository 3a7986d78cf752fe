"""Reads scenes: whole images with a box for every face, and images in which there is no face.

The archive or folder holds `scenes.csv`, a row for each face, and the JPEG files that it names. An image
without a face has one row with empty boxes. `x y w h` is a face's box as the Haar cascade would draw it.
"""

from __future__ import annotations

import csv
import io
import math
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.types import Gray
from train.data.archives import first_line
from train.data.dataset import BadRow, Split, check_bad_rows, decode_gray

Kind = Literal["face", "none"]

_TABLE = "scenes.csv"
_COLUMNS = (
    *("file", "split", "source", "kind", "x", "y", "w", "h", "face_x", "face_y", "face_w", "face_h"),
    *("score", "roll", "yaw", "ignore", "haar"),
)
_SPLITS: tuple[Split, ...] = ("train", "val", "test")
_KINDS: tuple[Kind, ...] = ("face", "none")


@dataclass(frozen=True)
class SceneFaces:
    """The annotated faces of an image.

    Attributes:
        boxes: (N, 4) float32: x, y, width and height in pixels; a box may reach beyond the image's edge.
        roll: (N,) float32, degrees by which the head is turned in the image plane, as far as it was seen.
        yaw: (N,) float32, position of the nose between the eyes: 0 frontal, 0.5 about 35 degrees, 1 profile.
        ignore: (N,) bool: too small or too doubtful to be a face or none.
    """

    boxes: npt.NDArray[np.float32]
    roll: npt.NDArray[np.float32]
    yaw: npt.NDArray[np.float32]
    ignore: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Scene:
    """An image and its faces.

    Attributes:
        file: the file's name within the dataset.
        split: "train", "val" or "test".
        source: where the image is from.
        kind: "none" if there is no face in the image, else "face".
        faces: the faces.
        encoded: content of the JPEG file.
    """

    file: str
    split: Split
    source: str
    kind: Kind
    faces: SceneFaces
    encoded: bytes

    def image(self) -> Gray:
        """Decodes the image: (H, W) uint8.

        Raises:
            DataError: the file is damaged.
        """
        gray = decode_gray(self.encoded)
        if gray is None:
            raise DataError(f"{self.file}: cannot be decoded as a picture")
        return gray


@dataclass(frozen=True)
class SceneSet:
    """Scenes, in the order of their table.

    Attributes:
        scenes: the images.
        bad_rows: rows that were left out as damaged.
    """

    scenes: tuple[Scene, ...]
    bad_rows: tuple[BadRow, ...] = ()

    def part(self, split: Split) -> tuple[Scene, ...]:
        """Returns the scenes of a split."""
        return tuple(scene for scene in self.scenes if scene.split == split)


def load_scenes(path: Path) -> SceneSet:
    """Reads scenes from an archive or a folder.

    Args:
        path: a `.tar` or `.tar.gz` file, or the folder that holds `scenes.csv`.

    Returns:
        The scenes; their images stay encoded until they are asked for.

    Raises:
        DataError: the set is missing, truncated or of another form, or more than 1 % of its rows are damaged.
    """
    files = _read_files(path)
    if _TABLE not in files:
        raise DataError(f"{path}: no {_TABLE}; expected the folder or archive of scenes")
    rows_of = _read_table(f"{path}: {_TABLE}", files[_TABLE])
    scenes, bad = [], []
    for name, rows in rows_of.items():
        try:
            scenes.append(_scene(name, rows, files.get(name)))
        except ValueError as error:
            bad.append(BadRow(name, str(error)))
    return SceneSet(tuple(scenes), check_bad_rows(f"scenes in {path}", bad, len(scenes)))


def _read_files(path: Path) -> dict[str, bytes]:
    """Returns {name below the folder of scenes.csv: content} of all files."""
    contents: dict[str, bytes] = {}
    try:
        if path.is_dir():
            for file in path.rglob("*"):
                if file.name == _TABLE or file.suffix == ".jpg":
                    contents[file.relative_to(path).as_posix()] = file.read_bytes()
        else:
            with tarfile.open(path) as archive:
                for member in archive:
                    stream = archive.extractfile(member)
                    if stream is not None:
                        contents[member.name.removeprefix("./")] = stream.read()
    except (tarfile.TarError, EOFError, zlib.error, KeyError) as error:
        raise DataError(
            f"{path}: a damaged or truncated archive ({first_line(error)}); get it again"
        ) from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    tables = [name for name in contents if name.rpartition("/")[2] == _TABLE]
    prefix = min(tables, key=len).removesuffix(_TABLE) if tables else ""
    return {name.removeprefix(prefix): content for name, content in contents.items()}


def _read_table(where: str, content: bytes) -> dict[str, list[dict[str, str]]]:
    """Returns {file: its rows}, in the order of the table."""
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
        columns = tuple(reader.fieldnames or ())
        if set(columns) != set(_COLUMNS):
            unknown = [name for name in columns if name not in _COLUMNS]
            missing = [name for name in _COLUMNS if name not in columns]
            raise DataError(
                f"{where}: unknown columns: {', '.join(unknown) or 'none'}; "
                f"missing: {', '.join(missing) or 'none'}"
            )
        rows_of: dict[str, list[dict[str, str]]] = {}
        for row in reader:
            rows_of.setdefault(row["file"], []).append(row)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{where}: damaged ({error})") from error
    if not rows_of:
        raise DataError(f"{where}: no rows")
    return rows_of


def _scene(name: str, rows: Sequence[Mapping[str, str]], encoded: bytes | None) -> Scene:
    """Raises ValueError if the rows are damaged or do not fit the image."""
    if encoded is None:
        raise ValueError("no such file in the dataset")
    gray = decode_gray(encoded)
    if gray is None:
        raise ValueError("cannot be decoded as a picture")
    first = rows[0]
    if any(row[column] != first[column] for row in rows for column in ("split", "kind", "source")):
        raise ValueError("its rows differ in split, kind or source")
    if first["split"] not in _SPLITS or first["kind"] not in _KINDS:
        raise ValueError(f"split {first['split']!r} and kind {first['kind']!r}: not among those known")
    with_box = [row for row in rows if row["x"]]
    if (first["kind"] == "none") != (not with_box):
        raise ValueError(f"{len(with_box)} boxes in an image of kind {first['kind']}")
    boxes = np.array([[_number(row, key) for key in "xywh"] for row in with_box], np.float32).reshape(-1, 4)
    height, width = gray.shape
    inside = (boxes[:, :2] < (width, height)).all(axis=1) & (boxes[:, :2] + boxes[:, 2:] > 0).all(axis=1)
    if not (inside & (boxes[:, 2:] > 0).all(axis=1)).all():
        raise ValueError(f"a box lies outside of the image of {width}x{height}")
    faces = SceneFaces(
        boxes,
        np.array([_number(row, "roll") for row in with_box], np.float32),
        np.array([_number(row, "yaw") for row in with_box], np.float32),
        np.array([row["ignore"] == "1" for row in with_box], np.bool_),
    )
    return Scene(name, first["split"], first["source"], first["kind"], faces, encoded)


def _number(row: Mapping[str, str], key: str) -> float:
    value = float(row[key])
    if not math.isfinite(value):
        raise ValueError(f"{key} is {row[key]}")
    return value
