"""Tables of finished runs: Markdown, CSV and the plot."""

import csv

import numpy as np
import pytest

from edge.errors import DataError
from tests.support.pictures import read_picture
from tests.support.runs import write_run
from train.reports.comparison import claims_table, markdown_table, seeds_table, write_table
from train.reports.comparison_plot import draw_table
from train.runs.results import read_runs


def cells_of(table, name):
    line = next(line for line in table.splitlines() if line.startswith(f"| {name} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_shows_a_runs_cost_and_accuracy(tmp_path):
    write_run(tmp_path / "a", train=0.974, accuracy=0.57, int8=0.568)
    assert cells_of(markdown_table(read_runs(tmp_path)), "a") == [
        "a", "9,876", "1.90 M", "2 of 8", "97.4%", "57.0%", "+40.4", "0.400", "56.8%",
    ]  # fmt: skip


def test_a_training_accuracy_of_the_log_is_marked(tmp_path):
    write_run(tmp_path / "a")
    table = markdown_table(read_runs(tmp_path))
    assert cells_of(table, "a")[4] == "75.0%\\*"
    assert "on changed pictures" in table


def test_seeds_are_joined_as_mean_and_half_range(tmp_path):
    for seed, accuracy in ((1, 0.60), (2, 0.62), (3, 0.61)):
        write_run(tmp_path / f"a-seed{seed}", seed=seed, accuracy=accuracy, train=0.7)
    rows = read_runs(tmp_path)
    assert cells_of(seeds_table(rows), "a")[1:6] == ["3", "9,876", "70.0 ± 0.0%", "61.0 ± 1.0%", "+9.0 ± 1.0"]
    assert [cells_of(markdown_table(rows), f"a, seed {seed}")[5] for seed in (1, 2, 3)] == [
        "60.0%",
        "62.0%",
        "61.0%",
    ]


def test_of_two_runs_with_the_same_seed_the_last_one_counts(tmp_path):
    write_run(tmp_path / "a1", seed=1, accuracy=0.5, train=0.7)
    write_run(tmp_path / "a2", seed=1, accuracy=0.6, train=0.7)
    assert cells_of(seeds_table(read_runs(tmp_path)), "a")[1:5] == ["1", "9,876", "70.0%", "60.0%"]


def test_what_authors_claim_stands_beside_what_was_reached_here(tmp_path):
    write_run(tmp_path / "tang", "tang", accuracy=0.57)
    write_run(tmp_path / "other", "other")
    rows = read_runs(tmp_path)
    claims = claims_table(rows)
    assert cells_of(claims, "tang") == [
        "tang", "75 % of a fifth of 11,179 pictures of its own choice", "57.0%", "2 of 20",
    ]  # fmt: skip
    assert "other" not in claims
    assert claims_table([row for row in rows if row.recipe == "other"]) == ""
    markdown, _, _ = write_table(rows, tmp_path)
    assert f"## What their authors claim\n\n{claims}\n" in markdown.read_text()


def test_runs_of_one_recipe_are_told_apart_by_what_they_began_from(tmp_path):
    write_run(tmp_path / "a", "tang", accuracy=0.3)
    write_run(tmp_path / "b", "tang", accuracy=0.6, start="first")
    write_run(tmp_path / "c", "c", start="first")
    rows = read_runs(tmp_path)
    for table, column in ((markdown_table(rows), 5), (seeds_table(rows), 4), (claims_table(rows), 2)):
        assert cells_of(table, "tang from random weights")[column] == "30.0%"
        assert cells_of(table, "tang from first")[column] == "60.0%"
    assert cells_of(markdown_table(rows), "c")[0] == "c"
    (axes,) = draw_table([[row] for row in rows], {}).axes
    assert axes.get_yticklabels()[-1].get_text().startswith("tang from first: ")


def test_the_files_hold_every_run_and_nothing_else_is_left(tmp_path):
    write_run(tmp_path / "runs" / "a", "a", train=0.7)
    write_run(tmp_path / "runs" / "b", "b", train=0.9)
    (tmp_path / "out").mkdir()
    markdown, table, plot = write_table(read_runs(tmp_path / "runs"), tmp_path / "out")
    assert sorted((tmp_path / "out").iterdir()) == sorted((markdown, table, plot))
    with table.open(newline="") as text:
        assert [row["recipe"] for row in csv.DictReader(text)] == ["a", "b"]
    assert "## Over seeds" not in markdown.read_text()
    assert read_picture(plot).shape[0] > 300
    with pytest.raises(DataError, match="no finished run"):
        write_table([], tmp_path / "out")


def test_the_best_recipe_is_on_top_with_a_mark_for_each_seed(tmp_path):
    for name, seed, accuracy in (("a", 1, 0.60), ("a", 2, 0.62), ("b", 1, 0.70)):
        write_run(tmp_path / f"{name}{seed}", name, seed, accuracy, train=0.8, int8=accuracy - 0.01)
    first, second, third = read_runs(tmp_path)
    (axes,) = draw_table([[third], [first, second]], {"FER-2013 val": "PublicTest"}).axes
    assert axes.get_title() == "PublicTest, 3,579 pictures"
    low, high = (label.get_text() for label in axes.get_yticklabels())
    assert low.startswith("a, 2 seeds: 9,876 parameters")
    assert high.startswith("b: 9,876 parameters")
    ends = (line.get_xydata() for line in axes.get_lines() if line.get_marker() == "o")
    marks = sorted((int(y), round(x)) for x, y in np.concatenate([*ends]))
    assert marks == [(0, 60), (0, 62), (0, 80), (0, 80), (1, 70), (1, 80)]
