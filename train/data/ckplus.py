"""CK+ (Lucey et al. 2010, doi:10.1109/CVPRW.2010.5543262): sequences from neutral to an emotion's peak.

Read in two forms. The original is `cohn-kanade-images/S<subject>/<session>/*.png` beside
`Emotion/S<subject>/<session>/*_emotion.txt`: whole scenes, of which a sequence's last three frames show its
emotion and its first none. Kaggle's is `CK+48/<emotion>/S<subject>_<session>_<frame>.png`: the same last
three frames, cut to the face, 48x48, and no neutral one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tqdm import tqdm

from edge.errors import DataError
from edge.labels import EMOTIONS
from train.data.archives import find_images, read_images
from train.data.dataset import BadRow, Dataset, decode_gray
from train.data.scene_crop import SceneCropper
from train.data.subjects import LeftOut, SubjectRow, Tenths, split_by_subject

SeventhLabel = Literal["neutral", "contempt"]
# The device's emotions, and the same with contempt in neutral's place: six of seven outputs stay comparable.
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
# The number in a label file is the place in this list.
_CODES = ("neutral", "angry", "contempt", "disgust", "fear", "happy", "sad", "surprise")
_KAGGLE_SIDE = 48
_PEAK_FRAMES = 3
_FRAME_NAME = re.compile(r"S(\d{3})_(\d{3})_(\d{8})\.png", re.IGNORECASE)
_FRAME_FORM = "not S<subject>_<session>_<frame>.png"
# 123 people: a tenth would be twelve. What is not shown to training is for validation.
_TENTHS = Tenths(val=2, test=0)

_Row = SubjectRow | BadRow | LeftOut


def load_ckplus(path: Path, labels: SeventhLabel | None = None) -> Dataset:
    """Reads CK+ in either form.

    Args:
        path: the folder that holds `cohn-kanade-images` and `Emotion`, or the first of these; or `CK+48` as a
            folder or `.tar.gz`.
        labels: the seventh label; the rows of the other one are left out and counted. None takes "neutral"
            for the original form and "contempt" for Kaggle's, which has no neutral faces.

    Returns:
        Original: (N, 96, 96) squares of 1.6 boxes with their boxes; Kaggle: (N, 48, 48). Both with the
        attribute "subject", two tenths of the subjects being validation.

    Raises:
        DataError: missing, truncated or foreign, or more than 1 % of it is bad.
    """
    scenes = _find_images_folder(path)
    if scenes is None:
        names = LABEL_NAMES[labels or "contempt"]
        return split_by_subject("CK+48", path, names, _read_kaggle(path, names), _TENTHS)
    names = LABEL_NAMES[labels or "neutral"]
    return split_by_subject("CK+", path, names, _read_original(scenes, names), _TENTHS)


def _find_images_folder(path: Path) -> Path | None:
    """The folder of the original's subjects, or None where the path is of Kaggle's form."""
    if (path / _IMAGES_FOLDER).is_dir():
        return path / _IMAGES_FOLDER
    is_it = path.is_dir() and (path.name == _IMAGES_FOLDER or next(path.glob("S[0-9]*/[0-9]*"), None))
    return path if is_it else None


def _read_kaggle(path: Path, names: tuple[str, ...]) -> Iterator[_Row]:
    for file, content in read_images(path, ".png"):
        folder = file.parent.name.lower()
        # Another folder means another set, or this one with somebody's own labels.
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
        picture = decode_gray(content)
        if picture is None:
            yield BadRow(where, "cannot be decoded as a picture")
        elif picture.shape != (_KAGGLE_SIDE, _KAGGLE_SIDE):
            size = f"{picture.shape[1]}x{picture.shape[0]}"
            yield BadRow(where, f"{size}, expected {_KAGGLE_SIDE}x{_KAGGLE_SIDE}")
        else:
            yield SubjectRow(file.stem, int(match[1]), names.index(label), picture)


def _read_original(scenes: Path, names: tuple[str, ...]) -> Iterator[_Row]:
    parent = scenes.absolute().parent
    labels = next((parent / name for name in _LABELS_FOLDERS if (parent / name).is_dir()), None)
    if labels is None:
        raise DataError(
            f"{scenes}: no folder {_LABELS_FOLDERS[0]} beside it; the labels come as an archive of their own "
            "(Emotion_labels.zip): unpack it there"
        )
    cutter = SceneCropper()
    folders = sorted(item for item in scenes.glob("S*/*") if item.is_dir())
    for folder in tqdm(folders, desc="looking for faces", unit="sequence", mininterval=2.0):
        session = folder.relative_to(scenes)
        label = _read_label(labels / session)
        frames = find_images(folder, ".png")
        if not isinstance(label, str):
            yield label
        elif len(frames) < 2:
            yield BadRow(str(session), f"{len(frames)} pictures, expected some from neutral to the peak")
        else:
            shown = [(frames[0], "neutral"), *((frame, label) for frame in frames[1:][-_PEAK_FRAMES:])]
            for frame, name in shown:
                yield _crop_frame(cutter, frame, name, names)


def _read_label(folder: Path) -> str | BadRow | LeftOut:
    """The emotion of a session; the original labels about every second one."""
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


def _crop_frame(cutter: SceneCropper, frame: Path, label: str, names: tuple[str, ...]) -> _Row:
    match = _FRAME_NAME.fullmatch(frame.name)
    if match is None:
        return BadRow(frame.name, _FRAME_FORM)
    if label not in names:
        return LeftOut(label)
    picture = decode_gray(frame.read_bytes())
    if picture is None:
        return BadRow(frame.name, "cannot be decoded as a picture")
    square = cutter.crop(picture)
    if square is None:
        return LeftOut("no face found")
    return SubjectRow(frame.stem, int(match[1]), names.index(label), square.image, square.box)
