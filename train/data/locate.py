"""Finds a task's dataset in the folder a person named, and says what to get where there is none."""

from __future__ import annotations

from pathlib import Path

from edge.errors import DataError

# The forms of each set, the most original first.
_FORMS = {
    "emotion": ("fer2013.tar.gz", "fer2013.csv", "fer2013/fer2013.csv", "fer2013"),
    "gender": ("UTKFace.tar.gz", "UTKFace.tar", "UTKFace"),
}
_HELP = {
    "emotion": "FER-2013 (fer2013.tar.gz or fer2013.csv of Kaggle's 'Challenges in Representation Learning: "
    "Facial Expression Recognition Challenge', or its train/ and test/ folders)",
    "gender": "UTKFace, aligned and cropped (UTKFace.tar.gz from susanqq.github.io/UTKFace, or its folder)",
}


def find_data(task: str, folder: str) -> Path:
    """The path of a task's dataset.

    Args:
        task: "emotion" or "gender".
        folder: a folder that holds the set under its usual name, or the set itself.

    Returns:
        An archive, a csv or a folder.

    Raises:
        DataError: there is nothing; the message says what to get, where to put it and how to name it.
    """
    path = Path(folder).expanduser()
    if path.is_file() or (path.is_dir() and _is_set(task, path)):
        return path
    for form in _FORMS[task]:
        if (path / form).exists():
            return path / form
    raise DataError(
        f"no {task} data in {str(path)!r}: get {_HELP[task]}, put it into that folder, "
        f"or name another with DATA=FOLDER (make) or --data FOLDER"
    )


def _is_set(task: str, path: Path) -> bool:
    if task == "emotion":
        return (path / "train").is_dir()
    return next(path.glob("*_*_*.jpg"), None) is not None
