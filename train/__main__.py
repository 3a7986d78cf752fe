"""`python -m train`: fit, evaluate, framing, demo-faces."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.errors import ConfigError, DataError, EdgeError, OutputError

logger = logging.getLogger("train")


def main(argv: list[str] | None = None) -> int:
    """Runs a command and gives its exit code: 0, or the one of the error (see `edge.errors`)."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    _prepare(options.threads)
    try:
        options.run(options)
    except EdgeError as error:
        print(f"train: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("train: stopped; the same command goes on from the last finished epoch", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        sub.add_argument(
            "--data", default="data", metavar="FOLDER", help="where the datasets lie (%(default)s)"
        )
        sub.add_argument("--runs", default="runs", type=Path, metavar="FOLDER", help="results (%(default)s)")
        sub.add_argument("--threads", type=int, default=1, help="of TensorFlow (%(default)s)")
        return sub

    fit = command("fit", _fit, "train a recipe, or go on with a run that was broken off")
    fit.add_argument(
        "recipes",
        nargs="*",
        metavar="RECIPE",
        help="emotion-base, emotion-polish, emotion, gender (all, in this order)",
    )
    fit.add_argument("--epochs", type=int, help="instead of the recipe's own")
    fit.add_argument("--seed", type=int, help="instead of the recipe's own")
    fit.add_argument("--out", type=Path, help="the run's folder (RUNS/RECIPE)")
    evaluation = command("evaluate", _evaluate, "accuracy, macro-F1 and confusion matrix of a finished run")
    evaluation.add_argument("recipe", help="as for fit")
    evaluation.add_argument("--split", default="val", choices=("val", "test"))
    evaluation.add_argument("--out", type=Path, help="the run's folder (RUNS/RECIPE)")
    framing = command("framing", _framing, "measure how the cascade's box lies in each dataset's pictures")
    framing.add_argument("--count", type=int, default=4000, help="pictures of each set (%(default)s)")
    faces = command("demo-faces", _demo_faces, "compute the demo's faces: FER-2013's class averages")
    faces.add_argument("--out", type=Path, default=Path("edge/demo"), metavar="FOLDER")
    return parser


def _prepare(threads: int) -> None:
    """What TensorFlow reads from the environment before it is imported.

    Two runs of one thread beat one run of two on networks this small, and the augmenting process wants a
    core of its own: one thread is the default.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(threads))
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))


def _fit(options: argparse.Namespace) -> None:
    from train.fit import fit
    from train.recipe import RECIPES, find_recipe
    from train.run import load_for, report

    recipes = [find_recipe(name) for name in options.recipes or RECIPES]
    if options.out and len(recipes) > 1:
        raise ConfigError("--out names one run's folder: name one recipe with it")
    changes = {key: getattr(options, key) for key in ("epochs", "seed") if getattr(options, key) is not None}
    for recipe in (replace(recipe, **changes) for recipe in recipes):
        folder = options.out or options.runs / recipe.name
        start = None if recipe.start is None else options.runs / recipe.start / "best.keras"
        if start and not start.exists():
            raise DataError(f"{recipe.name} goes on from {start}: train {recipe.start} first")
        data = load_for(recipe, options.data, options.runs / "cache")
        fit(recipe, data, folder, start)
        report(recipe, data, folder)


def _evaluate(options: argparse.Namespace) -> None:
    from train.recipe import find_recipe
    from train.run import load_located, report

    recipe = find_recipe(options.recipe)
    data = load_located(recipe.task, options.data, options.runs / "cache")
    report(recipe, data, options.out or options.runs / recipe.name, options.split)


def _framing(options: argparse.Namespace) -> None:
    from edge.labels import TASKS
    from train.data import load
    from train.framing import detect_boxes, enlarge, measure

    for task in TASKS:
        training = load(task, options.data).part("train")
        sample = training.take(np.arange(0, len(training), -(-len(training) // options.count)))
        images = enlarge(sample.images)
        seen = measure(detect_boxes(images), images.shape[1])
        print(
            f"{training.name}: a face in {seen.found:.1%} of {seen.count} training pictures; the box in "
            f"shares of the frame, 10 % / median / 90 %: width {_triple(seen.width)}, "
            f"to the right {_triple(seen.offset_x)}, down {_triple(seen.offset_y)}; "
            f"the frame is {seen.margin:.2f} of the box"
        )


def _triple(values: tuple[float, float, float]) -> str:
    return " / ".join(f"{value:+.2f}" for value in values)


def _demo_faces(options: argparse.Namespace) -> None:
    import cv2

    from train.averages import average_faces
    from train.data import load

    options.out.mkdir(parents=True, exist_ok=True)
    for name, face in average_faces(load("emotion", options.data)).items():
        path = options.out / f"{name}.png"
        if not cv2.imwrite(str(path), face):
            raise OutputError(f"cannot write {path}")
        logger.info("%s", path)


if __name__ == "__main__":
    sys.exit(main())
