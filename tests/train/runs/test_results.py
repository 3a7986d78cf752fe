"""Figures of finished runs; unfinished and damaged runs are left out with a line in the log."""

import csv
import json

import pytest

from edge.errors import DataError
from tests.support.runs import write_run
from train.reports.comparison import write_table
from train.runs.results import read_log, read_object, read_runs, with_earlier


def change(file, **values):
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_a_run_has_its_figures_from_all_files(tmp_path):
    write_run(tmp_path / "group" / "a", train=0.974, accuracy=0.57, int8=0.568)
    (row,) = read_runs(tmp_path)
    assert (row.folder, row.recipe, row.seed) == ("group/a", "a", 1)
    assert (row.split, row.count, row.macro_f1) == ("FER-2013 val", 3579, 0.4)
    assert (row.parameters, row.multiply_accumulates) == (9876, 1_900_000)
    assert (row.training_accuracy, row.training_plain) == (0.974, True)
    assert (row.validation_accuracy, row.int8_accuracy) == (0.57, 0.568)
    assert row.gap == pytest.approx(0.404)


def test_without_figures_of_training_the_logs_last_line_is_taken(tmp_path):
    write_run(tmp_path / "a")
    (row,) = read_runs(tmp_path)
    assert (row.training_accuracy, row.training_plain, row.int8_accuracy) == (0.75, False, None)


def test_the_epochs_wanted_are_the_registered_recipes(tmp_path):
    write_run(tmp_path / "sequential", "sequential")
    write_run(tmp_path / "unknown", "unknown")
    epochs = {row.recipe: (row.epochs, row.epochs_wanted) for row in read_runs(tmp_path)}
    assert epochs == {"sequential": (2, 30), "unknown": (2, 8)}


def test_settings_are_equal_for_runs_that_differ_in_the_seed_alone(tmp_path):
    write_run(tmp_path / "a", seed=1)
    write_run(tmp_path / "b", seed=2)
    write_run(tmp_path / "c", "other")
    first, second, other = read_runs(tmp_path)
    assert first.settings == second.settings != other.settings


def test_unfinished_and_damaged_runs_are_left_out_with_a_line(tmp_path, caplog):
    for name in ("good", "unfinished", "damaged", "high", "boolean", "logged"):
        write_run(tmp_path / name)
    (tmp_path / "unfinished" / "val.json").unlink()
    (tmp_path / "damaged" / "run.json").write_text("{")
    change(tmp_path / "high" / "val.json", accuracy=7)
    change(tmp_path / "boolean" / "run.json", parameters=True)
    (tmp_path / "logged" / "log.csv").write_text("epoch,accuracy,val_accuracy\n1,3,0.3\n")
    (tmp_path / "cache").mkdir()
    assert [row.folder for row in read_runs(tmp_path)] == ["good"]
    for message in (
        "unfinished: unfinished, no val.json",
        "run.json: not JSON",
        "val.json: accuracy 7; expected 0 to 1",
        "run.json: parameters True; expected a whole number of 1 or more",
        "log.csv: accuracy 3.0, expected 0 to 1",
    ):
        assert message in caplog.text


def test_the_steps_of_a_pruning_are_no_runs_even_before_it_is_finished(tmp_path, caplog):
    write_run(tmp_path / "good")
    for step in ("01", "02"):
        write_run(tmp_path / "pruned" / "steps" / step)
        (tmp_path / "pruned" / "steps" / step / "val.json").unlink()  # steps are not evaluated
    (tmp_path / "pruned" / "plan.json").write_text("{}")
    assert [row.folder for row in read_runs(tmp_path)] == ["good"]
    assert caplog.text == ""


def test_a_network_that_cannot_be_converted_has_no_int8_accuracy(tmp_path):
    write_run(tmp_path / "a")
    (tmp_path / "a" / "int8.json").write_text('{"error": "no int8 form of this operator"}')
    (row,) = read_runs(tmp_path)
    assert row.int8_accuracy is None


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        read_runs(tmp_path / "none")


