"""`data`: surveys a dataset."""

from __future__ import annotations

import argparse
import json
import logging

from train.data import load_path
from train.data.survey import survey
from train.reports.dataset_plot import save_survey_png

logger = logging.getLogger(__name__)


def run(arguments: argparse.Namespace) -> None:
    """Prints the survey, and writes it as `survey.json` and `survey.png`."""
    data = load_path(arguments.path)
    result = survey(data)
    print("\n".join(result.to_lines()))
    out = arguments.out or arguments.runs / "data" / data.name.lower()
    out.mkdir(parents=True, exist_ok=True)
    (out / "survey.json").write_text(json.dumps(result.to_dict(), indent=1) + "\n", encoding="utf-8")
    save_survey_png(result, data, out / "survey.png")
    logger.info("%s", out / "survey.png")
