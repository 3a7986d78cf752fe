"""The report of a run, as `evaluate_any` writes it, in a real browser."""

from dataclasses import replace

import pytest

from tests.support.chromium import SCREENS, Chromium, needs_chromium

pytestmark = [pytest.mark.train, needs_chromium]

from train.reports.evaluate_any import evaluate_any  # noqa: E402
from train.training.fit import fit  # noqa: E402

WIDE = """Array.from(document.querySelectorAll("figure.wide"), (figure) => {
  const picture = figure.querySelector("img").getBoundingClientRect().width;
  return [figure.clientWidth, picture, figure.scrollWidth > figure.clientWidth];
})"""
# Whether the first table, that of the figures, shows all of its columns.
FIGURES = '(({scrollWidth, clientWidth}) => scrollWidth <= clientWidth)(document.querySelector(".table"))'


@pytest.fixture(scope="module")
def report(toy, toy_recipe, tmp_path_factory):
    """The report of a finished run on both splits of a dataset with a name as long as a real one."""
    folder, data = tmp_path_factory.mktemp("report") / "run", replace(toy, name="FER-2013")
    fit(toy_recipe, data, folder)
    for split in ("val", "train"):
        evaluate_any(data, folder, split)
    return folder / "report.html"


@SCREENS
def test_the_report_fits_the_screen_and_loads_nothing(report, tmp_path, width, height, phone):
    browser = Chromium(tmp_path / "profile")
    try:
        browser.resize(width, height, phone=phone)
        browser.open(report.as_uri())
        assert browser.faults() == []
        assert browser.evaluate("document.images.length") >= 8
        assert {address.partition(":")[0] for address in browser.requests} <= {"file", "data", "about"}
        assert browser.complaints == []
        wide = browser.evaluate(WIDE)
        assert len(wide) >= 3
        # The small print of a wide picture is as large on a phone, where one moves over the picture.
        assert all(picture >= 600 and moves == phone for _, picture, moves in wide)
        assert browser.evaluate(FIGURES)
        (tmp_path / f"report-{width}.png").write_bytes(browser.screenshot())
    finally:
        browser.close()
