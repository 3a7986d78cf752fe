"""`run` publishes the tasks that are named, and refuses before anything is read or pruned."""

import json
import shutil

import pytest

from edge.errors import ConfigError, DataError

pytestmark = pytest.mark.train

from quantize.cli.main import main  # noqa: E402
from quantize.conversion import calibration_set  # noqa: E402
from quantize.release import detector_release  # noqa: E402
from train.recipes.recipe_text import recipe_toml  # noqa: E402


@pytest.fixture
def folder(face_run, toy_faces, tmp_path, monkeypatch):
    """A folder with runs/, which has a finished proposal network, and an empty models/."""
    shutil.copytree(face_run, tmp_path / "runs" / "proposal")
    (tmp_path / "models").mkdir()
    (tmp_path / "proposal.json").write_text('{"seed": 1, "count": 16}')
    monkeypatch.setattr(calibration_set, "LISTS", tmp_path)
    monkeypatch.setattr(detector_release, "CROPS", {"proposal": 16})
    monkeypatch.setattr("quantize.verification.face_fidelity.LARGEST_LOSS", 0.3)
    monkeypatch.setattr("quantize.verification.face_fidelity.LEAST_AGREEMENT", {"proposal": 0.2})
    monkeypatch.setattr("quantize.cli.run.load_for", lambda *_: toy_faces)
    return tmp_path


def run(folder, *arguments):
    return main(["run", *arguments, "--runs", str(folder / "runs"), "--models", str(folder / "models")])


def test_a_finished_run_of_a_named_task_is_published(folder):
    assert run(folder, "proposal") == 0
    names = sorted(path.name for path in (folder / "models").iterdir())
    assert names == [f"proposal_sepnet_64_int8{suffix}" for suffix in (".json", ".md", ".tflite")]


def test_a_run_of_a_recipe_of_ones_own_is_published_under_its_name(folder, proposal_recipe):
    (folder / "any.toml").write_text(recipe_toml(proposal_recipe, "mine"))
    (folder / "runs" / "proposal").rename(folder / "runs" / "mine")
    settings = json.loads((folder / "runs" / "mine" / "run.json").read_text())
    settings["recipe"]["name"] = "mine"
    (folder / "runs" / "mine" / "run.json").write_text(json.dumps(settings))
    assert run(folder, str(folder / "any.toml")) == 0
    names = sorted(path.name for path in (folder / "models").iterdir())
    assert names == [f"mine_int8{suffix}" for suffix in (".json", ".md", ".tflite")]
    assert run(folder, str(folder / "any.toml")) == ConfigError.exit_code  # it exists
    assert run(folder, str(folder / "any.toml"), "--overwrite") == 0


@pytest.mark.parametrize(
    ("tasks", "code", "message"),
    [
        (
            ["faces"],
            ConfigError.exit_code,
            "no task 'faces'; expected one of emotion, gender, proposal, refinement",
        ),
        (["refinement"], DataError.exit_code, "no run of refinement in"),
    ],
)
def test_another_task_is_refused_in_one_line(folder, capsys, tasks, code, message):
    assert run(folder, *tasks) == code
    error = capsys.readouterr().err
    assert message in error
    assert not list((folder / "models").iterdir())


def test_a_file_that_exists_is_refused_before_the_data_is_read(folder, monkeypatch, capsys):
    monkeypatch.setattr("quantize.cli.run.load_for", None)
    (folder / "models" / "proposal_sepnet_128_int8.tflite").write_bytes(b"an older network")
    assert run(folder, "proposal") == ConfigError.exit_code
    assert "say --overwrite" in capsys.readouterr().err
