"""Reads RaFD (Radboud Faces Database, Langner et al. 2010, doi:10.1080/02699930903485076): posed emotions.

File names are `Rafd<angle>_<subject>_<ethnicity>_<gender>_<expression>_<gaze>.jpg`; the images are whole
scenes. The dataset defines no splits: two tenths of its 67 subjects are for validation.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path

from edge.errors import ConfigError, DataError
from edge.labels import EMOTIONS, GENDERS
from train.data.archives import find_images
from train.data.dataset import BadRow, Dataset, decode_gray
from train.data.scene_crop import SceneCropper
from train.data.subjects import LeftOut, SubjectRow, Tenths, split_by_subject
from train.progress import tracked

# Degrees from one profile to the other; at 90 the face is towards the camera.
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
_FORM = "not Rafd<angle>_<subject>_<ethnicity>_<gender>_<expression>_<gaze>.jpg with known values"
_TENTHS = Tenths(val=2, test=0)


def load_rafd(path: Path, angles: Collection[int] = (90,)) -> Dataset:
    """Reads RaFD.

    Args:
        path: the folder of its images, which is searched recursively.
        angles: the wanted ones of `ANGLES`, degrees. The cascade detects faces towards the camera: it finds
            few at 45 and 135 degrees, and none at 0 and 180.

    Returns:
        The dataset with (N, 96, 96) squares of 1.6 times the box's side, the boxes, and the attributes
        "subject" and "gender" (index into `edge.labels.GENDERS`). Other angles, contempt and images in which
        no face is found are left out and counted.

    Raises:
        ConfigError: an angle is not one of `ANGLES`, or there is none.
        DataError: the path is not a folder, holds no usable image, or more than 1 % of its files are damaged.
    """
    if not angles or not set(angles) <= set(ANGLES):
        raise ConfigError(f"RaFD's angles {sorted(angles)}: expected some of {', '.join(map(str, ANGLES))}")
    if not path.is_dir():
        raise DataError(f"{path}: not a folder; expected the one with RaFD's Rafd*.jpg, unpacked")
    return split_by_subject("RaFD", path, EMOTIONS, _read(path, frozenset(angles)), _TENTHS)


def _read(path: Path, angles: frozenset[int]) -> Iterator[SubjectRow | BadRow | LeftOut]:
    cropper = SceneCropper()
    files = find_images(path, ".jpg")
    for file in tracked(files, "looking for faces", "pictures"):
        match = _NAME.fullmatch(file.name)
        if match is None:
            yield BadRow(file.name, _FORM)
            continue
        angle, subject, _, gender, expression, _ = (part.lower() for part in match.groups())
        if int(angle) not in angles:
            yield LeftOut("other angle")
            continue
        if _EXPRESSIONS[expression] not in EMOTIONS:
            yield LeftOut(_EXPRESSIONS[expression])
            continue
        image = decode_gray(file.read_bytes())
        crop = None if image is None else cropper.crop(image)
        if image is None:
            yield BadRow(file.name, "cannot be decoded as a picture")
        elif crop is None:
            yield LeftOut("no face found")
        else:
            label, gender_label = EMOTIONS.index(_EXPRESSIONS[expression]), GENDERS.index(gender)
            attributes = {"gender": gender_label}
            yield SubjectRow(file.stem, int(subject), label, crop.image, crop.box, attributes)
