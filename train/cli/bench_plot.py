"""`bench-plot`: draws the results of `emotiny bench`, of its scenes or of its clips with truth."""

from __future__ import annotations

import argparse
import logging

from edge.errors import ConfigError
from train.reports.bench_plot import read_scenes, save_scenes_png
from train.reports.truth_plot import read_truth_results, save_truth_png

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Draws a file of results as a PNG file."""
    if arguments.out.suffix != ".png":
        raise ConfigError(f"{arguments.out}: expected a file name ending in .png")
    if arguments.truth:
        save_truth_png(read_truth_results(arguments.results), arguments.out)
    else:
        save_scenes_png(read_scenes(arguments.results), arguments.out)
    logger.info("%s", arguments.out)
