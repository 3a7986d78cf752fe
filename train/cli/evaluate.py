"""`evaluate`: writes the figures, plots and report.html of finished runs."""

from __future__ import annotations

import argparse

from edge.errors import ConfigError
from train.reports.evaluate_run import evaluate_run
from train.runs.inputs import load_located
from train.runs.lookup import read_settings, runs_to_show


def run(arguments: argparse.Namespace) -> None:
    """Evaluates each run on one split of its own dataset, or of another one."""
    if (arguments.name is None) == (arguments.out is None):
        raise ConfigError("expected either RUN or --out FOLDER")
    folders = [arguments.out] if arguments.out else runs_to_show(arguments.name, arguments.runs)
    for folder in folders:
        dataset = arguments.dataset or read_settings(folder)["recipe"]["dataset"]
        data = load_located(dataset, arguments.data, arguments.runs / "cache")
        evaluate_run(data, folder, arguments.split)
