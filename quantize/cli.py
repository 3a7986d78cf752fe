"""`python -m quantize`: run, prune, compare, measure, verify, inspect, calibration, classic."""

from __future__ import annotations

import argparse
import logging
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import ConfigError, EdgeError, ModelError, OutputError
from edge.files import os_error_reason
from edge.labels import TASKS
from train.tensorflow_env import THREADS_HELP, set_threads

if TYPE_CHECKING:
    from quantize.pruning.pruner import PruningPlan
    from train.recipes.recipe import Recipe

logger = logging.getLogger("quantize")


def main(argv: list[str] | None = None) -> int:
    """Runs a command and gives its exit code: 0, or the one of the error (see `edge.errors`)."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        set_threads(options.threads)
        options.run(options)
    except EdgeError as error:
        print(f"quantize: error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"quantize: error: {error.filename or 'a file'}: {os_error_reason(error)}", file=sys.stderr)
        return OutputError.exit_code
    except KeyboardInterrupt:
        print("quantize: stopped; nothing half-written is left in models/", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m quantize", description=__doc__)
    parser.set_defaults(threads=None)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="trained runs to int8 networks, contracts and cards")
    run.set_defaults(run=_run)
    run.add_argument("tasks", nargs="*", metavar="TASK", help=f"{', '.join(TASKS)} (all)")
    run.add_argument("--data", default="data", metavar="FOLDER", help="where the datasets lie (%(default)s)")
    run.add_argument("--runs", default="runs", type=Path, metavar="FOLDER", help="trained runs (%(default)s)")
    run.add_argument("--models", default="models", type=Path, metavar="FOLDER", help="(%(default)s)")
    run.add_argument("--overwrite", action="store_true", help="replace networks of the same name")

    classic = commands.add_parser("classic", help="the float networks that `edge bench` compares with")
    classic.set_defaults(run=_classic)
    classic.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where they are written")

    prune = commands.add_parser("prune", help="a trained network to fewer parameters, in steps that resume")
    prune.set_defaults(run=_prune)
    prune.add_argument("--criterion", default="taylor", help="taylor, magnitude or random (%(default)s)")
    prune.add_argument("--seed", type=int, default=1, help="(%(default)s)")
    prune.add_argument("--out", type=Path, help="the pruned network's run (RUNS/RECIPE-CRITERION-SEED)")
    _add_plan(prune, share=0.06)

    compare = commands.add_parser("compare", help="prune by every criterion, with a table and a picture")
    compare.set_defaults(run=_compare)
    compare.add_argument("--seeds", type=int, default=2, help="prunings by each (%(default)s)")
    compare.add_argument("--out", type=Path, help="where they lie (RUNS/RECIPE-compared)")
    _add_plan(compare, share=0.25)
    compare.set_defaults(target=9_950, epochs=6)

    measure = commands.add_parser("measure", help="int8 accuracy of runs, written beside them for the table")
    measure.set_defaults(run=_measure)
    measure.add_argument(
        "names", nargs="+", metavar="RUN", help="a recipe, a group of them, or a run's folder below RUNS"
    )
    measure.add_argument(
        "--data", default="data", metavar="FOLDER", help="where the datasets lie (%(default)s)"
    )
    measure.add_argument(
        "--runs", default="runs", type=Path, metavar="FOLDER", help="trained runs (%(default)s)"
    )

    inspect = commands.add_parser("inspect", help="what a .tflite file holds")
    inspect.set_defaults(run=_inspect)
    inspect.add_argument("file", type=Path)

    verify = commands.add_parser(
        "verify", help="whether a file is what models/ may hold: integers, size, answers, runtimes, latency"
    )
    verify.set_defaults(run=_verify)
    verify.add_argument("file", type=Path, help="a .tflite file or its contract, which lie side by side")
    verify.add_argument(
        "--run", dest="parent", type=Path, metavar="FOLDER", help="the run that it was made from"
    )
    verify.add_argument(
        "--data", default="data", metavar="FOLDER", help="where the datasets lie (%(default)s)"
    )
    verify.add_argument(
        "--runs", default="runs", type=Path, metavar="FOLDER", help="its parent is looked for there"
    )
    verify.add_argument(
        "--layers", action="store_true", help="the signal-to-noise ratio of every tensor, the worst marked"
    )

    for command in (run, prune, compare, measure, verify):
        command.add_argument("--threads", type=int, metavar="N", help=THREADS_HELP)

    draw = commands.add_parser("calibration", help="draw the calibration lists anew")
    draw.set_defaults(run=_calibration)
    draw.add_argument("--data", default="data", metavar="FOLDER", help="where the datasets lie (%(default)s)")
    return parser


def _add_plan(command: argparse.ArgumentParser, share: float) -> None:
    command.add_argument("recipe", metavar="RECIPE", help="whose best checkpoint is pruned")
    command.add_argument(
        "--target", type=int, help="parameters that may remain (9950; of what ships, as it ships)"
    )
    command.add_argument("--share", type=float, default=share, help="of the parameters, a step (%(default)s)")
    command.add_argument("--tuning", type=int, default=1, help="epochs after each step (%(default)s)")
    command.add_argument("--rate", type=float, default=2e-3, help="their learning rate (%(default)s)")
    command.add_argument("--epochs", type=int, help="after the last step (30; of what ships, as it ships)")
    command.add_argument(
        "--data", default="data", metavar="FOLDER", help="where the datasets lie (%(default)s)"
    )
    command.add_argument("--runs", default="runs", type=Path, metavar="FOLDER", help="(%(default)s)")


def _run(options: argparse.Namespace) -> None:
    from quantize.release.candidates import candidates
    from quantize.release.publish import publish, refuse_existing
    from quantize.release.quantized_run import file_name
    from train.recipes.registry import find_recipe
    from train.runs.inputs import DATASETS, load_located

    unknown = sorted(set(options.tasks) - set(TASKS))
    if unknown:
        raise ConfigError(f"no task {unknown[0]!r}; expected {' or '.join(TASKS)}")
    if not options.models.is_dir():
        raise ConfigError(f"{options.models}: no such folder")
    tasks = [task for task in TASKS if task in options.tasks or not options.tasks]
    if not options.overwrite:  # said now, not after hours of pruning
        for task in tasks:
            refuse_existing(file_name(task, find_recipe(task).spec.size), options.models)
    for task in tasks:
        data = load_located(DATASETS[task], options.data, options.runs / "cache")
        publish(candidates(task, data, options.runs), data, options.models, options.overwrite)


def _classic(options: argparse.Namespace) -> None:
    from edge.files import atomic_write
    from quantize.bench_baseline import classic_network

    for classes in (7, 2):
        path = options.out / f"mini_xception_{classes}.tflite.gz"
        atomic_write(path, partial(_write, classic_network(classes)))
        print(path)


def _write(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _plan(options: argparse.Namespace, recipe: Recipe) -> PruningPlan:
    """What is asked for; the rest is as what ships is pruned, where the recipe is its parent."""
    from quantize.pruning.pruner import PruningPlan
    from quantize.release.candidates import PLANS, parent_of

    base = PLANS[recipe.task] if recipe.name == parent_of(recipe.task) else PruningPlan(target=9_950)
    names = ("target", "share", "tuning", "rate", "epochs")
    asked = {name: getattr(options, name) for name in names}
    return replace(base, **{name: value for name, value in asked.items() if value is not None})


def _compare(options: argparse.Namespace) -> None:
    from quantize.pruning.criteria import compare_criteria, plans_of
    from train.recipes.registry import find_recipe
    from train.runs.inputs import checkpoints_for, load_for, trained

    if options.seeds < 1:
        raise ConfigError(f"--seeds {options.seeds}: expected at least 1")
    recipe = find_recipe(options.recipe)
    data = load_for(recipe, options.data, options.runs / "cache")
    folder = options.out or options.runs / f"{recipe.name}-compared"
    sources = replace(checkpoints_for(recipe, options.runs), start=trained(recipe.name, options.runs))
    compare_criteria(recipe, plans_of(_plan(options, recipe), options.seeds), data, folder, sources)
    logger.info("%s", folder / "criteria.png")


def _prune(options: argparse.Namespace) -> None:
    from quantize.release.candidates import pruned_run
    from train.recipes.registry import find_recipe
    from train.runs.inputs import load_for

    recipe = find_recipe(options.recipe)
    plan = replace(_plan(options, recipe), criterion=options.criterion, seed=options.seed)
    data = load_for(recipe, options.data, options.runs / "cache")
    logger.info("%s", pruned_run(recipe, plan, data, options.runs, options.out) / "report.html")


def _measure(options: argparse.Namespace) -> None:
    from quantize.release.int8_accuracy import measure_run
    from train.recipes.registry import GROUPS
    from train.runs.inputs import load_located
    from train.runs.lookup import read_settings, runs_named

    names = [member for name in options.names for member in GROUPS.get(name, (name,))]
    for run in [run for name in names for run in runs_named(name, options.runs)]:
        dataset = read_settings(run)["recipe"]["dataset"]
        data = load_located(dataset, options.data, options.runs / "cache")
        logger.info("%s: %s", run, measure_run(run, data))


def _inspect(options: argparse.Namespace) -> None:
    from quantize.tflite.inspect import read_contents

    try:
        contents = read_contents(options.file.read_bytes())
    except OSError as error:
        raise ModelError(f"{options.file}: {error.strerror}") from error
    except ModelError as error:
        raise ModelError(f"{options.file}: {error}") from error
    print(f"{options.file}: {contents.size_bytes} bytes, {contents.parameters} parameters as stored")
    print(f"  weights and biases: {contents.weight_bytes} bytes; the rest is the graph and the scales")
    print(f"  tensors quantized per channel: {contents.per_channel}")
    print(f"  float tensors: {', '.join(contents.float_tensors) or 'none'}")
    print("  " + ", ".join(f"{count} {name}" for name, count in contents.operators.items()))


def _verify(options: argparse.Namespace) -> None:
    from edge.inference.contract import read_model
    from quantize.release.acceptance import accept
    from train.runs.inputs import DATASETS, load_located

    contract, _ = read_model(options.file)
    data = load_located(DATASETS[contract.task], options.data, options.runs / "cache")
    parent = options.parent or options.runs / contract.training.get("run", contract.task)
    for line in accept(options.file, parent, data, options.layers):
        print(line)


def _calibration(options: argparse.Namespace) -> None:
    from quantize.conversion.calibration_set import PER_LABEL, draw, save_list
    from train.data import load

    for task in TASKS:
        data = load(task, options.data)
        path = save_list(task, data, draw(data, PER_LABEL[task]))
        logger.info("%s", path)
