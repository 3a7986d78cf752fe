"""Archives of runs: a restored run is the same run, and damaged archives are refused."""

import json
import shutil
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ConfigError, DataError, OutputError
from edge.inference.contract import MODELS_FOLDER, find_model, read_model
from edge.labels import TASKS

pytestmark = pytest.mark.train

ARCHIVES = MODELS_FOLDER / "trained"


@pytest.fixture(scope="module")
def run(toy, toy_recipe, tmp_path_factory):
    from train.reports.evaluate_run import evaluate_run
    from train.training.fit import fit

    folder = tmp_path_factory.mktemp("archived") / "toy"
    recipe = replace(toy_recipe, epochs=2)
    fit(recipe, toy, folder)
    for split in ("val", "train"):
        evaluate_run(toy, folder, split)
    return recipe, folder


def test_a_restored_run_has_the_same_outputs_and_counts_as_trained(run, toy, tmp_path):
    from train.evaluation.predictions import predict
    from train.reports.evaluate_run import evaluate_run
    from train.runs.archive import archive, restore
    from train.runs.lookup import load_checkpoint
    from train.training.fit import fit

    recipe, folder = run
    archive(folder, tmp_path / "toy.zip")
    assert (tmp_path / "toy.zip").stat().st_size < 30_000
    restore(tmp_path / "toy.zip", tmp_path / "runs" / "toy")
    images = toy.images[:30, ..., np.newaxis]
    for name in ("best.keras", "final.keras"):
        before, after = (load_checkpoint(where, name) for where in (folder, tmp_path / "runs" / "toy"))
        np.testing.assert_array_equal(predict(before, images), predict(after, images))
    for name in ("run.json", "log.csv", "val.json", "train.json"):
        assert (tmp_path / "runs" / "toy" / name).read_bytes() == (folder / name).read_bytes()
    evaluate_run(toy, tmp_path / "runs" / "toy")  # its page is written without the plots of the other split
    # With other versions and another teacher it counts as trained all the same.
    settings = json.loads((tmp_path / "runs" / "toy" / "run.json").read_text())
    settings |= {"versions": {"keras": "3.0"}, "sources": {"emotion-teacher": "another"}}
    (tmp_path / "runs" / "toy" / "run.json").write_text(json.dumps(settings))
    log = (folder / "log.csv").read_text()
    fit(recipe, toy, tmp_path / "runs" / "toy")
    assert (tmp_path / "runs" / "toy" / "log.csv").read_text() == log
    assert json.loads((tmp_path / "runs" / "toy" / "run.json").read_text()) == settings
    with pytest.raises(ConfigError, match="another recipe"):
        fit(replace(recipe, epochs=3), toy, tmp_path / "runs" / "toy")


def test_all_archived_runs_are_restored_except_existing_ones(run, tmp_path, capsys):
    from train.cli.main import main

    where = ["--archives", str(tmp_path / "archives"), "--runs", str(tmp_path / "runs")]
    assert main(["restore", *where]) == DataError.exit_code
    shutil.copytree(run[1], tmp_path / "runs" / "b")
    (tmp_path / "archives").mkdir()
    assert main(["archive", "b", *where]) == 0  # the name of a folder, not of a recipe
    for name in "ac":
        shutil.copyfile(tmp_path / "archives" / "b.zip", tmp_path / "archives" / f"{name}.zip")
    assert main(["restore", *where]) == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["a", "b", "c"]
    assert (tmp_path / "runs" / "b" / "last.weights.h5").exists()  # the existing one
    assert not (tmp_path / "runs" / "a" / "last.weights.h5").exists()
    assert main(["archive", "nobody", *where]) == ConfigError.exit_code
    capsys.readouterr()
    assert main(["restore", "a", "d", *where]) == DataError.exit_code
    assert (
        capsys.readouterr().err.splitlines()[-1].endswith("no run 'd' in " + where[1] + "; expected a, b, c")
    )


