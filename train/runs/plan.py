"""The plan of a training: its stages in order, what is there of each already, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge.errors import ConfigError, DataError
from train.data import find_named
from train.data.ferplus import find_votes
from train.data.locate import find_scenes
from train.recipes.face_recipe import AnyRecipe, FaceRecipe
from train.runs.inputs import prerequisites, trained
from train.runs.results import read_log
from train.training.run_folder import check_same


@dataclass(frozen=True)
class Stage:
    """One recipe of a training.

    Attributes:
        recipe: the recipe.
        folder: folder of its run.
        done: number of finished epochs.
        finished: whether nothing of the training is left to do.
        missing: a sentence for each thing without which it cannot be trained.
    """

    recipe: AnyRecipe
    folder: Path
    done: int
    finished: bool
    missing: tuple[str, ...]

    def describe(self) -> str:
        """Returns the stage's state in a few words."""
        if self.missing:
            return "cannot be trained"
        if self.finished:
            return "finished"
        return f"goes on after epoch {self.done}" if self.done else "to do"


def plan(recipes: Mapping[Path, AnyRecipe], data: str, runs: Path) -> tuple[Stage, ...]:
    """Returns the stages of a training, without reading any data.

    Args:
        recipes: {folder of the run: recipe}, in the order in which they are trained.
        data: folder of the datasets.
        runs: folder of all runs.
    """
    stages: list[Stage] = []
    earlier: set[str] = set()
    for folder, recipe in recipes.items():
        missing = tuple(dict.fromkeys(_missing(recipe, folder, earlier, data, runs)))
        finished = (folder / "final.keras").exists()
        stages.append(Stage(recipe, folder, finished_epochs(folder), finished, missing))
        earlier.add(recipe.name)
    return tuple(stages)


def plan_lines(stages: Sequence[Stage]) -> Iterator[str]:
    """Yields the plan for people: a line for each stage."""
    width = max(len(stage.folder.name) for stage in stages)
    for number, stage in enumerate(stages, 1):
        needs = ", ".join(prerequisites(stage.recipe))
        after = f"; builds on {needs}" if needs else ""
        epochs = f"{stage.recipe.epochs:3} epoch{'s' if stage.recipe.epochs > 1 else ' '}"
        yield f"{number:2}. {stage.folder.name:{width}}  {epochs}  {stage.describe()}{after}"


def check_complete(stages: Sequence[Stage]) -> None:
    """Checks that nothing is missing, before hours are spent on the first stage.

    Raises:
        DataError: something is; the message names all of it.
    """
    reasons: dict[str, list[str]] = {}
    for stage in stages:
        for reason in stage.missing:
            reasons.setdefault(reason, []).append(stage.folder.name)
    if len(stages) == 1 and reasons:
        raise DataError("; ".join(reasons))
    if reasons:
        raise DataError("; ".join(f"for {', '.join(names)}: {reason}" for reason, names in reasons.items()))


def _missing(recipe: AnyRecipe, folder: Path, earlier: set[str], data: str, runs: Path) -> Iterator[str]:
    """Yields a sentence for each input that is missing, and for a folder that holds another run."""
    for name in prerequisites(recipe):
        if name not in earlier:
            try:
                trained(name, runs)
            except DataError as error:
                yield str(error)
    yield from _missing_data(recipe, data)
    if (folder / "run.json").exists():
        try:
            check_same(folder / "run.json", {"recipe": recipe.to_dict()})
        except ConfigError as error:
            yield str(error)
        except ValueError as error:
            yield f"{folder / 'run.json'} is damaged ({error}): remove it"


def _missing_data(recipe: AnyRecipe, folder: str) -> Iterator[str]:
    if isinstance(recipe, FaceRecipe):
        try:
            find_scenes(folder)
        except DataError as error:
            yield str(error)
    for name in recipe.portraits if isinstance(recipe, FaceRecipe) else (recipe.dataset,):
        try:
            path = find_named(name, folder)
            if not isinstance(recipe, FaceRecipe) and recipe.votes:
                find_votes(path)
        except (ConfigError, DataError) as error:
            yield str(error)


def finished_epochs(folder: Path) -> int:
    """Returns the number of epochs in a run's log; after a power cut, the last one may be repeated."""
    if not (folder / "last.weights.h5").exists():
        return 0
    try:
        return len(read_log(folder / "log.csv", ("epoch",)))
    except DataError:
        return 0
