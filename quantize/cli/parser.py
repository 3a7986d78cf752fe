"""The grammar of the command line, without the work of any command."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from edge.command_line import Parser
from edge.labels import LABELS
from train.tensorflow_env import THREADS_HELP

if TYPE_CHECKING:
    Commands: TypeAlias = "argparse._SubParsersAction[Parser]"

_DESCRIPTION = "Prunes trained networks, converts them to int8 files in models/, and verifies these files."


def parser() -> Parser:
    """Returns the parser of the command line; it sets `module`, the module of the chosen command."""
    top = Parser(prog="python -m quantize", description=_DESCRIPTION)
    top.set_defaults(threads=None)
    commands = top.add_subparsers(dest="command_name", required=True, title="commands", metavar="COMMAND")
    _add_release(commands)
    _add_pruning(commands)

    measure = _add(commands, "measure", "measure the int8 accuracy of runs, for the table of `train table`")
    measure.add_argument(
        "names",
        nargs="+",
        metavar="RUN",
        help="a recipe, a TOML file, a group of recipes, or the name of a folder in RUNS",
    )
    _add_data(measure)
    _add_runs(measure)

    inspect = _add(commands, "inspect", "print what a .tflite file contains")
    inspect.add_argument("file", type=Path)

    calibration = _add(commands, "calibration", "draw the calibration lists anew")
    _add_data(calibration, threads=False)

    classic = _add(commands, "classic", "write the float networks that `edge bench` compares with")
    classic.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder to write to")
    return top


def _add_release(commands: Commands) -> None:
    run = _add(commands, "run", "convert the best trained runs to int8 files with contracts and model cards")
    run.add_argument(
        "tasks",
        nargs="*",
        metavar="TASK",
        help=f"{', '.join(LABELS)}, or TOML files of recipes of your own (default: all tasks)",
    )
    _add_data(run)
    _add_runs(run)
    run.add_argument(
        "--models",
        default="models",
        type=Path,
        metavar="FOLDER",
        help="folder to write to (default: %(default)s)",
    )
    run.add_argument("--overwrite", action="store_true", help="replace files of the same name")

    verify = _add(
        commands,
        "verify",
        "check a published file: int8 only, size, agreement with its float parent, runtimes and latency",
    )
    verify.add_argument("file", type=Path, help="a .tflite file or its contract, which lie in one folder")
    verify.add_argument(
        "--run",
        dest="parent",
        type=Path,
        metavar="FOLDER",
        help="run that the file was made from (default: the folder in RUNS that its contract names)",
    )
    _add_data(verify)
    _add_runs(verify)
    verify.add_argument(
        "--layers",
        action="store_true",
        help="also print the signal-to-noise ratio of every tensor, the worst three marked",
    )

    scenes = _add(commands, "scenes", "search whole scenes with the published files, and weigh both judges")
    scenes.add_argument(
        "--models",
        default="models",
        type=Path,
        metavar="FOLDER",
        help="folder of the files (default: %(default)s)",
    )
    _add_data(scenes)


def _add_pruning(commands: Commands) -> None:
    prune = _add(commands, "prune", "prune a trained network in steps; an interrupted pruning can be resumed")
    prune.add_argument(
        "--criterion", default="taylor", help="taylor, magnitude or random (default: %(default)s)"
    )
    prune.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    prune.add_argument(
        "--out",
        type=Path,
        metavar="FOLDER",
        help="folder of the pruned network's run (default: RUNS/RECIPE-CRITERION-SEED)",
    )
    _add_plan(prune, share=0.06)

    compare = _add(commands, "compare", "prune a network by every criterion, with a table and a plot")
    compare.add_argument(
        "--seeds", type=int, default=2, help="number of prunings by each criterion (default: %(default)s)"
    )
    compare.add_argument(
        "--out", type=Path, metavar="FOLDER", help="folder to write to (default: RUNS/RECIPE-compared)"
    )
    _add_plan(compare, share=0.25)
    compare.set_defaults(target=9_950, epochs=6)

    search = _add(commands, "search", "search for a small emotion network by gates, at random and by pruning")
    for name, default, text in (
        ("seeds", 3, "number of searches by each method"),
        ("search-epochs", 4, "epochs in which gates are trained; the other searches cost as much"),
        ("draws", 8, "number of random structures"),
        ("epochs", 8, "epochs of training of each network that was found"),
    ):
        search.add_argument(f"--{name}", type=int, default=default, help=f"{text} (default: %(default)s)")
    search.add_argument(
        "--out", type=Path, metavar="FOLDER", help="folder to write to (default: RUNS/emotion-searches)"
    )
    _add_data(search)
    _add_runs(search)


def _add_plan(command: argparse.ArgumentParser, share: float) -> None:
    command.add_argument(
        "recipe", metavar="RECIPE", help="recipe, or its TOML file, whose trained network is pruned"
    )
    command.add_argument(
        "--target",
        type=int,
        help="largest number of parameters that may remain (default: 9950, or that of the shipped network)",
    )
    command.add_argument(
        "--share",
        type=float,
        default=share,
        help="share of the parameters that a step removes (default: %(default)s)",
    )
    command.add_argument(
        "--tuning", type=int, default=1, help="epochs of training after each step (default: %(default)s)"
    )
    command.add_argument(
        "--rate", type=float, default=2e-3, help="learning rate of these epochs (default: %(default)s)"
    )
    command.add_argument(
        "--epochs",
        type=int,
        help="epochs of training after the last step (default: 30, or those of the shipped network)",
    )
    command.add_argument(
        "--multiple",
        type=int,
        help="leave multiples of so many channels, as vector units compute at once (default: 1, or that of "
        "the shipped network)",
    )
    _add_data(command)
    _add_runs(command)


def _add(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    command.set_defaults(module=name)
    return command


def _add_data(command: argparse.ArgumentParser, threads: bool = True) -> None:
    command.add_argument(
        "--data", default="data", metavar="FOLDER", help="folder of the datasets (default: %(default)s)"
    )
    if threads:
        command.add_argument("--threads", type=int, metavar="N", help=THREADS_HELP)


def _add_runs(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--runs",
        default="runs",
        type=Path,
        metavar="FOLDER",
        help="folder of all runs (default: %(default)s)",
    )
