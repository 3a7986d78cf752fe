"""Training of networks that find faces, on drawn ones: it learns, and resumes to the same weights."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from train.training.epochs import Checkpoints  # noqa: E402
from train.training.face_detection import FaceDetection  # noqa: E402
from train.training.fit import fit  # noqa: E402


def weights_of(run, name):
    return keras.models.load_model(run / name).get_weights()


def assert_same_runs(left, right):
    for name in ("best.keras", "final.keras"):
        for one, other in zip(weights_of(left, name), weights_of(right, name), strict=True):
            np.testing.assert_array_equal(one, other)
    logs = [
        [line.rsplit(",", 1)[0] for line in (run / "log.csv").read_text().splitlines()]
        for run in (left, right)
    ]
    assert logs[0] == logs[1]


def test_a_run_records_what_decided_it(face_run, toy_faces, proposal_recipe):
    stored = json.loads((face_run / "run.json").read_text())
    assert stored["recipe"]["crops"] == 96
    assert stored["recipe"]["photometry"]["blur_px"] == 1.2
    assert stored["data"] == {"name": "toy scenes", "rows": 36, "fingerprint": toy_faces.fingerprint()}
    assert set(stored["beside"]) == {"hard negatives, train", "hard negatives, val"}
    assert stored["labels"] == ["face", "dx", "dy", "size"]
    assert stored["parameters"] == proposal_recipe.spec.stored_parameters()
    header, *lines = (face_run / "log.csv").read_text().splitlines()
    assert header == "epoch,learning_rate,loss,val_loss,val_average_precision,val_recall,seconds"
    assert len(lines) == 3


@pytest.mark.parametrize("kind", ["proposal", "refinement"])
def test_an_interrupted_run_resumes_to_the_same_weights(
    kind, interrupted_after, toy_faces, proposal_recipe, refinement_recipe, face_run, tmp_path
):
    recipe = {"proposal": proposal_recipe, "refinement": refinement_recipe}[kind]
    whole = face_run
    if kind == "refinement":
        whole = tmp_path / "whole"
        fit(recipe, toy_faces, whole)
    with interrupted_after("broken 2/3"):
        fit(recipe, toy_faces, tmp_path / "broken")
    fit(recipe, toy_faces, tmp_path / "broken")
    assert_same_runs(whole, tmp_path / "broken")


def test_a_proposal_network_learns(toy_faces, proposal_recipe, tmp_path):
    recipe = replace(proposal_recipe, epochs=12, crops=320, validation_crops=40)
    fit(recipe, toy_faces, tmp_path / "run")
    rows = [line.split(",") for line in (tmp_path / "run" / "log.csv").read_text().splitlines()[1:]]
    precision = [float(row[4]) for row in rows]
    assert precision[0] < 0.1
    assert max(precision) > 0.3
    assert float(rows[-1][3]) < 0.5 * float(rows[0][3])


def test_a_refinement_network_learns(toy_faces, refinement_recipe, tmp_path):
    recipe = replace(refinement_recipe, epochs=8, crops=640, validation_crops=200)
    fit(recipe, toy_faces, tmp_path / "run")
    lines = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert lines[0] == "epoch,learning_rate,loss,val_loss,val_log_average_recall,val_recall,seconds"
    assert max(float(line.split(",")[4]) for line in lines[1:]) > 0.6


def test_a_folder_of_another_run_is_refused(toy_faces, proposal_recipe, face_run):
    for change in ({"seed": 2}, {"crops": 97}, {"photometry": replace(proposal_recipe.photometry, dim=0)}):
        with pytest.raises(ConfigError, match="holds a run with another recipe"):
            fit(replace(proposal_recipe, **change), toy_faces, face_run)
    swapped = replace(toy_faces, train=toy_faces.val, val=toy_faces.train)
    with pytest.raises(ConfigError, match="holds a run with another data"):
        fit(proposal_recipe, swapped, face_run)


def test_data_of_another_kind_is_refused(toy, toy_recipe, toy_faces, proposal_recipe, tmp_path):
    with pytest.raises(ConfigError, match="tiny-proposal: toy is no data for proposal"):
        fit(proposal_recipe, toy, tmp_path / "run")
    with pytest.raises(ConfigError, match="toy: toy scenes is no data for emotion"):
        fit(toy_recipe, toy_faces, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_starts_from_another_runs_weights(toy_faces, proposal_recipe, face_run, tmp_path):
    later = replace(proposal_recipe, epochs=1, learning_rate=1e-9, seed=5)
    model = fit(later, toy_faces, tmp_path / "later", Checkpoints(face_run / "best.keras"))
    before = keras.models.load_model(face_run / "best.keras")
    for left, right in zip(before.trainable_variables, model.trainable_variables, strict=True):
        np.testing.assert_allclose(np.asarray(left), np.asarray(right), atol=1e-5)


def test_the_validation_loss_is_that_of_the_validation_crops(toy_faces, proposal_recipe):
    keras.utils.set_random_seed(1)
    objective = FaceDetection(proposal_recipe, toy_faces, Checkpoints())
    model = objective.compiled_model()
    crops = objective._evaluation.crops
    figures = objective.validate(model)
    expected = model.evaluate(crops.images[..., None], crops.targets, batch_size=24, verbose=0)
    assert figures["val_loss"] == pytest.approx(float(np.ravel(expected)[0]), rel=1e-5)
    assert set(figures) == {"val_loss", "val_average_precision", "val_recall"}


def test_parameters_are_those_of_the_file(toy_faces, proposal_recipe, refinement_recipe):
    from quantize.conversion.converter import to_int8
    from quantize.tflite.inspect import read_contents
    from tests.support.random_weights import randomize_weights
    from train.models.sepnet import build

    for recipe in (proposal_recipe, refinement_recipe):
        model = randomize_weights(build(recipe.spec))
        images = np.random.default_rng(0).integers(0, 256, (20, recipe.spec.size, recipe.spec.size), np.uint8)
        stored = read_contents(to_int8(model, images)).parameters
        assert recipe.spec.stored_parameters() == stored


def test_channels_of_both_networks_can_be_grouped(proposal_recipe, refinement_recipe):
    from quantize.pruning.channel_groups import channel_groups
    from train.models.sepnet import build

    groups = channel_groups(build(proposal_recipe.spec).get_layer("body"))
    assert [group.name for group in groups] == ["stem", "stage0_block0_pointwise", "stage1_block0_pointwise"]
    assert groups[-1].producers == ("stage1_block0_pointwise", "stage1_block1_pointwise")
    assert [group.width for group in groups] == [4, 8, 8]
    names = [group.name for group in channel_groups(build(refinement_recipe.spec).get_layer("body"))]
    assert names == ["stem", "stage0_block0_pointwise", "stage1_block0_pointwise", "head"]
