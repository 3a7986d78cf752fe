"""`robustness`: measures networks that read a face on validation images as a camera spoils them."""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from edge.errors import ConfigError
from edge.files import atomic_write
from train.data import Dataset
from train.evaluation.robustness import Robustness, measure_robustness
from train.reports.robustness_plot import robustness_lines, save_robustness_png
from train.reports.run_page import write_page
from train.runs.face_networks import FaceNetwork, open_networks, refuse_other_labels
from train.runs.inputs import load_located
from train.runs.lookup import read_settings

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Prints a table of all networks, and adds each run's figures to its folder and its report."""
    if arguments.plot and arguments.plot.suffix != ".png":
        raise ConfigError(f"{arguments.plot}: expected a file name ending in .png")
    networks = [each for name in arguments.names for each in open_networks(name, arguments.runs)]
    data: dict[str, Dataset] = {}
    results: dict[str, Robustness] = {}
    for network in networks:
        dataset = arguments.dataset or network.dataset
        if dataset not in data:
            data[dataset] = load_located(dataset, arguments.data, arguments.runs / "cache")
        refuse_other_labels(network, data[dataset])
        logger.info("%s", network.name)
        result = measure_robustness(data[dataset], network.crop, network.score)
        results[network.name] = result
        if network.folder and dataset == network.dataset:
            _add_to_run(network, network.folder, result)
    print("\n".join(robustness_lines(results)))
    if arguments.plot:
        save_robustness_png(results, arguments.plot)
    if arguments.json:
        _write_json({name: result.to_dict() for name, result in results.items()}, arguments.json)


def _add_to_run(network: FaceNetwork, folder: Path, result: Robustness) -> None:
    _write_json(result.to_dict(), folder / "robustness.json")
    save_robustness_png({network.name: result}, folder / "robustness.png")
    logger.info("%s", write_page(folder, read_settings(folder)))


def _write_json(content: object, path: Path) -> None:
    text = json.dumps(content, indent=1) + "\n"
    atomic_write(path, lambda partial: partial.write_text(text, encoding="utf-8"))
