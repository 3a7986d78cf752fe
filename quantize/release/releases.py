"""Finds the release that suits some data."""

from __future__ import annotations

from edge.errors import ConfigError
from quantize.release.classifier_release import ClassifierRelease
from quantize.release.release import Release
from train.crops.sources import FaceData
from train.data import Dataset


def release_of(data: Dataset | FaceData) -> Release:
    """Returns how networks are released that were trained on data of this kind.

    Raises:
        ConfigError: networks that find faces cannot be released yet.
    """
    if isinstance(data, FaceData):
        raise ConfigError(f"{data.name}: networks that find faces cannot be released yet")
    return ClassifierRelease(data)
