"""`scenes`: surveys a set of scenes."""

from __future__ import annotations

import argparse
import logging

from edge.errors import ConfigError
from train.data.scenes import load_scenes
from train.reports.scene_sheet import save_scene_sheet, survey_lines

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Prints how many images and faces a set of scenes has, and draws some with their boxes."""
    out = arguments.out or arguments.runs / "data" / "scenes.png"
    if out.suffix != ".png":
        raise ConfigError(f"{out}: expected a file name ending in .png")
    scenes = load_scenes(arguments.path)
    print("\n".join(survey_lines(scenes)))
    out.parent.mkdir(parents=True, exist_ok=True)
    save_scene_sheet(scenes, out)
    logger.info("%s", out)
