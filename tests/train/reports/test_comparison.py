"""Finished runs side by side; what is unfinished or damaged is left out, and said."""

import csv
import json

import cv2
import numpy as np
import pytest

from edge.errors import DataError
from train.reports.comparison import markdown_table, seeds_table, write_table
from train.reports.comparison_plot import draw_table
from train.runs.results import read_runs, with_earlier


def write_run(folder, name="a", seed=1, accuracy=0.5, train=None, int8=None):
    folder.mkdir(parents=True)
    recipe = {"name": name, "epochs": 8, "seed": seed}
    (folder / "run.json").write_text(
        json.dumps({"recipe": recipe, "parameters": 9876, "multiply_accumulates": 1_900_000})
    )
    (folder / "log.csv").write_text("epoch,accuracy,val_accuracy\n1,0.3,0.3\n2,0.75,0.4\n")
    (folder / "val.json").write_text(
        json.dumps({"split": "FER-2013 val", "count": 3579, "accuracy": accuracy, "macro_f1": 0.4})
    )
    if train is not None:
        (folder / "train.json").write_text(json.dumps({"accuracy": train}))
    if int8 is not None:
        (folder / "int8.json").write_text(json.dumps({"accuracy": int8}))


def test_a_row_says_what_a_run_cost_and_reads(tmp_path):
    write_run(tmp_path / "a", train=0.974, accuracy=0.57, int8=0.568)
    (row,) = read_runs(tmp_path)
    assert row.gap == pytest.approx(0.404)
    line = next(line for line in markdown_table([row]).splitlines() if line.startswith("| a "))
    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        "a", "9,876", "1.90 M", "2 of 8", "97.4%", "57.0%", "+40.4", "0.400", "56.8%",
    ]  # fmt: skip


def test_training_accuracy_of_the_log_is_marked(tmp_path):
    write_run(tmp_path / "a")
    text = markdown_table(read_runs(tmp_path))
    assert "75.0%\\*" in text
    assert "on changed pictures" in text


def test_a_run_of_fewer_epochs_is_measured_against_its_recipe(tmp_path):
    write_run(tmp_path / "sequential", "sequential")
    (row,) = read_runs(tmp_path)
    assert (row.epochs, row.epochs_wanted) == (2, 30)


def test_seeds_are_joined(tmp_path):
    for seed, accuracy in ((1, 0.60), (2, 0.62), (3, 0.61)):
        write_run(tmp_path / f"a-seed{seed}", seed=seed, accuracy=accuracy, train=0.7)
    line = next(line for line in seeds_table(read_runs(tmp_path)).splitlines() if line.startswith("| a "))
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1] == "3"
    assert "61.0% ± 1.0" in cells[4] or "61.0 ± 1.0" in cells[4]


def test_unfinished_and_damaged_runs_are_left_out_and_said(tmp_path, caplog):
    write_run(tmp_path / "good")
    write_run(tmp_path / "unfinished")
    (tmp_path / "unfinished" / "val.json").unlink()
    write_run(tmp_path / "damaged")
    (tmp_path / "damaged" / "run.json").write_text("{")
    write_run(tmp_path / "odd", accuracy=7)
    (tmp_path / "cache").mkdir()
    assert [row.folder for row in read_runs(tmp_path)] == ["good"]
    for name in ("unfinished", "damaged", "odd"):
        assert name in caplog.text


def test_a_pruning_at_work_is_no_damaged_run(tmp_path, caplog):
    write_run(tmp_path / "good")
    for step in ("01", "02"):
        write_run(tmp_path / "pruned" / "steps" / step)
        (tmp_path / "pruned" / "steps" / step / "val.json").unlink()  # nobody evaluates a step
    (tmp_path / "pruned" / "plan.json").write_text("{}")
    assert [row.folder for row in read_runs(tmp_path)] == ["good"]
    assert caplog.text == ""


def test_a_network_without_integers_is_shown_without_their_figure(tmp_path):
    write_run(tmp_path / "a")
    (tmp_path / "a" / "int8.json").write_text('{"error": "no integers for this operator"}')
    (row,) = read_runs(tmp_path)
    assert row.int8_accuracy is None


def test_files_hold_every_run(tmp_path):
    write_run(tmp_path / "a", "a", train=0.7)
    write_run(tmp_path / "b", "b", train=0.9)
    files = write_table(read_runs(tmp_path), tmp_path)
    with files[1].open(newline="") as text:
        assert [row["recipe"] for row in csv.DictReader(text)] == ["a", "b"]
    assert cv2.imread(str(files[2])).shape[0] > 300


def test_the_best_recipe_stands_on_top_with_a_mark_for_each_seed(tmp_path):
    for name, seed, accuracy in (("a", 1, 0.60), ("a", 2, 0.62), ("b", 1, 0.70)):
        write_run(tmp_path / f"{name}{seed}", name, seed, accuracy, train=0.8, int8=accuracy - 0.01)
    first, second, third = read_runs(tmp_path)
    (axes,) = draw_table([[third], [first, second]], {"FER-2013 val": "PublicTest"}).axes
    assert axes.get_title() == "PublicTest, 3,579 pictures"
    low, high = (label.get_text() for label in axes.get_yticklabels())
    assert low.startswith("a, 2 seeds: 9,876 parameters")
    assert high.startswith("b: 9,876 parameters")
    ends = (line.get_xydata() for line in axes.get_lines() if line.get_marker() == "o")
    found = sorted((int(y), round(x)) for x, y in np.concatenate([*ends]))
    assert found == [(0, 60), (0, 62), (0, 80), (0, 80), (1, 70), (1, 80)]


def test_nothing_to_show(tmp_path):
    with pytest.raises(DataError, match="no finished run"):
        write_table(read_runs(tmp_path), tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        read_runs(tmp_path / "none")


def test_runs_of_an_earlier_table_are_kept_unless_they_were_run_again(tmp_path):
    write_run(tmp_path / "old" / "a", "a", accuracy=0.5, train=0.7)
    write_run(tmp_path / "old" / "b", "b", accuracy=0.6, int8=0.59)
    before = read_runs(tmp_path / "old")
    _, table, _ = write_table(before, tmp_path)
    assert with_earlier([], table) == before
    write_run(tmp_path / "new" / "b", "b", accuracy=0.7)
    write_run(tmp_path / "new" / "b-seed2", "b", seed=2, accuracy=0.65)
    rows = with_earlier(read_runs(tmp_path / "new"), table)
    assert [(row.recipe, row.seed, row.validation_accuracy) for row in rows] == [
        ("a", 1, 0.5),
        ("b", 1, 0.7),
        ("b", 2, 0.65),
    ]


@pytest.mark.parametrize("text", ["recipe,seed\na,1\n", "recipe,seed\n", "", "no table"])
def test_a_file_that_is_no_table_is_refused(tmp_path, text):
    write_run(tmp_path / "runs" / "a")
    _, table, _ = write_table(read_runs(tmp_path / "runs"), tmp_path)
    lines = table.read_text().splitlines()
    table.write_text(text or "\n".join([lines[0], lines[1].replace("9876", "many")]))
    if text == "no table":
        table.unlink()
    with pytest.raises(DataError, match=r"not a table of runs|cannot read"):
        with_earlier([], table)
