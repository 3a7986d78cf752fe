"""Datasets in the form that their authors give them, with so few pictures that a command takes seconds."""

from __future__ import annotations

import csv
import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from scipy.io import savemat

from edge.types import Gray
from tests.support.faces import picture_of
from tests.support.scene_fixtures import scenes_csv, toy_scene
from train.data.ferplus import COLUMNS

_CKPLUS = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
_FACE = (slice(120, 360), slice(200, 440))  # of `picture_of`


def write_datasets(folder: Path) -> None:
    """Writes FER-2013 with FER+'s votes, UTKFace, LFW, CK+, IMDB-WIKI and scenes into a new folder."""
    folder.mkdir()
    _write_fer2013(folder)
    people = [(24 + number, number % 2) for number in range(40)]
    _write_tar(
        folder / "UTKFace.tar",
        {
            f"UTKFace/{age}_{gender}_0_2017010{age:010d}.jpg.chip.jpg": _jpeg(_face(age, 200))
            for age, gender in people
        },
    )
    _write_tar(
        folder / "lfw.tar",
        {
            f"lfw/{gender}_Person_{chr(41 + age)}_0001.jpg": _jpeg(_face(age, 96))
            for age, gender in people[:26]
        },
    )
    _write_imdb_wiki(folder / "wiki_crop")
    _write_tar(
        folder / "CK+48.tar.gz",
        {
            f"CK+48/{emotion}/S{person:03}_001_{number:08}.png": _png(_face(person, 48))
            for person in range(10)
            for number, emotion in enumerate(_CKPLUS)
        },
        "w:gz",
    )
    scenes = [
        toy_scene(number + 100 * (split == "val"), split, kind)
        for split in ("train", "val")
        for kind in ("face", "none")
        for number in range(4)
    ]
    # A face that the table does not know is a false alarm.
    scenes = [
        replace(scene, encoded=scenes[0].encoded) if scene.file == "none/103.jpg" else scene
        for scene in scenes
    ]
    contents = {f"scenes/{scene.file}": scene.encoded for scene in scenes}
    _write_tar(folder / "scenes.tar", {"scenes/scenes.csv": scenes_csv(scenes), **contents})


def _write_fer2013(folder: Path) -> None:
    splits = ["Training"] * 84 + ["PublicTest"] * 28
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(("emotion", "pixels", "Usage"))
    for number, split in enumerate(splits):
        writer.writerow((number % 7, " ".join(map(str, _face(number, 48).ravel())), split))
    _write_tar(folder / "fer2013.tar.gz", {"fer2013/fer2013.csv": table.getvalue().encode()}, "w:gz")
    votes = np.random.default_rng(0).multinomial(10, np.full(10, 0.1), len(splits))
    with (folder / "fer2013new.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("Usage", "Image name", *COLUMNS))
        writer.writerows((split, "", *row) for split, row in zip(splits, votes, strict=True))


def _write_imdb_wiki(folder: Path) -> None:
    files = [f"{number:02}/a.jpg" for number in range(40)]
    for number, name in enumerate(files):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(_jpeg(_face(number, 120)))
    texts = {
        "full_path": np.array([files], dtype=object),
        "name": np.array([[f"Ann {name}" for name in files]], dtype=object),
    }
    numbers = {"dob": 720000.0, "photo_taken": 2010.0, "face_score": 2.0, "second_face_score": np.nan}
    columns = {key: np.full((1, len(files)), value) for key, value in numbers.items()}
    gender = np.arange(len(files), dtype=float)[None] % 2
    savemat(folder / "wiki.mat", {"wiki": {**columns, "gender": gender, **texts}})


def _face(number: int, side: int) -> Gray:
    """Returns a drawn face, a little brighter than those of smaller numbers.

    It is always the same one, so that float and int8 give all of them the same label.
    """
    face = cv2.resize(picture_of("happy")[_FACE], (side, side), interpolation=cv2.INTER_AREA)
    return np.clip(face * (0.8 + number / 400), 0, 255).astype(np.uint8)


def _jpeg(image: Gray) -> bytes:
    return cv2.imencode(".jpg", image)[1].tobytes()


def _png(image: Gray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def _write_tar(path: Path, contents: Mapping[str, bytes], mode: Literal["w", "w:gz"] = "w") -> None:
    with tarfile.open(path, mode=mode) as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
