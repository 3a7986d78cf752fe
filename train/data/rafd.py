"""RaFD, the Radboud Faces Database (Langner et al. 2010, doi:10.1080/02699930903485076): posed emotions.

File names are `Rafd<angle>_<person>_<ethnicity>_<gender>_<expression>_<gaze>.jpg`, the pictures whole scenes.
The set names no split: two tenths of its 67 people are validation.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from tqdm import tqdm

from edge.errors import ConfigError, DataError
from edge.labels import EMOTIONS, GENDERS
from train.data.archives import find_images
from train.data.dataset import BadRow, Dataset, decode_gray
from train.data.scene_crop import SceneCropper
from train.data.subjects import LeftOut, SubjectRow, Tenths, split_by_subject

# Degrees from one profile to the other; 90 looks into the camera.
ANGLES = (0, 45, 90, 135, 180)
_EXPRESSIONS = {
    "angry": "angry",
    "contemptuous": "contempt",
    "disgusted": "disgust",
    "fearful": "fear",
    "happy": "happy",
    "neutral": "neutral",
    "sad": "sad",
    "surprised": "surprise",
}
_NAME = re.compile(
    rf"Rafd({'|'.join(f'{angle:03}' for angle in ANGLES)})_(\d+)_([A-Za-z]+)_({'|'.join(GENDERS)})_"
    rf"({'|'.join(_EXPRESSIONS)})_(frontal|left|right)\.jpg",
    re.IGNORECASE,
)
_FORM = "not Rafd<angle>_<person>_<ethnicity>_<gender>_<expression>_<gaze>.jpg with known values"
_TENTHS = Tenths(val=2, test=0)


def load_rafd(path: Path, angles: Collection[int] = (90,)) -> Dataset:
    """Reads RaFD.

    Args:
        path: the folder of its pictures, searched in depth.
        angles: which of `ANGLES`, degrees. The cascade looks for faces towards the camera: it finds few at 45
            and 135, and none beyond.

    Returns:
        (N, 96, 96) squares of 1.6 boxes with their boxes, and the attributes "subject" and "gender" (index
        into `edge.labels.GENDERS`). Other angles, contempt and pictures without a found face are left out
        and counted.

    Raises:
        ConfigError: no such angle.
        DataError: no such folder, nothing in it, or more than 1 % of its files cannot be used.
    """
    if not angles or not set(angles) <= set(ANGLES):
        raise ConfigError(f"RaFD's angles {sorted(angles)}: expected some of {', '.join(map(str, ANGLES))}")
    if not path.is_dir():
        raise DataError(f"{path}: not a folder; expected the one with RaFD's Rafd*.jpg, unpacked")
    return split_by_subject("RaFD", path, EMOTIONS, _read(path, frozenset(angles)), _TENTHS)


def _read(path: Path, angles: frozenset[int]) -> Iterator[SubjectRow | BadRow | LeftOut]:
    cutter = SceneCropper()
    files = find_images(path, ".jpg")
    for file in tqdm(files, desc="looking for faces", unit="picture", mininterval=2.0):
        match = _NAME.fullmatch(file.name)
        if match is None:
            yield BadRow(file.name, _FORM)
            continue
        angle, person, _, gender, expression, _ = (part.lower() for part in match.groups())
        if int(angle) not in angles:
            yield LeftOut("other angle")
            continue
        if _EXPRESSIONS[expression] not in EMOTIONS:
            yield LeftOut(_EXPRESSIONS[expression])
            continue
        picture = decode_gray(file.read_bytes())
        square = None if picture is None else cutter.crop(picture)
        if picture is None:
            yield BadRow(file.name, "cannot be decoded as a picture")
        elif square is None:
            yield LeftOut("no face found")
        else:
            label, gender_label = EMOTIONS.index(_EXPRESSIONS[expression]), GENDERS.index(gender)
            attributes = {"gender": gender_label}
            yield SubjectRow(file.stem, int(person), label, square.image, square.box, attributes)
