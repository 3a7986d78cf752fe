"""A run's report: the files, the page with everything inside, and what it refuses."""

import base64
import json
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from edge.errors import DataError, OutputError
from train.reports.html import Section, write_html
from train.reports.plots import save_curves_png, save_mistakes_png
from train.reports.run_report import report_run, write_page

SETTINGS = {"recipe": {"name": "toy <script>alert(1)</script>", "epochs": 2}, "parameters": 1234}
LOG = "epoch,learning_rate,loss,accuracy,val_loss,val_accuracy,val_macro_f1,seconds\n"


class Page(HTMLParser):
    """What a browser would load and show."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.pictures, self.levels, self.text = [], [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            self.pictures.append(dict(attrs))
        if tag in ("h1", "h2", "h3"):
            self.levels.append(int(tag[1]))

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def rows(toy):
    return toy.part("val")


def logits_for(rows, seed=0):
    """Right for most; surer of itself than it should be."""
    random = np.random.default_rng(seed)
    return (4 * np.eye(7)[rows.labels] + random.normal(0, 3, (len(rows), 7))).astype(np.float32)


def test_files_and_a_page_that_needs_nothing_beside_it(rows, tmp_path):
    (tmp_path / "log.csv").write_text(LOG + "1,0.1,1.5,0.4,1.4,0.5,0.4,9\n2,0,1,0.6,1.2,0.55,0.5,9\n")
    groups = {"age 13+": {"count": 70, "accuracy": 0.5}}
    logits = logits_for(rows)
    found = report_run(tmp_path, rows, rows.images, logits, "val", SETTINGS, groups)
    assert found.evaluation.count == len(rows)
    pictures = (f"val-{name}.png" for name in ("confusion", "recall", "reliability", "mistakes"))
    for name in ("val.json", "curves.png", "report.html", *pictures):
        assert (tmp_path / name).stat().st_size > 200, name
    figures = json.loads((tmp_path / "val.json").read_text())
    assert figures["accuracy"] == pytest.approx((logits.argmax(axis=1) == rows.labels).mean(), abs=1e-4)
    assert figures["groups"] == groups
    assert figures["calibration"]["ece_after"] < figures["calibration"]["ece"]
    page = Page((tmp_path / "report.html").read_text())
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert "<script>alert(1)</script>" in page.text
    assert page.levels[0] == 1
    assert set(page.levels[1:]) == {2}
    assert len(page.pictures) == 5  # four of the split, and the curves
    for picture in page.pictures:
        assert picture["alt"]
        kind, _, content = picture["src"].partition("base64,")
        assert kind == "data:image/png;"
        decoded = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
        assert decoded.shape[:2] == (int(picture["height"]), int(picture["width"]))
    assert "1,234" in page.text
    assert f"{figures['accuracy']:.1%}" in page.text


def test_another_split_takes_the_temperature_of_val_and_stands_on_the_same_page(rows, tmp_path):
    logits = logits_for(rows)
    fitted = report_run(tmp_path, rows, rows.images, logits, "val", SETTINGS).calibration.temperature
    found = report_run(tmp_path, rows, rows.images, logits_for(rows, 1), "test", SETTINGS)
    assert found.calibration.temperature == pytest.approx(fitted, abs=1e-4)
    assert found.calibration.temperature_from == "val.json"
    page = Page((tmp_path / "report.html").read_text())
    assert len(page.pictures) == 8
    alone = report_run(tmp_path / "alone", rows, rows.images, logits, "test", SETTINGS)
    assert alone.calibration.temperature == 1
    assert str(alone.calibration.temperature_from).startswith("none was fitted")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"split": "training"}, "split 'training': expected one of val, test, train"),
        ({"logits": np.zeros((3, 7), np.float32)}, "expected as many of each"),
        ({"logits": np.full((140, 7), np.nan, np.float32)}, "its training went astray"),
    ],
)
def test_what_it_refuses(rows, tmp_path, change, said):
    arguments = {"logits": logits_for(rows), "split": "val"} | change
    with pytest.raises(DataError, match=said):
        report_run(tmp_path / "x", rows, rows.images, arguments["logits"], arguments["split"], SETTINGS)
    assert not (tmp_path / "x").exists()


def test_a_damaged_temperature_is_named(rows, tmp_path):
    (tmp_path / "val.json").write_text('{"calibration": {"temperature": "hot"}}')
    with pytest.raises(DataError, match="temperature 'hot'; expected a number above 0"):
        report_run(tmp_path, rows, rows.images, logits_for(rows), "test", SETTINGS)


def test_a_folder_that_cannot_be_written(rows, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write into"):
        report_run(tmp_path / "file" / "run", rows, rows.images, logits_for(rows), "val", SETTINGS)


def test_what_other_commands_put_beside_a_run_stands_on_its_page(rows, tmp_path):
    picture = cv2.imencode(".png", np.zeros((40, 1200), np.uint8))[1].tobytes()
    for name in ("saliency", "pruning"):
        (tmp_path / f"{name}.png").write_bytes(picture)
    header = "number,parameters,multiply_accumulates,before,after,widths\n"
    (tmp_path / "steps.csv").write_text(header + '1,39891,1904000,0.5,0.55125,"stem 24, head 28"\n')
    report_run(tmp_path, rows, rows.images, logits_for(rows), "val", SETTINGS)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert len(page.pictures) == 4 + 2
    for text in ("What it looks at", "Steps of the pruning", "39,891", "55.1%", "stem 24, head 28"):
        assert text in page.text
    assert "first" not in page.text  # by what channels were chosen nobody can say without the plan
    (tmp_path / "steps.csv").write_text("number,parameters\n1,2\n")
    with pytest.raises(DataError, match=r"steps\.csv: no table of pruning steps"):
        write_page(tmp_path, SETTINGS)


@pytest.mark.parametrize(
    ("criterion", "said"),
    [
        ("taylor", "Those went first that back-propagation says are worth least."),
        ("magnitude", "Those went first whose weights are smallest."),
        ("random", "Which went was drawn by lot."),
    ],
)
def test_the_page_of_a_pruned_network_says_by_what_its_channels_went(tmp_path, criterion, said):
    (tmp_path / "pruning.png").write_bytes(cv2.imencode(".png", np.zeros((40, 1200), np.uint8))[1].tobytes())
    (tmp_path / "plan.json").write_text(json.dumps({"plan": {"criterion": criterion}}))
    text = Page(write_page(tmp_path, SETTINGS).read_text(encoding="utf-8")).text
    assert said in text
    assert ("back-propagation" in text) == (criterion == "taylor")


@pytest.mark.train
def test_the_page_of_a_published_network_says_where_it_comes_from(tmp_path):
    settings = {"recipe": {"name": "tang", "spec": {"architecture": "tang", "classes": 7}}}
    text = Page(write_page(tmp_path, settings).read_text(encoding="utf-8")).text
    assert "The network: after Tang 2013 (arXiv:1306.0239)" in text
    assert "The network:" not in Page(write_page(tmp_path, SETTINGS).read_text(encoding="utf-8")).text


def test_a_label_without_pictures_has_no_recall(rows, tmp_path):
    some = rows.take(np.flatnonzero(rows.labels != 3))
    report_run(tmp_path, some, some.images, logits_for(some), "val", SETTINGS)
    assert json.loads((tmp_path / "val.json").read_text())["recall"]["happy"] is None


@pytest.mark.parametrize("wrong", [0, 1, 100])
def test_mistakes_sheet_draws_as_many_as_there_are(rows, tmp_path, wrong):
    scores = np.eye(7)[rows.labels] * 0.7 + 0.3 / 7
    scores[:wrong] = np.roll(scores[:wrong], 1, axis=1)
    shown = save_mistakes_png(rows.images, rows.labels, scores, rows.label_names, tmp_path / "a.png", 48)
    assert shown == min(wrong, 48)
    assert cv2.imread(str(tmp_path / "a.png")) is not None


@pytest.mark.parametrize("lines", ["1,0.1,1.5,0.4,1.4,0.5,0.4,9\n", "1,0.1,1.5,0.4,1.4,0.5,0.4,9\n2,0.1,1.5"])
def test_curves_of_a_single_epoch_even_if_the_next_line_is_cut(tmp_path, lines):
    (tmp_path / "log.csv").write_text(LOG + lines)
    save_curves_png(tmp_path / "log.csv", tmp_path / "curves.png", "toy")
    assert cv2.imread(str(tmp_path / "curves.png")).shape[1] > 600


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "no epoch"), (LOG + "1,x,1,1,1,1,1,1\n", "damaged"), ("a,b\n1,2\n", "column 'epoch'")],
)
def test_damaged_logs(tmp_path, text, said):
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        save_curves_png(tmp_path / "log.csv", tmp_path / "curves.png", "toy")


def test_tables_align_figures_and_pictures_must_be_pngs(tmp_path):
    table = (("name", "value"), ("a", "1.5 %"), ("b & c", "-"))
    write_html(tmp_path / "a.html", "x", [Section("S", "one\n\ntwo", table)])
    text = (tmp_path / "a.html").read_text()
    assert "b &amp; c" in text
    assert text.count('class="figure"') == 3
    assert text.count("<p>") == 2
    with pytest.raises(DataError, match="cells under 2 columns"):
        write_html(tmp_path / "b.html", "x", [Section("S", table=(*table, ("c",)))])
    (tmp_path / "no.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="expected a PNG"):
        write_html(tmp_path / "b.html", "x", [replace(Section("S"), pictures=((tmp_path / "no.png", "a"),))])
    assert not (tmp_path / "b.html").exists()