def test_files_of_pruning_and_fine_tuning_are_archived_unchanged(run, tmp_path):
    from train.runs.archive import archive, restore

    names = ("plan.json", "steps.csv", "tuned.keras")
    folder = tmp_path / "pruned"
    shutil.copytree(run[1], folder)
    for name in names:
        (folder / name).write_bytes(name.encode() * 3)
    archive(folder, tmp_path / "pruned.zip")
    restore(tmp_path / "pruned.zip", tmp_path / "restored")
    assert [(tmp_path / "restored" / name).read_bytes() for name in names] == [
        name.encode() * 3 for name in names
    ]


def test_the_same_run_makes_the_same_archive(run, tmp_path):
    from train.runs.archive import archive

    for name in ("a.zip", "b.zip"):
        archive(run[1], tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_a_large_network_is_archived_once_in_half_precision(run, tmp_path):
    from train.models.sepnet import build
    from train.models.spec import TeacherSpec
    from train.runs.archive import archive, restore

    folder = tmp_path / "large"
    folder.mkdir()
    spec = TeacherSpec((16, 64, 96), classes=7, size=16)
    model = build(spec)
    assert model.count_params() > 100_000
    for name in ("best.keras", "final.keras"):
        model.save(folder / name)
    for name in ("log.csv", "val.json", "train.json"):
        (folder / name).write_bytes((run[1] / name).read_bytes())
    settings = json.loads((run[1] / "run.json").read_text())
    settings["recipe"]["spec"] = spec.__dict__
    (folder / "run.json").write_text(json.dumps(settings))
    archive(folder, tmp_path / "large.zip")
    assert (tmp_path / "large.zip").stat().st_size < 2 * model.count_params()
    restore(tmp_path / "large.zip", tmp_path / "restored")
    import keras

    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 1), dtype=np.uint8)
    expected = model.predict(images, verbose=0)
    for name in ("best.keras", "final.keras"):
        found = keras.models.load_model(tmp_path / "restored" / name).predict(images, verbose=0)
        np.testing.assert_allclose(found, expected, atol=2e-3)


def test_existing_folders_and_unevaluated_runs_are_refused(run, tmp_path):
    from train.runs.archive import archive, restore

    archive(run[1], tmp_path / "toy.zip")
    with pytest.raises(ConfigError, match="exists; remove it"):
        restore(tmp_path / "toy.zip", run[1])
    with pytest.raises(DataError, match=r"not a finished and evaluated run, no run\.json"):
        archive(tmp_path, tmp_path / "x.zip")
    with pytest.raises(DataError, match=r"not a finished and evaluated run, no val\.json"):
        shutil.copytree(run[1], tmp_path / "new", ignore=shutil.ignore_patterns("val.json"))
        archive(tmp_path / "new", tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()


def test_an_unfinished_run_is_resumed_elsewhere_to_the_same_weights(interrupted_after, run, toy, tmp_path):
    import keras

    from train.runs.archive import archive, restore
    from train.training.fit import fit

    with interrupted_after("toy 1/2: "):
        fit(run[0], toy, tmp_path / "begun" / "toy")
    archive(tmp_path / "begun" / "toy", tmp_path / "toy.zip")
    restore(tmp_path / "toy.zip", tmp_path / "moved" / "toy")
    assert [path.name for path in (tmp_path / "moved").iterdir()] == ["toy"]
    with pytest.raises(ConfigError, match="a run with another recipe"):
        fit(replace(run[0], learning_rate=0.1), toy, tmp_path / "moved" / "toy")
    fit(run[0], toy, tmp_path / "moved" / "toy")
    networks = [
        keras.models.load_model(folder / "final.keras").get_weights()
        for folder in (run[1], tmp_path / "moved" / "toy")
    ]
    for left, right in zip(*networks, strict=True):
        np.testing.assert_array_equal(left, right)


def test_an_archives_folder_is_created_or_the_error_is_reported(run, tmp_path):
    from train.runs.archive import archive

    archive(run[1], tmp_path / "new" / "folder" / "toy.zip")
    assert (tmp_path / "new" / "folder" / "toy.zip").exists()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"^cannot write .*/file/toy\.zip: File exists$"):
        archive(run[1], tmp_path / "file" / "toy.zip")


