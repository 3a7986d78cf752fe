"""Reads CK+ (Lucey et al. 2010, doi:10.1109/CVPRW.2010.5543262): sequences from neutral to an emotion's peak.

Two forms are supported. The original has whole scenes in `cohn-kanade-images/S<subject>/<session>/*.png` and,
next to that folder, labels in `Emotion/S<subject>/<session>/*_emotion.txt`; the last three frames of a
sequence show its emotion and the first one is neutral. Kaggle's form has the same last three frames, cropped
to the face at 48x48, in `CK+48/<emotion>/S<subject>_<session>_<frame>.png`, and no neutral frames.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from edge.errors import DataError
from edge.labels import EMOTIONS
from train.data.archives import find_images, read_images
from train.data.dataset import BadRow, Dataset, decode_gray
from train.data.scene_crop import SceneCropper
from train.data.subjects import LeftOut, SubjectRow, Tenths, split_by_subject
from train.progress import tracked

SeventhLabel = Literal["neutral", "contempt"]
# The device's labels, and the same with contempt for neutral, so that six of seven outputs stay comparable.
LABEL_NAMES: dict[SeventhLabel, tuple[str, ...]] = {
    "neutral": EMOTIONS,
    "contempt": (*EMOTIONS[:-1], "contempt"),
}

KAGGLE_FOLDERS = {
    "anger": "angry",
    "contempt": "contempt",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happy",
    "sadness": "sad",
    "surprise": "surprise",
}
_IMAGES_FOLDER = "cohn-kanade-images"
_LABELS_FOLDERS = ("Emotion", "Emotion_labels/Emotion", "Emotion_labels")
# The number in a label file is an index into this list.
_CODES = ("neutral", "angry", "contempt", "disgust", "fear", "happy", "sad", "surprise")
_KAGGLE_SIDE = 48
_PEAK_FRAMES = 3
_FRAME_NAME = re.compile(r"S(\d{3})_(\d{3})_(\d{8})\.png", re.IGNORECASE)
_FRAME_FORM = "not S<subject>_<session>_<frame>.png"
# A tenth of the 123 subjects would be too few: two tenths are for validation, and none for testing.
_TENTHS = Tenths(val=2, test=0)

_Row = SubjectRow | BadRow | LeftOut


def load_ckplus(path: Path, labels: SeventhLabel | None = None) -> Dataset:
    """Reads CK+ in either form.

    Args:
        path: the folder that holds `cohn-kanade-images` and `Emotion`, or the first of these; or `CK+48` as a
            folder or `.tar.gz`.
        labels: the seventh label; rows of the other one are left out and counted. None means "neutral" for
            the original form and "contempt" for Kaggle's, which has no neutral faces.

    Returns:
        The dataset with the attribute "subject"; two tenths of the subjects are for validation. The original
        form has (N, 96, 96) squares of 1.6 times the box's side, and the boxes; Kaggle's has (N, 48, 48).

    Raises:
        DataError: the dataset is missing, truncated or a different one, or more than 1 % of it is damaged.
    """
    scenes = _find_images_folder(path)
    if scenes is None:
        names = LABEL_NAMES[labels or "contempt"]
        return split_by_subject("CK+48", path, names, _read_kaggle(path, names), _TENTHS)
    names = LABEL_NAMES[labels or "neutral"]
    return split_by_subject("CK+", path, names, _read_original(scenes, names), _TENTHS)


def _find_images_folder(path: Path) -> Path | None:
    """Returns the original form's folder of subjects, or None where the path holds Kaggle's form."""
    if (path / _IMAGES_FOLDER).is_dir():
        return path / _IMAGES_FOLDER
    is_original = path.is_dir() and (path.name == _IMAGES_FOLDER or next(path.glob("S[0-9]*/[0-9]*"), None))
    return path if is_original else None


def _read_kaggle(path: Path, names: tuple[str, ...]) -> Iterator[_Row]:
    for file, content in read_images(path, ".png"):
        folder = file.parent.name.lower()
        # Another folder means a different dataset, or labels of somebody's own.
        if folder not in KAGGLE_FOLDERS:
            raise DataError(f"{path}: {file} lies in no folder of {', '.join(KAGGLE_FOLDERS)}")
        where, label = f"{folder}/{file.name}", KAGGLE_FOLDERS[folder]
        match = _FRAME_NAME.fullmatch(file.name)
        if match is None:
            yield BadRow(where, _FRAME_FORM)
            continue
        if label not in names:
            yield LeftOut(label)
            continue
        image = decode_gray(content)
        if image is None:
            yield BadRow(where, "cannot be decoded as a picture")
        elif image.shape != (_KAGGLE_SIDE, _KAGGLE_SIDE):
            size = f"{image.shape[1]}x{image.shape[0]}"
            yield BadRow(where, f"{size}, expected {_KAGGLE_SIDE}x{_KAGGLE_SIDE}")
        else:
            yield SubjectRow(file.stem, int(match[1]), names.index(label), image)


def _read_original(scenes: Path, names: tuple[str, ...]) -> Iterator[_Row]:
    parent = scenes.absolute().parent
    labels = next((parent / name for name in _LABELS_FOLDERS if (parent / name).is_dir()), None)
    if labels is None:
        raise DataError(
            f"{scenes}: no folder {_LABELS_FOLDERS[0]} next to it; the labels come as an archive of their "
            "own (Emotion_labels.zip): unpack it there"
        )
    cropper = SceneCropper()
    folders = sorted(item for item in scenes.glob("S*/*") if item.is_dir())
    for folder in tracked(folders, "looking for faces", "sequences"):
        session = folder.relative_to(scenes)
        label = _read_label(labels / session)
        frames = find_images(folder, ".png")
        if not isinstance(label, str):
            yield label
        elif len(frames) < 2:
            yield BadRow(str(session), f"{len(frames)} pictures, expected some from neutral to the peak")
        else:
            peak = frames[1:][-_PEAK_FRAMES:]
            for frame, name in [(frames[0], "neutral"), *((frame, label) for frame in peak)]:
                yield _crop_frame(cropper, frame, name, names)


def _read_label(folder: Path) -> str | BadRow | LeftOut:
    """Returns the emotion of a session; about every second session has a label."""
    files = sorted(folder.glob("*_emotion.txt")) if folder.is_dir() else []
    if not files:
        return LeftOut("sequence without a label")
    where = str(files[0].relative_to(folder.parent.parent))
    if len(files) > 1:
        return BadRow(where, f"{len(files)} label files for one sequence")
    text = files[0].read_bytes().decode("ascii", "replace").strip()
    try:
        code = float(text)
    except ValueError:
        code = -1.0
    if code not in range(len(_CODES)):
        return BadRow(where, f"label {text[:20]!r}, expected a whole number from 0 to {len(_CODES) - 1}")
    return _CODES[int(code)]


def _crop_frame(cropper: SceneCropper, frame: Path, label: str, names: tuple[str, ...]) -> _Row:
    match = _FRAME_NAME.fullmatch(frame.name)
    if match is None:
        return BadRow(frame.name, _FRAME_FORM)
    if label not in names:
        return LeftOut(label)
    image = decode_gray(frame.read_bytes())
    if image is None:
        return BadRow(frame.name, "cannot be decoded as a picture")
    crop = cropper.crop(image)
    if crop is None:
        return LeftOut("no face found")
    return SubjectRow(frame.stem, int(match[1]), names.index(label), crop.image, crop.box)
