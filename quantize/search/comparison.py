"""The fair test of searches: what each found is trained equally, with inherited and with new weights."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path

import numpy as np

from edge.errors import ConfigError
from edge.files import atomic_write
from quantize.search.plan import METHODS, WEIGHTS, Method, SearchPlan, Weights
from quantize.search.plot import save_comparison_png
from quantize.search.searches import Found, Search, kl_divergence
from train.augment import plain_images
from train.data import Dataset
from train.evaluation.predictions import evaluate_logits, predict
from train.models.complexity import multiply_accumulates
from train.models.spec import NetSpec
from train.recipes.recipe import Recipe
from train.runs.lookup import load_checkpoint
from train.training.distillation import teacher_scores
from train.training.epochs import Checkpoints
from train.training.fit import fit
from train.training.run_folder import claim

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Cell:
    """Result of one training. The field names are the columns of `table.csv`.

    Attributes:
        method: how the structure was found.
        weights: whether training started from the search's weights or from new ones.
        seed: seed of search and training.
        parameters: stored parameters.
        multiply_accumulates: multiplications for one image.
        search_cost: multiplications of the search.
        kl: mean KL divergence from the teachers on the validation split, in nats.
        accuracy: share of its images that are predicted right, 0 to 1.
        macro_f1: macro-F1 of the same, 0 to 1.
        structure: the network's spec in a few words.
    """

    method: Method
    weights: Weights
    seed: int
    parameters: int
    multiply_accumulates: int
    search_cost: int
    kl: float
    accuracy: float
    macro_f1: float
    structure: str


def compare_searches(
    recipe: Recipe, plan: SearchPlan, data: Dataset, folder: Path, sources: Checkpoints
) -> tuple[Cell, ...]:
    """Searches by every method, trains what was found, and writes `table.csv`, `table.md` and `searches.png`.

    Finished searches and trainings are not repeated; the table is written anew after each. Nothing is chosen
    by the validation split: the network that counts is that of the last epoch.

    Args:
        recipe: targets, images and optimizer of all training; it has teachers.
        plan: settings of the comparison.
        data: the recipe's dataset.
        folder: folder of the comparison; created if it does not exist.
        sources: the recipe's teachers, and the cache.

    Raises:
        ConfigError: the recipe has no teachers, or the folder holds a comparison with another plan.
        DataError: a split or a teacher is missing.
        OutputError: a file cannot be written.
    """
    if not recipe.teachers:
        raise ConfigError(f"{recipe.name} has no teachers, from which the networks' divergence is measured")
    claim(folder, {"plan": asdict(plan), "recipe": recipe.to_dict()}, {}, "plan.json")
    search = Search(recipe, plan, data, sources, folder)
    cells: list[Cell] = []
    for seed in range(1, plan.seeds + 1):
        for method in METHODS:
            found = search.run(method, seed)
            for weights in WEIGHTS:
                cells.append(_cell(search, found, method, weights, seed))
                _write_tables(plan, cells, folder)
    return tuple(cells)


def _cell(search: Search, found: Found, method: Method, weights: Weights, seed: int) -> Cell:
    folder = search.cell(method, weights, seed)
    recipe = replace(search.recipe, name=folder.name, spec=found.spec, epochs=search.plan.epochs, seed=seed)
    start = found.start if weights == "inherited" else None
    fit(recipe, search.data, folder, replace(search.sources, start=start))
    result = folder / "cell.json"
    if not result.exists():
        cell = _measured(search, found, (method, weights, seed), folder)
        content = json.dumps(asdict(cell), indent=1) + "\n"
        atomic_write(result, lambda path: path.write_text(content, encoding="utf-8"))
    cell = Cell(**json.loads(result.read_text(encoding="utf-8")))
    logger.info("%s: KL %.4f, accuracy %.2f %%", folder.name, cell.kl, 100 * cell.accuracy)
    return cell


def _measured(search: Search, found: Found, key: tuple[Method, Weights, int], folder: Path) -> Cell:
    rows, sources = search.data.part("val"), search.sources
    crops = plain_images(rows, search.recipe.crop)
    model = load_checkpoint(folder, "final.keras")
    logits = predict(model, crops[..., np.newaxis])
    (scores,) = teacher_scores(crops[np.newaxis], search.recipe, sources.teachers, sources.cache)
    evaluation = evaluate_logits(logits, rows, "val")
    return Cell(
        *key,
        found.spec.stored_parameters(),
        multiply_accumulates(model),
        found.cost,
        kl_divergence(logits, scores),
        evaluation.accuracy,
        evaluation.macro_f1,
        _described(found.spec),
    )


def _described(spec: NetSpec) -> str:
    """Returns a spec in a few words, such as "stem 17; 37: 1 own + 2 shared; 48/2: pooled; head 6 places"."""
    stages = []
    for stage in spec.stages:
        parts = [f"{stage.blocks} own" if stage.blocks else "pooled" if stage.stride > 1 else "padded"]
        parts += [f"{stage.repeats} shared"] if stage.repeats else []
        stages.append(
            f"{stage.channels}{f'/{stage.stride}' if stage.stride > 1 else ''}: {' + '.join(parts)}"
        )
    kind = "rows x columns" if spec.separable_head else "places"
    return "; ".join([f"stem {spec.stem}", *stages, f"head {spec.head} {kind}"])


def _write_tables(plan: SearchPlan, cells: Sequence[Cell], folder: Path) -> None:
    atomic_write(folder / "table.csv", partial(_write_csv, cells))
    text = _table(plan, cells)
    atomic_write(folder / "table.md", lambda path: path.write_text(text, encoding="utf-8"))
    values: dict[tuple[str, str], list[tuple[float, float]]] = {
        (method, weights): [
            (each.kl, each.accuracy) for each in cells if (each.method, each.weights) == (method, weights)
        ]
        for method in METHODS
        for weights in WEIGHTS
    }
    title = f"{plan.epochs} epochs of training each, at most {plan.target:,} parameters"
    save_comparison_png(values, folder / "searches.png", title)


def _write_csv(cells: Sequence[Cell], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, [each.name for each in fields(Cell)])
        writer.writeheader()
        writer.writerows(asdict(cell) for cell in cells)


def _table(plan: SearchPlan, cells: Sequence[Cell]) -> str:
    lines = [
        f"Structures of at most {plan.target:,} parameters, searched at equal cost, then trained for "
        f"{plan.epochs} epochs. KL from the teachers and accuracy in float on validation images, after the "
        "last epoch.",
        "",
        "| search | weights | KL, mean (each seed) | accuracy, mean (each seed) | macro-F1 |",
        "|---|---|---|---|---|",
    ]
    for method in METHODS:
        for weights in WEIGHTS:
            chosen = [each for each in cells if (each.method, each.weights) == (method, weights)]
            if chosen:
                lines.append(f"| {method} | {weights} | {_summary(chosen)} |")
    lines += [
        "",
        "| search | seed | parameters | multiplications | of the search | structure |",
        "|---|---|---|---|---|---|",
    ]
    for each in cells:
        if each.weights == WEIGHTS[0]:
            costs = f"{each.multiply_accumulates / 1e6:.1f} million | {each.search_cost / 1e12:.2f} trillion"
            lines.append(
                f"| {each.method} | {each.seed} | {each.parameters:,} | {costs} | {each.structure} |"
            )
    return "\n".join([*lines, ""])


def _summary(cells: Sequence[Cell]) -> str:
    kl = f"{np.mean([each.kl for each in cells]):.3f} ({', '.join(f'{each.kl:.3f}' for each in cells)})"
    mean = np.mean([each.accuracy for each in cells])
    accuracy = f"{mean:.1%} ({', '.join(f'{each.accuracy:.1%}' for each in cells)})".replace("%", " %")
    return f"{kl} | {accuracy} | {np.mean([each.macro_f1 for each in cells]):.3f}"
