"""The grammar of the command line, without the work of any command."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from edge.command_line import Parser
from edge.labels import TASKS
from train.runs.paths import ARCHIVES
from train.tensorflow_env import THREADS_HELP

if TYPE_CHECKING:
    Commands: TypeAlias = "argparse._SubParsersAction[Parser]"

_DESCRIPTION = "Trains networks by recipes, evaluates, compares and archives them, and surveys datasets."
_RUN_HELP = "a recipe, its TOML file, or the name of a folder in RUNS"


def parser() -> Parser:
    """Returns the parser of the command line; it sets `module`, the module of the chosen command."""
    top = Parser(prog="python -m train", description=_DESCRIPTION)
    top.set_defaults(threads=None)
    commands = top.add_subparsers(dest="command_name", required=True, title="commands", metavar="COMMAND")
    _add_training(commands)
    _add_runs(commands)
    _add_datasets(commands)

    plot = _add(commands, "bench-plot", "draw the results of `emotiny bench`: --scenes, or --truth")
    plot.add_argument("results", type=Path, metavar="RESULTS.json", help="file that `bench --json` wrote")
    plot.add_argument("out", type=Path, metavar="OUT.png", help="file to write")
    plot.add_argument("--truth", action="store_true", help="draw what was found in clips with truth")
    return top


def _add_training(commands: Commands) -> None:
    fit = _add_with_data(commands, "fit", "train recipes, or resume runs that were interrupted")
    fit.add_argument(
        "recipes", nargs="*", metavar="RECIPE", help="recipes, groups, or TOML files (default: shipped)"
    )
    fit.add_argument("--epochs", type=int, help="number of epochs (default: the recipe's)")
    fit.add_argument(
        "--seed",
        type=int,
        help="seed (default: the recipe's, which recipes keep that others in the list build on)",
    )
    fit.add_argument("--out", type=Path, metavar="FOLDER", help="folder of the run (default: RUNS/RECIPE)")
    weights = fit.add_mutually_exclusive_group()
    weights.add_argument("--random-init", action="store_true", help="do not start from ImageNet's weights")
    weights.add_argument(
        "--start",
        metavar="RUN",
        help="start from the best network of a finished run in RUNS, of the same structure, as of one "
        "on another dataset; --out names a folder for the result",
    )
    fit.add_argument(
        "--strategy",
        default="auto",
        help="none: one device; mirrored: all GPUs of this machine; workers: the workers in TF_CONFIG; auto: "
        "workers if TF_CONFIG is set, mirrored if there are several GPUs, else none (default: %(default)s)",
    )
    fit.add_argument(
        "--tensorboard", type=Path, metavar="FOLDER", help="write the figures of each epoch for TensorBoard"
    )
    workers = _add(commands, "workers", "run `fit` as several workers on this machine")
    workers.add_argument("count", type=int, metavar="N", help="number of workers")
    workers.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="fit ...", help="command of each worker"
    )
    recipes = _add(commands, "recipes", "list all recipes and groups, or write one into a file to change it")
    recipes.add_argument(
        "--write", nargs=2, metavar=("RECIPE", "FILE.toml"), help="write a recipe, with a comment on each key"
    )


def _add_runs(commands: Commands) -> None:
    evaluate = _add_with_data(
        commands, "evaluate", "write the figures, plots and report.html of finished runs"
    )
    evaluate.add_argument("name", nargs="?", metavar="RUN", help=f"{_RUN_HELP}, or a group of recipes")
    evaluate.add_argument(
        "--split", default="val", choices=("train", "val", "test"), help="(default: %(default)s)"
    )
    evaluate.add_argument("--out", type=Path, metavar="FOLDER", help="folder of one run, instead of RUN")
    evaluate.add_argument("--dataset", help="evaluate on another dataset: utkface, imdb-wiki, rafd, ...")

    robustness = _add_with_data(
        commands, "robustness", "measure networks on validation images as a camera spoils them"
    )
    robustness.add_argument(
        "names", nargs="+", metavar="NETWORK", help=f"a .tflite file, {_RUN_HELP}, or a group of recipes"
    )
    robustness.add_argument("--dataset", help="measure on another dataset: lfw, ckplus, rafd, ...")
    robustness.add_argument("--plot", type=Path, metavar="FILE", help="PNG file with all of them to write")
    robustness.add_argument("--json", type=Path, metavar="FILE", help="file of figures to write")

    table = _add_with_data(commands, "table", "compare all finished runs in Markdown, CSV and a plot")
    table.add_argument("--out", type=Path, metavar="FOLDER", help="folder to write to (default: RUNS)")
    table.add_argument("--earlier", type=Path, metavar="CSV", help="also list the other runs of this table")

    archive = _add_with_data(
        commands, "archive", "write runs into a file each; an unfinished run can be resumed from it elsewhere"
    )
    archive.add_argument("names", nargs="+", metavar="RUN", help=_RUN_HELP)
    restore = _add_with_data(commands, "restore", "restore archived runs")
    restore.add_argument("names", nargs="*", metavar="RUN", help="names of archives (default: all)")
    for command in (archive, restore):
        command.add_argument(
            "--archives",
            type=Path,
            default=ARCHIVES,
            metavar="FOLDER",
            help="folder of the archives (default: models/trained)",
        )

    collect = _add_with_data(commands, "collect", "make a run of a network that an accelerator trained")
    collect.add_argument("file", type=Path, metavar="FILE.zip", help="file of `python -m train.accelerator`")
    collect.add_argument("recipe", metavar="RECIPE", help="the recipe that it is a run of, or its TOML file")
    collect.add_argument("--network", metavar="NAME", help="its name in the file (default: the file's)")

    saliency = _add_with_data(commands, "saliency", "draw which pixels a trained network's outputs depend on")
    saliency.add_argument("name", metavar="RUN", help=_RUN_HELP)
    saliency.add_argument("--against", metavar="RUN", help="a folder in RUNS, drawn next to the first run")
    saliency.add_argument(
        "--pictures",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="pictures to draw instead of validation images",
    )
    saliency.add_argument("--out", type=Path, metavar="FILE", help="(default: RUNS/RECIPE/saliency.png)")


def _add_datasets(commands: Commands) -> None:
    survey = _add_with_data(commands, "data", "survey a dataset: its labels, damaged images and duplicates")
    survey.add_argument("path", type=Path, help="file or folder of the dataset")
    survey.add_argument("--out", type=Path, metavar="FOLDER", help="(default: RUNS/data/NAME)")

    scenes = _add_with_data(commands, "scenes", "survey a set of whole images with a box for every face")
    scenes.add_argument("path", type=Path, help="scenes.tar, or the folder that holds scenes.csv")
    scenes.add_argument("--out", type=Path, metavar="FILE", help="(default: RUNS/data/scenes.png)")

    expand = _add_with_data(commands, "expand", "write a recipe's augmented training set as image files")
    expand.add_argument("recipe", help="a recipe with views, such as emotion, or its TOML file")
    expand.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="must not exist yet")
    expand.add_argument("--count", type=int, help="number of training images (default: all)")

    pack = _add_with_data(commands, "pack", "write what `python -m train.accelerator` needs into one file")
    pack.add_argument("task", choices=TASKS, help="the task")
    pack.add_argument("out", type=Path, metavar="FILE.npz", help="file to write")
    pack.add_argument(
        "--lossy",
        action="store_true",
        help="a third smaller: pictures for training may change by a gray level on average",
    )

    framing = _add_with_data(
        commands, "framing", "measure where the face detector's box lies in each dataset's images"
    )
    framing.add_argument("--count", type=int, default=4000, help="images per dataset (default: %(default)s)")

    faces = _add_with_data(commands, "demo-faces", "compute the demo's faces from averages over FER-2013")
    faces.add_argument(
        "--out",
        type=Path,
        default=Path("edge/sources/demo_faces"),
        metavar="FOLDER",
        help="(default: %(default)s)",
    )


def _add(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    command.set_defaults(module=name.replace("-", "_"))
    return command


def _add_with_data(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    command = _add(commands, name, text)
    command.add_argument(
        "--data", default="data", metavar="FOLDER", help="folder of the datasets (default: %(default)s)"
    )
    command.add_argument(
        "--runs",
        default="runs",
        type=Path,
        metavar="FOLDER",
        help="folder of all runs (default: %(default)s)",
    )
    command.add_argument("--threads", type=int, metavar="N", help=THREADS_HELP)
    return command
