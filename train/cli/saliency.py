"""`saliency`: draws which pixels a trained network's outputs depend on."""

from __future__ import annotations

import argparse
import logging

from edge.detection.haar import HaarDetector
from edge.errors import ConfigError
from train.reports.run_page import write_page
from train.reports.saliency_plot import read_face, save_labels_png, save_pictures_png
from train.runs.inputs import load_located
from train.runs.lookup import crop_spec_of, load_checkpoint, read_settings, runs_to_show

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Draws the plot, and adds it to the run's report if it is written into the run's folder."""
    if arguments.out and arguments.out.suffix != ".png":
        raise ConfigError(f"{arguments.out}: expected a file name ending in .png")
    folder, *others = runs_to_show(arguments.name, arguments.runs)
    if others:
        raise ConfigError(f"{arguments.name!r} is a group of recipes; name one of them, or one run")
    settings = read_settings(folder)
    crop, networks = crop_spec_of(settings), {folder.name: load_checkpoint(folder)}
    if arguments.against:
        other = arguments.runs / arguments.against
        networks[arguments.against] = load_checkpoint(other)
        if (labels := read_settings(other)["labels"]) != settings["labels"]:
            raise ConfigError(
                f"--against {arguments.against}: its labels are {', '.join(labels)}; expected those of "
                f"{folder.name}, {', '.join(settings['labels'])}"
            )
    out = arguments.out or folder / "saliency.png"
    if arguments.pictures:
        detector = HaarDetector()
        faces = {path.name: read_face(path, crop, detector) for path in arguments.pictures}
        # The run's labels, not its task's: CK+ has contempt instead of neutral.
        save_pictures_png(networks, faces, settings["labels"], out)
    else:
        data = load_located(settings["recipe"]["dataset"], arguments.data, arguments.runs / "cache")
        save_labels_png(networks, data.part("val"), crop, out)
    logger.info("%s", out)
    if out == folder / "saliency.png":
        logger.info("%s", write_page(folder, settings))
