"""`verify`: checks a published file against everything that models/ asks of it."""

from __future__ import annotations

import argparse

from edge.inference.contract import read_model
from quantize.release.acceptance import accept
from train.runs.inputs import load_for_run
from train.runs.lookup import read_settings


def run(arguments: argparse.Namespace) -> None:
    """Prints each result as soon as it is known."""
    contract, _ = read_model(arguments.file)
    parent = arguments.parent or arguments.runs / contract.training.get("run", contract.task)
    data = load_for_run(read_settings(parent), arguments.data, arguments.runs / "cache")
    for line in accept(arguments.file, parent, data, arguments.layers):
        print(line)
