"""Finds the release that suits some data."""

from __future__ import annotations

from quantize.release.classifier_release import ClassifierRelease
from quantize.release.detector_release import DetectorRelease
from quantize.release.release import Release
from train.crops.sources import FaceData
from train.data import Dataset


def release_of(data: Dataset | FaceData) -> Release:
    """Returns how networks are released that were trained on data of this kind.

    Args:
        data: a task's dataset, boxes located, or what crops for networks that find faces are taken from.
    """
    return DetectorRelease(data) if isinstance(data, FaceData) else ClassifierRelease(data)
