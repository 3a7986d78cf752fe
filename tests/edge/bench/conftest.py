"""Fixtures of the bench's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.detection.settings import DetectorSettings
from edge.inference.settings import ModelSettings
from edge.settings.settings import Settings


@pytest.fixture(scope="session")
def settings(models: Path) -> Settings:
    """Settings with networks that take no time, on one thread."""
    return Settings(
        models=ModelSettings(emotion=models / "tiny_emotion.json", gender=models / "tiny_gender.json"),
        detector=DetectorSettings(threads=1),
    )
