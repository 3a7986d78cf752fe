"""Fixtures of the bench's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.settings.settings import Settings


@pytest.fixture(scope="session")
def settings(models: Path) -> Settings:
    """Settings with networks that take no time, on one thread."""
    return Settings(
        emotion_model=models / "tiny_emotion.json", gender_model=models / "tiny_gender.json", detect_threads=1
    )
