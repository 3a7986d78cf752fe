"""The tasks of the networks and the names of their outputs, in order. Training and serving read them here."""

from __future__ import annotations

from typing import Literal

# A network reads a face (emotion, apparent gender), or it finds one: "proposal" looks over a whole picture,
# "refinement" at one crop.
Task = Literal["emotion", "gender", "proposal", "refinement"]

# The order of FER-2013's `emotion` column, 0 to 6.
EMOTIONS: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

# The order of UTKFace's file names, 0 and 1. Both mean *apparent* gender as annotated, nothing more.
GENDERS: tuple[str, ...] = ("male", "female")

LABELS: dict[Task, tuple[str, ...]] = {
    "emotion": EMOTIONS,
    "gender": GENDERS,
    "proposal": ("face", "dx", "dy", "size"),
    "refinement": ("face", "dx", "dy", "size", "roll_sin", "roll_cos", "yaw"),
}
# The tasks of the networks that read a face, and of those that find one.
TASKS: tuple[Task, ...] = ("emotion", "gender")
FACE_TASKS: tuple[Task, ...] = ("proposal", "refinement")
