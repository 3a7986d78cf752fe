"""A run's folder: whose it is, its lock, and its log."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from edge.errors import ConfigError, DataError
from train.training.run_folder import (
    append_log,
    check_same,
    claim,
    is_restored,
    locked,
    rounded,
    truncate_log,
)

COLUMNS = (
    "epoch",
    "learning_rate",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "val_macro_f1",
    "seconds",
)


def row(epoch):
    return {name: epoch + 1 / 3 if name != "epoch" else epoch for name in COLUMNS}


def test_a_folder_is_claimed_once_and_by_equal_settings_again(tmp_path):
    folder = tmp_path / "new" / "run"
    claim(folder, {"recipe": (1, 2), "data": "a"}, {"parameters": 3})
    assert json.loads((folder / "run.json").read_text()) == {"recipe": [1, 2], "data": "a", "parameters": 3}
    claim(folder, {"recipe": (1, 2), "data": "a"}, {"parameters": 4})
    with pytest.raises(ConfigError, match="holds a run with another recipe, data; name another folder"):
        claim(folder, {"recipe": (1, 3), "data": "b"}, {})
    check_same(folder / "run.json", {"data": "a"})  # of what is not named, nothing is compared


def test_a_run_that_was_written_before_a_setting_existed_goes_on(toy_recipe, tmp_path):
    recipe = toy_recipe.to_dict()
    older = {key: value for key, value in recipe.items() if key not in ("spoiling", "appearances")}
    claim(tmp_path, {"recipe": older}, {})
    claim(tmp_path, {"recipe": recipe}, {})
    other = replace(toy_recipe, appearances=(1, 6, 1, 1, 1, 1, 1)).to_dict()
    with pytest.raises(ConfigError, match="holds a run with another recipe"):
        claim(tmp_path, {"recipe": other}, {})


def test_checkpoints_of_an_unknown_run_are_not_claimed(tmp_path):
    (tmp_path / "best.keras").write_bytes(b"somebody's")
    with pytest.raises(ConfigError, match=r"holds checkpoints but no plan\.json"):
        claim(tmp_path, {}, {}, "plan.json")
    assert [path.name for path in tmp_path.iterdir()] == ["best.keras"]


def test_a_lock_holds_against_other_processes_and_ends_with_its_process(tmp_path):
    code = (
        "import pathlib, sys; from train.training.run_folder import locked\\n"
        "with locked(pathlib.Path(sys.argv[1])): print('locked', flush=True); sys.stdin.read()"
    ).replace("\\n", "\n")
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(ConfigError, match="another process is training it"), locked(tmp_path):
            pass
        other.kill()
    with locked(tmp_path):
        pass


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ((), False),
        (("last.weights.h5",), False),
        (("final.keras", "last.weights.h5"), False),
        (("final.keras",), True),
    ],
)
def test_a_finished_run_without_optimizer_state_is_a_restored_one(tmp_path, files, expected):
    for name in files:
        (tmp_path / name).touch()
    assert is_restored(tmp_path) is expected


def test_the_log_of_an_earlier_version_keeps_its_columns(tmp_path):
    (tmp_path / "log.csv").write_text("epoch,old,val_loss\n1,7,0.5\n")
    append_log(tmp_path, {"epoch": 2, "val_loss": 0.25, "train_accuracy": 0.75})
    assert (tmp_path / "log.csv").read_text().splitlines() == ["epoch,old,val_loss", "1,7,0.5", "2,nan,0.25"]


def test_a_log_that_a_full_disk_left_empty_gets_its_header(tmp_path):
    (tmp_path / "log.csv").touch()
    append_log(tmp_path, row(1))
    assert (tmp_path / "log.csv").read_text().splitlines()[0] == ",".join(COLUMNS)


@pytest.mark.parametrize("text", ["[]", "{", '{"recipe": {"spec": {}}}', ""])
def test_a_damaged_description_of_a_run_is_one_line(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(DataError, match=r"run\.json: damaged .*; remove the folder"):
        check_same(tmp_path / "run.json", {"data": "a"})


def test_a_log_is_appended_to_and_truncated_to_finished_epochs(tmp_path):
    assert truncate_log(tmp_path, 0) == []
    for epoch in (1, 2, 3):
        append_log(tmp_path, row(epoch))
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[2].startswith("2,2.33333,")
    whole = (tmp_path / "log.csv").read_bytes()
    assert len(truncate_log(tmp_path, 3)) == 3
    assert (tmp_path / "log.csv").read_bytes() == whole
    (first,) = truncate_log(tmp_path, 1)
    assert first == {name: float(rounded(value)) for name, value in row(1).items()}
    assert (tmp_path / "log.csv").read_text().splitlines() == lines[:2]
    append_log(tmp_path, row(2))
    assert (tmp_path / "log.csv").read_text().splitlines() == lines[:3]