def test_the_newest_steps_of_a_long_pruning_are_archived(tmp_path):
    from train.runs.archive import archive

    steps = tmp_path / "run" / "steps"
    for number in (9, 98, 99, 100):
        (steps / f"{number:02d}").mkdir(parents=True)
        (steps / f"{number:02d}" / "run.json").write_text("{}")
        (steps / f"{number:02d}-cut.keras").write_text("")
    (steps / "partial-101-cut.keras").write_text("")
    archive(tmp_path / "run", tmp_path / "run.zip")
    with zipfile.ZipFile(tmp_path / "run.zip") as file:
        assert sorted(file.namelist()) == sorted(
            f"steps/{number}{name}" for number in (99, 100) for name in ("/run.json", "-cut.keras")
        )


@pytest.mark.parametrize(
    "harm", ["missing", "cut", "no zip", "another spec", "outside", "no log", "bits", "method"]
)
def test_a_damaged_archive_leaves_nothing_behind(run, tmp_path, harm):
    from train.runs.archive import archive, restore

    path = tmp_path / "toy.zip"
    archive(run[1], path)
    if harm == "missing":
        path.unlink()
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:-400])
    elif harm == "no zip":
        path.write_text("no zip")
    elif harm == "bits":
        spoiled = bytearray(path.read_bytes())
        with zipfile.ZipFile(path) as file:
            header = file.getinfo("log.csv").header_offset
        start = header + 30 + len("log.csv")
        spoiled[start : start + 8] = b"\xff" * 8  # no such kind of block in a deflated stream
        path.write_bytes(spoiled)
    elif harm == "method":
        spoiled = bytearray(path.read_bytes())
        spoiled[spoiled.index(b"PK\1\2") + 10] = 99  # an unknown method of compression
        path.write_bytes(spoiled)
    elif harm == "outside":
        with zipfile.ZipFile(path, "a") as file:
            file.writestr("../elsewhere", "")
    else:
        with zipfile.ZipFile(path) as file:
            contents = {name: file.read(name) for name in file.namelist()}
        settings = json.loads(contents["run.json"])
        if harm == "another spec":
            settings["recipe"]["spec"]["stem"] = 9
        contents["run.json"] = json.dumps(settings).encode()
        with zipfile.ZipFile(path, "w") as file:
            for name, content in contents.items():
                if harm != "no log" or name != "log.csv":
                    file.writestr(name, content)
    with pytest.raises(DataError, match="no archive of a run"):
        restore(path, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


@pytest.mark.parametrize("path", sorted(ARCHIVES.glob("*.zip")), ids=lambda path: path.stem)
def test_shipped_archives_have_the_registered_recipes(path):
    from train.recipes.registry import RECIPES
    from train.training.run_folder import with_defaults

    with zipfile.ZipFile(path) as file:
        recipe = json.loads(file.read("run.json"))["recipe"]
        if "plan.json" in file.namelist():  # a pruned network's recipe is its parent's with another spec
            recipe = json.loads(file.read("plan.json"))["recipe"]
    registered = json.loads(json.dumps(RECIPES[recipe["name"]].to_dict()))
    assert registered == with_defaults({"recipe": recipe})["recipe"]


@pytest.mark.parametrize("task", TASKS)
def test_shipped_models_were_made_from_the_weights_in_the_archives(task, tmp_path):
    from train.models.weights_hash import weights_digest
    from train.runs.archive import restore

    told = read_model(find_model(MODELS_FOLDER, task))[0].training
    run = tmp_path / told["run"]
    restore(ARCHIVES / f"{run.name}.zip", run)
    checkpoint, _, digest = told["checkpoint"].partition(", weights ")
    assert weights_digest(run / checkpoint) == digest
    if "fine-tuned" in told:
        assert told["fine-tuned"].endswith(f"tuned.keras, weights {weights_digest(run / 'tuned.keras')}")
