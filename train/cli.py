"""`python -m train`: recipes trained, evaluated, compared, looked at and kept, and what datasets hold."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import ConfigError, DataError, EdgeError, OutputError
from edge.files import os_error_reason
from train.models.spec import ReferenceSpec
from train.tensorflow_env import THREADS_HELP, set_threads

if TYPE_CHECKING:
    from train.distributed.strategy import Cluster
    from train.recipes.recipe import Recipe

logger = logging.getLogger("train")

ARCHIVES = Path(__file__).parents[1] / "models" / "trained"


def main(argv: list[str] | None = None) -> int:
    """Runs a command and gives its exit code: 0, or the one of the error (see `edge.errors`)."""
    options = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        set_threads(options.threads)
        return int(options.run(options) or 0)
    except EdgeError as error:
        print(f"train: error: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read this had seen enough; nothing must be flushed into the void at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"train: error: {error.filename or 'a file'}: {os_error_reason(error)}", file=sys.stderr)
        return OutputError.exit_code
    except KeyboardInterrupt:
        print("train: stopped; the same command goes on from the last finished epoch", file=sys.stderr)
        return 130


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
        sub.add_argument("--threads", type=int, metavar="N", help=THREADS_HELP)
        return sub

    fit = command("fit", _fit, "train recipes, or go on with runs that were broken off")
    fit.add_argument("recipes", nargs="*", metavar="RECIPE", help="recipes or groups of them (shipped)")
    fit.add_argument("--epochs", type=int, help="instead of the recipe's own")
    fit.add_argument(
        "--seed", type=int, help="instead of the recipe's own, which those keep that others of them build on"
    )
    fit.add_argument("--out", type=Path, help="the run's folder (RUNS/RECIPE)")
    fit.add_argument("--random-init", action="store_true", help="do without ImageNet's weights")
    fit.add_argument(
        "--strategy",
        default="auto",
        help="none; mirrored: all GPUs here; workers: those of TF_CONFIG; auto: what is there (%(default)s)",
    )
    workers = commands.add_parser("workers", help="run `fit` as several workers on this machine")
    workers.add_argument("count", type=int, metavar="N")
    workers.add_argument("command", nargs=argparse.REMAINDER, metavar="fit ...")
    workers.set_defaults(run=_workers, threads=None)
    commands.add_parser("recipes", help="list them").set_defaults(run=_recipes, threads=None)
    evaluation = command("evaluate", _evaluate, "figures, pictures and report.html of a finished run")
    evaluation.add_argument(
        "name", nargs="?", metavar="RUN", help="a recipe, a group, or a run's folder below RUNS"
    )
    evaluation.add_argument("--split", default="val", choices=("train", "val", "test"))
    evaluation.add_argument("--out", type=Path, help="a run's folder that lies elsewhere, instead of RUN")
    evaluation.add_argument("--dataset", help="measure on another set's rows: utkface, imdb-wiki, rafd, ...")
    table = command("table", _table, "all finished runs in one table: Markdown, CSV and a picture")
    table.add_argument("--out", type=Path, help="folder for the tables (RUNS)")
    table.add_argument("--earlier", type=Path, metavar="CSV", help="a table whose other runs are kept in it")
    for name, run, text, count, which in (
        (
            "archive",
            _archive,
            "a run in one file: weights, settings, figures; what one that is broken off goes on from",
            "+",
            "or a recipe",
        ),
        ("restore", _restore, "a run from such a file, as if it had been trained here", "*", "(all)"),
    ):
        keep = command(name, run, text)
        keep.add_argument("names", nargs=count, metavar="RUN", help=which)
        keep.add_argument(
            "--archives", type=Path, default=ARCHIVES, metavar="FOLDER", help="(models/trained)"
        )
    looks = command("saliency", _saliency, "a sheet of what a trained network looks at")
    looks.add_argument("name", metavar="RUN", help="a recipe, or a run's folder below RUNS")
    looks.add_argument("--against", metavar="RUN", help="another run below RUNS, shown beside it")
    looks.add_argument("--pictures", nargs="+", type=Path, metavar="FILE", help="instead of sampled faces")
    looks.add_argument("--out", type=Path, help="the picture (RUNS/RECIPE/saliency.png)")
    survey = command("data", _data, "what a file or folder holds, what is damaged, what stands there twice")
    survey.add_argument("path", type=Path)
    survey.add_argument("--out", type=Path, help="folder for the figures and the picture (RUNS/data/NAME)")
    expansion = command("expand", _expand, "write a recipe's changed copies as pictures, with a sheet")
    expansion.add_argument("recipe", help="one with views, such as emotion")
    expansion.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="must not be there yet")
    expansion.add_argument("--count", type=int, help="so many pictures of the training split (all)")
    framing = command("framing", _framing, "measure how the cascade's box lies in each dataset's pictures")
    framing.add_argument("--count", type=int, default=4000, help="pictures of each set (%(default)s)")
    faces = command("demo-faces", _demo_faces, "compute the demo's faces from averages over FER-2013")
    faces.add_argument("--out", type=Path, default=Path("edge/sources/demo_faces"), metavar="FOLDER")
    _add_bench_plot(commands.add_parser("bench-plot", help="draw what `emotiny bench --scenes` measured"))
    return parser


def _add_bench_plot(plot: argparse.ArgumentParser) -> None:
    plot.add_argument("results", type=Path, metavar="RESULTS.json", help="what `bench --json` wrote")
    plot.add_argument("out", type=Path, metavar="OUT.png", help="the picture to write")
    plot.set_defaults(run=_bench_plot, threads=None)


def _fit(options: argparse.Namespace) -> None:
    from train.distributed.strategy import distributed
    from train.recipes.registry import find_recipes
    from train.runs.inputs import check_prerequisites, prerequisites

    recipes = [recipe for name in options.recipes or ["shipped"] for recipe in find_recipes(name)]
    if options.out and len(recipes) > 1:
        raise ConfigError("--out names one run's folder: name one recipe with it")
    check_prerequisites(recipes, options.runs)
    if options.epochs is not None:
        recipes = [replace(recipe, epochs=options.epochs) for recipe in recipes]
    if options.seed is not None:
        needed = {name for recipe in recipes for name in prerequisites(recipe)}
        recipes = [
            recipe if recipe.name in needed else replace(recipe, seed=options.seed) for recipe in recipes
        ]
    with distributed(options.strategy) as cluster:
        for recipe in recipes:
            cluster.wait()  # until the chief has written what this one builds on
            _train(recipe, options, cluster)


def _train(recipe: Recipe, options: argparse.Namespace, cluster: Cluster) -> None:
    from train.reports.evaluate_run import evaluate_run
    from train.runs.inputs import checkpoints_for, load_for
    from train.runs.lookup import folder_of
    from train.training.fit import fit

    if options.random_init and isinstance(recipe.spec, ReferenceSpec):
        recipe = replace(recipe, spec=replace(recipe.spec, pretrained=False))
    folder = options.out or folder_of(recipe, options.runs)
    sources = checkpoints_for(recipe, options.runs)
    data = load_for(recipe, options.data, options.runs / "cache")
    fit(recipe, data, folder, sources, cluster)
    if cluster.is_chief:
        evaluate_run(data, folder, "val")
        evaluate_run(data, folder, "train")


def _workers(options: argparse.Namespace) -> int:
    """Gives the exit code of the first worker that failed; what went wrong stands in its own words."""
    from train.distributed.launcher import launch

    if options.command[:1] != ["fit"]:
        raise ConfigError(f"workers run `fit`, not {' '.join(options.command[:1]) or 'nothing'!r}")
    asked = _parser().parse_args(options.command)
    if asked.strategy not in {"auto", "workers"}:
        raise ConfigError(f"--strategy {asked.strategy}: workers train by the strategy workers")
    command = (sys.executable, "-m", "train", *options.command, "--strategy", "workers")
    return launch(options.count, command, asked.runs / "workers")


def _recipes(_: argparse.Namespace) -> None:
    from train.recipes.registry import GROUPS, RECIPES

    for name, recipe in RECIPES.items():
        print(f"{name:26} {recipe.task:8} {recipe.dataset:10} {recipe.epochs:4} epochs")
    for name, members in GROUPS.items():
        print(f"{name}: {', '.join(members)}")


def _evaluate(options: argparse.Namespace) -> None:
    from train.reports.evaluate_run import evaluate_run
    from train.runs.inputs import load_located
    from train.runs.lookup import read_settings, runs_to_show

    if (options.name is None) == (options.out is None):
        raise ConfigError("expected either RUN or --out FOLDER")
    for folder in [options.out] if options.out else runs_to_show(options.name, options.runs):
        dataset = options.dataset or read_settings(folder)["recipe"]["dataset"]
        evaluate_run(load_located(dataset, options.data, options.runs / "cache"), folder, options.split)


def _table(options: argparse.Namespace) -> None:
    from train.reports.comparison import write_table
    from train.runs.results import read_runs, with_earlier

    out = options.out or options.runs
    rows = read_runs(options.runs)
    write_table(with_earlier(rows, options.earlier) if options.earlier else rows, out)
    print((out / "table.md").read_text(encoding="utf-8"))


def _archive(options: argparse.Namespace) -> None:
    from train.runs.archive import archive
    from train.runs.lookup import runs_named

    for name in options.names:
        for run in runs_named(name, options.runs):
            archive(run, options.archives / f"{run.name}.zip")
            logger.info("%s", options.archives / f"{run.name}.zip")


def _restore(options: argparse.Namespace) -> None:
    from train.runs.archive import restore

    archived = sorted(path.stem for path in options.archives.glob("*.zip"))
    if not archived:
        raise DataError(f"no archived runs in {options.archives}")
    unknown = sorted(set(options.names) - set(archived))
    if unknown:
        raise DataError(f"no run {unknown[0]!r} in {options.archives}; expected {', '.join(archived)}")
    for name in options.names or archived:
        if not options.names and (options.runs / name).exists():
            logger.info("%s is there already", options.runs / name)
            continue
        restore(options.archives / f"{name}.zip", options.runs / name)
        logger.info("%s", options.runs / name)


def _saliency(options: argparse.Namespace) -> None:
    from edge.detection.haar import HaarDetector
    from train.reports.run_report import write_page
    from train.reports.saliency_plot import read_face, save_labels_png, save_pictures_png
    from train.runs.inputs import load_located
    from train.runs.lookup import crop_spec_of, load_checkpoint, read_settings, runs_to_show

    folder, *others = runs_to_show(options.name, options.runs)
    if others:
        raise ConfigError(f"{options.name!r} is a group of recipes; name one of them, or one run")
    settings = read_settings(folder)
    view, networks = crop_spec_of(settings), {folder.name: load_checkpoint(folder)}
    if options.against:
        other = options.runs / options.against
        networks[options.against] = load_checkpoint(other)
        if (labels := read_settings(other)["labels"]) != settings["labels"]:
            raise ConfigError(
                f"--against {options.against}: its labels are {', '.join(labels)}; expected those of "
                f"{folder.name}, {', '.join(settings['labels'])}"
            )
    out = options.out or folder / "saliency.png"
    if options.pictures:
        detector = HaarDetector()
        pictures = {path.name: read_face(path, view, detector) for path in options.pictures}
        # A set may have other labels than its task: CK+ has contempt for neutral.
        save_pictures_png(networks, pictures, settings["labels"], out)
    else:
        data = load_located(settings["recipe"]["dataset"], options.data, options.runs / "cache")
        save_labels_png(networks, data.part("val"), view, out)
    logger.info("%s", out)
    if out == folder / "saliency.png":
        logger.info("%s", write_page(folder, settings))


def _data(options: argparse.Namespace) -> None:
    from train.data import load_path
    from train.data.survey import survey
    from train.reports.dataset_plot import save_survey_png

    data = load_path(options.path)
    found = survey(data)
    print("\n".join(found.to_lines()))
    out = options.out or options.runs / "data" / data.name.lower()
    out.mkdir(parents=True, exist_ok=True)
    (out / "survey.json").write_text(json.dumps(found.to_dict(), indent=1) + "\n", encoding="utf-8")
    save_survey_png(found, data, out / "survey.png")
    logger.info("%s", out / "survey.png")


def _expand(options: argparse.Namespace) -> None:
    from train.augment import plain_images
    from train.recipes.registry import find_recipe
    from train.reports.contact_sheet import check_free, write_expansion
    from train.runs.inputs import load_located
    from train.training.views import expand

    recipe = find_recipe(options.recipe)
    if not recipe.views:
        raise ConfigError(f"{recipe.name} has no views: it changes its pictures anew for every epoch")
    if options.count is not None and options.count < 1:
        raise ConfigError(f"--count {options.count}: expected at least 1")
    check_free(options.out)
    data = load_located(recipe.dataset, options.data, options.runs / "cache")
    training, validation = data.part("train"), data.part("val")
    if options.count is not None:
        training = training.take(np.arange(min(options.count, len(training))))
    views = expand(training, recipe, options.runs / "cache")
    crops = plain_images(validation, recipe.crop)
    logger.info("%s", write_expansion(training, views, validation, crops, options.out))


def _framing(options: argparse.Namespace) -> None:
    from edge.labels import TASKS
    from train.data import load
    from train.data.face_boxes import detect_boxes, enlarge, measure_framing

    if options.count < 1:
        raise ConfigError(f"--count {options.count}: expected at least 1")
    for task in TASKS:
        training = load(task, options.data).part("train")
        sample = training.take(np.arange(0, len(training), -(-len(training) // options.count)))
        images = enlarge(sample.images)
        seen = measure_framing(detect_boxes(images), images.shape[1])
        print(
            f"{training.name}: a face in {seen.found:.1%} of {seen.count} training pictures; the box in "
            f"shares of the frame, 10 % / median / 90 %: width {_triple(seen.width)}, "
            f"to the right {_triple(seen.offset_x)}, down {_triple(seen.offset_y)}; "
            f"the frame is {seen.margin:.2f} of the box"
        )


def _bench_plot(options: argparse.Namespace) -> None:
    from edge.bench.results import read_scenes
    from train.reports.bench_plot import save_scenes_png

    if options.out.suffix != ".png":
        raise ConfigError(f"{options.out}: expected a file name ending in .png")
    save_scenes_png(read_scenes(options.results), options.out)
    logger.info("%s", options.out)


def _triple(values: tuple[float, float, float]) -> str:
    return " / ".join(f"{value:+.2f}" for value in values)


def _demo_faces(options: argparse.Namespace) -> None:
    import cv2

    from train.data import load
    from train.demo_faces import average_faces, classify_genders

    data = load("emotion", options.data)
    found = average_faces(data, classify_genders(data.part("train").images))
    options.out.mkdir(parents=True, exist_ok=True)
    for name, face in found.items():
        path = options.out / f"{name}.png"
        if not cv2.imwrite(str(path), face):
            raise OutputError(f"cannot write {path}")
        logger.info("%s", path)
