"""`calibration`: draws the calibration lists anew."""

from __future__ import annotations

import argparse
import logging

from edge.labels import TASKS
from quantize.conversion.calibration_set import PER_LABEL, draw, save_list
from train.data import load

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Writes the list of each task."""
    for task in TASKS:
        data = load(task, arguments.data)
        logger.info("%s", save_list(task, data, draw(data, PER_LABEL[task])))