def test_runs_of_an_earlier_table_are_added_unless_they_were_trained_again(tmp_path):
    write_run(tmp_path / "old" / "a", "a", accuracy=0.5, train=0.7)
    write_run(tmp_path / "old" / "b", "b", accuracy=0.6, int8=0.59)
    before = read_runs(tmp_path / "old")
    _, table, _ = write_table(before, tmp_path)
    assert with_earlier([], table) == before
    write_run(tmp_path / "new" / "b", "b", accuracy=0.7)
    write_run(tmp_path / "new" / "b-long", "b", accuracy=0.8)
    write_run(tmp_path / "new" / "b-seed2", "b", seed=2, accuracy=0.65)
    write_run(tmp_path / "new" / "a", "a", accuracy=0.4)
    change(tmp_path / "new" / "a" / "val.json", split="another val")
    rows = with_earlier(read_runs(tmp_path / "new"), table)
    assert [(row.split, row.recipe, row.seed, row.validation_accuracy) for row in rows] == [
        ("FER-2013 val", "a", 1, 0.5),
        ("FER-2013 val", "b", 1, 0.7),
        ("FER-2013 val", "b", 1, 0.8),
        ("FER-2013 val", "b", 2, 0.65),
        ("another val", "a", 1, 0.4),
    ]


def test_a_run_that_began_elsewhere_does_not_take_the_place_of_an_earlier_one(tmp_path):
    write_run(tmp_path / "old" / "a", "a", accuracy=0.5)
    write_run(tmp_path / "old" / "b", "a", accuracy=0.6, start="first")
    _, table, _ = write_table(read_runs(tmp_path / "old"), tmp_path)
    write_run(tmp_path / "new" / "b", "a", accuracy=0.7, start="first")
    rows = with_earlier(read_runs(tmp_path / "new"), table)
    assert sorted((row.start, row.validation_accuracy) for row in rows) == [("", 0.5), ("first", 0.7)]


def test_what_pruning_left_began_with_its_own_last_step(tmp_path):
    write_run(tmp_path / "a", start="parent")
    write_run(tmp_path / "b", start="parent")
    (tmp_path / "b" / "plan.json").write_text("{}")
    assert [row.start for row in read_runs(tmp_path)] == ["parent", ""]


def test_imagenets_weights_are_a_start(tmp_path):
    for name, pretrained in (("a", True), ("b", False)):
        write_run(tmp_path / name, name)
        spec = {"architecture": "vgg16", "pretrained": pretrained}
        change(tmp_path / name / "run.json", recipe={"name": name, "epochs": 8, "seed": 1, "spec": spec})
    assert [row.start for row in read_runs(tmp_path)] == ["ImageNet", ""]


def test_an_earlier_table_without_starts_is_read(tmp_path):
    write_run(tmp_path / "a")
    before = read_runs(tmp_path)
    _, table, _ = write_table(before, tmp_path)
    with table.open(newline="") as text:
        lines = [dict(line) for line in csv.DictReader(text)]
    with table.open("w", newline="") as text:
        writer = csv.DictWriter(text, [name for name in lines[0] if name != "start"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)
    assert with_earlier([], table) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("recipe,seed\na,1\n", "not a table of runs"),
        ("recipe,seed\n", "not a table of runs"),
        ("", "not a table of runs"),
        ("header\nline", "not a table of runs .*'many'"),
        (None, "cannot read"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, text, message):
    write_run(tmp_path / "runs" / "a")
    _, table, _ = write_table(read_runs(tmp_path / "runs"), tmp_path)
    if text == "header\nline":
        text = table.read_text().replace("9876", "many")
    table.unlink()
    if text is not None:
        table.write_text(text)
    with pytest.raises(DataError, match=message):
        with_earlier([], table)


def test_a_logs_incomplete_last_line_is_ignored(tmp_path):
    (tmp_path / "log.csv").write_text("epoch,accuracy,val_accuracy\n1,0.3,0.3\n2,0.7")
    assert read_log(tmp_path / "log.csv") == [{"epoch": 1, "accuracy": 0.3, "val_accuracy": 0.3}]


def test_a_json_file_must_hold_an_object(tmp_path):
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(DataError, match=r"a\.json: expected an object"):
        read_object(tmp_path / "a.json")
    with pytest.raises(DataError, match=r"cannot read .*none\.json: No such file"):
        read_object(tmp_path / "none.json")
