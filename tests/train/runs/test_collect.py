"""A network from an accelerator becomes a run like a restored one, and can be archived."""

import io
import json
import zipfile
from dataclasses import asdict, replace

import numpy as np
import pytest

from edge.errors import ConfigError, DataError

pytestmark = pytest.mark.train

from train.models.sepnet import build  # noqa: E402
from train.reports.evaluate_any import evaluate_any  # noqa: E402
from train.runs.archive import archive, restore  # noqa: E402
from train.runs.collect import collect  # noqa: E402
from train.runs.lookup import load_checkpoint, read_settings  # noqa: E402
from train.runs.results import read_log  # noqa: E402
from train.training.fit import fit  # noqa: E402


@pytest.fixture
def delivered(toy_recipe, tmp_path):
    """What the program writes: a network, and the log of three epochs of which the last was validated."""
    model = build(toy_recipe.spec)
    content = io.BytesIO()
    np.savez(content, **{f"{index:04d}": weight for index, weight in enumerate(model.get_weights())})
    epochs = [
        {"epoch": number, "loss": [9.0, 2.0], "accuracy": [0.0, 0.4], "seconds": 0.1} for number in (1, 2)
    ]
    log = [*epochs, {**epochs[0], "epoch": 3, "clean": [0.0, 0.5]}]
    text = {"spec": asdict(toy_recipe.spec), "instance": {"seed": 1}, "index": 1, "log": log}
    path = tmp_path / "student.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("student.npz", content.getvalue())
        file.writestr("student.json", json.dumps(text))
    return path, model


def test_the_run_has_the_weights_the_log_and_what_the_program_was_set_to(
    delivered, toy, toy_recipe, tmp_path
):
    path, model = delivered
    run = tmp_path / "run"
    collect(path, "student", toy_recipe, toy, run)
    for ours, theirs in zip(load_checkpoint(run).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    settings = read_settings(run)
    assert settings["accelerated"] == {
        "instance": {"seed": 1},
        "index": 1,
        "datasets": ["FER-2013"],
    }
    assert settings["parameters"] == toy_recipe.spec.stored_parameters()
    log = read_log(run / "log.csv")
    assert [row["accuracy"] for row in log] == [0.4, 0.4, 0.4]
    assert np.isnan(log[0]["val_accuracy"])
    assert log[2]["val_accuracy"] == 0.5
    fit(toy_recipe, toy, run)  # is finished: nothing is trained
    evaluate_any(toy, run, "val")
    evaluate_any(toy, run, "train")
    archive(run, tmp_path / "run.zip")
    restore(tmp_path / "run.zip", tmp_path / "again")
    fit(toy_recipe, toy, tmp_path / "again")


def test_another_network_or_a_folder_that_exists_is_refused(delivered, toy, toy_recipe, tmp_path):
    path, _ = delivered
    other = replace(toy_recipe, spec=replace(toy_recipe.spec, head=5))
    with pytest.raises(ConfigError, match=r"student is a NetSpec.*, expected toy's"):
        collect(path, "student", other, toy, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").mkdir()
    with pytest.raises(ConfigError, match="exists; remove it"):
        collect(path, "student", toy_recipe, toy, tmp_path / "run")


@pytest.mark.parametrize("damage", ["missing", "no zip", "flipped", "other name"])
def test_a_file_without_the_network_is_refused(delivered, toy, toy_recipe, tmp_path, damage):
    path, _ = delivered
    if damage == "missing":
        path.unlink()
    if damage == "no zip":
        path.write_bytes(b"no zip")
    if damage == "flipped":
        content = bytearray(path.read_bytes())
        content[100:400] = bytes(byte ^ 0xFF for byte in content[100:400])
        path.write_bytes(content)
    name = "teacher" if damage == "other name" else "student"
    with pytest.raises(DataError, match=f"no network '{name}' of an accelerator in it"):
        collect(path, name, toy_recipe, toy, tmp_path / "run")
    assert not (tmp_path / "run").exists()
