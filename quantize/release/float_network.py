"""A trained network before its conversion, and the name of its int8 file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from edge.labels import Task
from quantize.conversion.tta import TestTimeAugmentation
from train.augment import CropSpec
from train.recipes.face_recipe import AnyRecipe

# Tasks whose new files have their channels equalized by what rounding does to the outputs. The others' files
# predict what float does without, and are made again as they are.
BY_NOISE: frozenset[Task] = frozenset({"emotion"})


@dataclass(frozen=True)
class FloatNetwork:
    """A trained network before its conversion.

    Attributes:
        name: name of its int8 file, without suffix.
        path: checkpoint of the network, in the folder of its run.
        settings: settings of the run.
        model: the network, its logits moved by `offsets`.
        crop: size and framing of its crops.
        tta: views of a crop that its int8 file evaluates.
        by_noise: how its int8 file's channels are equalized, see `quantize.conversion.equalization`.
        offsets: numbers that were added to the logit of each label; empty if there were none.
    """

    name: str
    path: Path
    settings: Mapping[str, Any]
    model: keras.Model
    crop: CropSpec
    tta: TestTimeAugmentation
    by_noise: bool = False
    offsets: tuple[float, ...] = ()

    @property
    def task(self) -> Task:
        """Task that it was trained for."""
        task: Task = self.settings["recipe"]["task"]
        return task

    @property
    def is_own(self) -> bool:
        """Whether it was trained by a recipe of one's own, after which its file is named."""
        return self.name != name_of(self.settings)


def name_of(settings: Mapping[str, Any]) -> str:
    """Returns the name, without suffix, of an int8 file that ships, from the settings of its run."""
    return file_name(settings["recipe"]["task"], settings["recipe"]["spec"]["size"])


def file_name(task: Task, size: int) -> str:
    """Returns the name, without suffix, of a task's int8 file for crops of `size` x `size` pixels."""
    return f"{task}_sepnet_{size}_int8"


def own_file_name(recipe: AnyRecipe) -> str:
    """Returns the name, without suffix, of the int8 file of a recipe of one's own."""
    return f"{recipe.name}_int8"


def tta_for(settings: Mapping[str, Any]) -> TestTimeAugmentation:
    """Returns the views that a new file of a run evaluates.

    The mirror image is among them if the network reads a face and was trained with mirrored images. Zooms
    double the cost of a reading and bring no accuracy. A network that finds faces evaluates the image as it
    is. A file that exists is verified with the views that its contract records.
    """
    augmentation = settings["recipe"].get("augmentation") or {}
    return TestTimeAugmentation(mirror=bool(augmentation.get("flip")))
