"""`run`: converts the best trained runs to int8 files with contracts and model cards."""

from __future__ import annotations

import argparse

from edge.errors import ConfigError
from edge.labels import LABELS
from quantize.release.candidates import candidates
from quantize.release.float_network import file_name
from quantize.release.publish import publish, refuse_existing
from train.recipes.registry import find_recipe
from train.runs.inputs import load_for


def run(arguments: argparse.Namespace) -> None:
    """Publishes a network for each task that was named, or for all tasks."""
    unknown = sorted(set(arguments.tasks) - set(LABELS))
    if unknown:
        raise ConfigError(f"no task {unknown[0]!r}; expected one of {', '.join(LABELS)}")
    if not arguments.models.is_dir():
        raise ConfigError(f"{arguments.models}: no such folder")
    tasks = [task for task in LABELS if task in arguments.tasks or not arguments.tasks]
    if not arguments.overwrite:  # refused now, and not after hours of pruning
        for task in tasks:
            refuse_existing(file_name(task, find_recipe(task).spec.size), arguments.models)
    for task in tasks:
        data = load_for(find_recipe(task), arguments.data, arguments.runs / "cache")
        publish(candidates(task, data, arguments.runs), data, arguments.models, arguments.overwrite)
