"""Evaluates a run of any kind."""

from __future__ import annotations

from pathlib import Path

from train.crops.sources import FaceData
from train.data import Dataset, Split
from train.reports.evaluate_run import evaluate_run
from train.reports.face_report import evaluate_face_run


def evaluate_any(data: Dataset | FaceData, folder: Path, split: Split) -> None:
    """Evaluates a run's best checkpoint on a split, and writes figures, plots and `report.html`.

    Args:
        data: data of the kind that the run was trained on.
        folder: the run's folder.
        split: the split.

    Raises:
        DataError: there is no such run, or it cannot be evaluated on this data.
        OutputError: a file cannot be written.
    """
    if isinstance(data, FaceData):
        evaluate_face_run(data, folder, split)
    else:
        evaluate_run(data, folder, split)
