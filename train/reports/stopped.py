"""The report of a run that was stopped: what there is without evaluating the network, which takes longer."""

from __future__ import annotations

from pathlib import Path

from edge.errors import EdgeError
from edge.labels import FACE_TASKS
from train.evaluation.face_figures import HEADLINES
from train.reports.face_plots import save_face_curves_png
from train.reports.face_report import write_face_page
from train.reports.network_plot import save_network_png
from train.reports.plots import save_curves_png
from train.reports.run_page import run_title, write_page
from train.runs.lookup import read_settings


def report_stopped(folder: Path) -> Path | None:
    """Writes the curves of the epochs so far and `report.html`, which takes about a second.

    Returns:
        The page; None if no epoch is finished, or a file is damaged or cannot be written: the run is none the
        worse for that.
    """
    if not (folder / "last.weights.h5").exists():
        return None
    try:
        settings = read_settings(folder)
        title, task = run_title(settings, folder), settings["recipe"]["task"]
        if task in FACE_TASKS:
            save_face_curves_png(folder / "log.csv", folder / "curves.png", title, HEADLINES[task])
            save_network_png(settings, folder / "network.png", title)
            return write_face_page(folder, settings)
        save_curves_png(folder / "log.csv", folder / "curves.png", title)
        save_network_png(settings, folder / "network.png", title)
        return write_page(folder, settings)
    except (EdgeError, KeyError):
        return None
