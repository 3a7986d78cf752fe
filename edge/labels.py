"""The labels of both tasks, in the order of the networks' outputs. Training and serving read them here."""

from __future__ import annotations

from typing import Literal

Task = Literal["emotion", "gender"]

# The order of FER-2013's `emotion` column, 0 to 6.
EMOTIONS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

# The order of UTKFace's file names, 0 and 1. Both mean *apparent* gender as annotated, nothing more.
GENDERS: tuple[str, ...] = ("male", "female")

LABELS: dict[Task, tuple[str, ...]] = {"emotion": EMOTIONS, "gender": GENDERS}
TASKS: tuple[Task, ...] = ("emotion", "gender")
