"""What face networks are trained on, from files."""

import io
import tarfile

import numpy as np
import pytest

from edge.errors import ConfigError, DataError

pytestmark = pytest.mark.train

from tests.support.scene_fixtures import scenes_csv, toy_scene  # noqa: E402
from train.cli.main import main  # noqa: E402
from train.crops.sources import FaceData  # noqa: E402
from train.runs.face_inputs import load_faces  # noqa: E402
from train.runs.inputs import load_for, load_for_run  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    """A folder with scenes.tar, two images of each kind in each split."""
    scenes = [
        toy_scene(number + (100 if split == "val" else 0), split, kind)
        for split in ("train", "val")
        for kind in ("face", "none")
        for number in (1, 2)
    ]
    with tarfile.open(tmp_path / "scenes.tar", "w") as tar:
        contents = {scene.file: scene.encoded for scene in scenes}
        for name, content in {"scenes.csv": scenes_csv(scenes), **contents}.items():
            member = tarfile.TarInfo(f"scenes/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return tmp_path


def test_scenes_are_decoded_by_split_and_searched_if_the_recipe_asks_for_it(
    folder, proposal_recipe, refinement_recipe
):
    cache = folder / "cache"
    data = load_for(proposal_recipe, str(folder), cache)
    assert isinstance(data, FaceData)
    assert (data.name, len(data.train.images), len(data.val.images)) == ("scenes", 4, 4)
    assert not list(cache.glob("hard-negatives-*"))
    again = load_for(refinement_recipe, str(folder), cache)
    assert again.fingerprint() == data.fingerprint()
    assert len(list(cache.glob("hard-negatives-*"))) == 2
    np.testing.assert_array_equal(again.train.images.faces[0].roll, np.array([-3], np.float32))


def test_a_run_s_data_are_found_by_its_settings(folder, proposal_recipe):
    settings = {"recipe": proposal_recipe.to_dict()}
    data = load_for_run(settings, str(folder / "scenes.tar"), folder / "cache")
    assert isinstance(data, FaceData)
    assert len(data) == 8


def test_what_is_missing_is_named(folder, refinement_recipe, tmp_path):
    from dataclasses import replace

    with pytest.raises(DataError, match=r"no scenes in .*/empty': expected scenes\.tar there"):
        load_faces(refinement_recipe, str(tmp_path / "empty"), tmp_path)
    with_portraits = replace(refinement_recipe, portraits=("utkface",))
    with pytest.raises(DataError, match="no utkface data in"):
        load_faces(with_portraits, str(folder), folder / "cache")
    assert not (folder / "cache").exists()
    with pytest.raises(ConfigError, match="portraits of 'nobody'; expected utkface, lfw"):
        load_faces(replace(refinement_recipe, portraits=("nobody",)), str(folder), folder / "cache")


def test_the_command_line_trains_evaluates_and_reports(folder, proposal_recipe, monkeypatch, capsys):
    from dataclasses import replace

    from train.recipes.registry import RECIPES

    tiny = replace(proposal_recipe, name="proposal", crops=32, validation_crops=8)
    monkeypatch.setitem(RECIPES, "proposal", tiny)
    words = ["--data", str(folder), "--runs", str(folder / "runs")]
    assert main(["fit", "proposal", "--epochs", "1", *words]) == 0
    run = folder / "runs" / "proposal"
    assert {"best.keras", "final.keras", "report.html", "train.json", "val.json"} <= {
        path.name for path in run.iterdir()
    }
    (run / "val.json").unlink()
    assert main(["evaluate", "proposal", *words]) == 0
    assert (run / "val.json").exists()
    assert main(["evaluate", "proposal", "--dataset", "utkface", *words]) == 2
    assert "proposal finds faces; expected a network that reads a face" in capsys.readouterr().err
    assert main(["saliency", "proposal", *words]) == 2
    assert "proposal finds faces; expected a network that reads a face" in capsys.readouterr().err
