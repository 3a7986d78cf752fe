"""`evaluate`: writes the figures, plots and report.html of finished runs."""

from __future__ import annotations

import argparse

from edge.errors import ConfigError
from train.reports.evaluate_any import evaluate_any
from train.runs.inputs import load_for_run, load_located
from train.runs.lookup import crop_spec_of, read_settings, runs_to_show


def run(arguments: argparse.Namespace) -> None:
    """Evaluates each run on one split of its own dataset, or of another one."""
    if (arguments.name is None) == (arguments.out is None):
        raise ConfigError("expected either RUN or --out FOLDER")
    folders = [arguments.out] if arguments.out else runs_to_show(arguments.name, arguments.runs)
    for folder in folders:
        settings, cache = read_settings(folder), arguments.runs / "cache"
        if arguments.dataset is None:
            data = load_for_run(settings, arguments.data, cache)
        else:
            crop_spec_of(settings)  # refuses a network that finds faces
            data = load_located(arguments.dataset, arguments.data, cache)
        evaluate_any(data, folder, arguments.split)
