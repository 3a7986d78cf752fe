"""Networks that find faces are converted, verified, published and verified again, as the others are."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ConfigError, ModelError

pytestmark = pytest.mark.train

from edge.inference.contract import read_model  # noqa: E402
from edge.inference.network import Network  # noqa: E402
from quantize.cli.main import main  # noqa: E402
from quantize.conversion import calibration_set  # noqa: E402
from quantize.release import detector_release, publish  # noqa: E402
from train.data.mapped_array import MappedArray  # noqa: E402
from train.data.portraits import Portraits  # noqa: E402
from train.evaluation.predictions import predict  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.reports.evaluate_any import evaluate_any  # noqa: E402
from train.runs.archive import archive, restore  # noqa: E402
from train.runs.lookup import load_checkpoint  # noqa: E402
from train.training.fit import fit  # noqa: E402

SIZES = {"proposal": 64, "refinement": 32}


@pytest.fixture(scope="module", autouse=True)
def few_crops(tmp_path_factory):
    """Crops that toy networks are calibrated, evaluated and fine-tuned with in seconds."""
    lists = tmp_path_factory.mktemp("lists")
    for task in SIZES:
        (lists / f"{task}.json").write_text('{"seed": 1, "count": 32}')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration_set, "LISTS", lists)
        patch.setattr(detector_release, "CROPS", {"proposal": 24, "refinement": 80})
        patch.setattr(detector_release, "_TUNING_CROPS", {"proposal": 128, "refinement": 128})
        yield


@pytest.fixture(scope="module")
def runs(face_run, refinement_recipe, toy_faces, tmp_path_factory):
    """A folder with an evaluated run for each task."""
    folder = tmp_path_factory.mktemp("runs")
    shutil.copytree(face_run, folder / "proposal")
    fit(refinement_recipe, toy_faces, folder / "refinement")
    for task in SIZES:
        for split in ("val", "train"):
            evaluate_any(toy_faces, folder / task, split)
    return folder


@pytest.fixture(scope="module")
def published(runs, toy_faces, tmp_path_factory):
    """A models/ with both networks, and {task: contract}."""
    folder = tmp_path_factory.mktemp("models")
    # Hardly trained networks round badly at the crops that are hardest for them.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("quantize.verification.face_fidelity.LARGEST_LOSS", 0.2)
        patch.setattr(
            "quantize.verification.face_fidelity.LEAST_AGREEMENT", {"proposal": 0.3, "refinement": 0.8}
        )
        yield folder, {task: publish.publish([runs / task], toy_faces, folder) for task in SIZES}


@pytest.mark.parametrize("task", SIZES)
def test_the_device_opens_what_is_published(published, runs, toy_faces, task):
    folder, contracts = published
    contract, name = contracts[task], f"{task}_sepnet_{SIZES[task]}_int8"
    assert read_model(folder / f"{name}.json")[0] == contract
    assert (contract.task, contract.size, contract.output_kind) == (task, SIZES[task], "detection")
    assert contract.framing.margin == (1.25 if task == "refinement" else 1.0)
    network = Network.open(folder / f"{name}.tflite", task)
    crops = np.random.default_rng(0).integers(0, 256, (20, SIZES[task], SIZES[task]), dtype=np.uint8)
    outputs = np.array(
        [(network.run(crop).astype(float) - network.zero_point) * network.scale for crop in crops]
    )
    checkpoint = contract.training["provenance"]["checkpoint"]
    expected = predict(load_checkpoint(runs / task, checkpoint), crops[..., np.newaxis])
    assert outputs.shape == expected.shape
    assert np.corrcoef(outputs.ravel(), expected.ravel())[0, 1] > 0.97


def test_the_proposal_network_reads_pictures_of_other_sizes(published):
    folder, contracts = published
    network = Network.open(folder / f"{contracts['proposal'].name}.tflite", "proposal", size_hw=(24, 40))
    assert network.run(np.zeros((24, 40), np.uint8)).shape == (3, 5, 4)


@pytest.mark.parametrize("task", SIZES)
def test_contract_and_card_say_what_was_measured_and_from_what(published, task):
    folder, contracts = published
    contract = contracts[task]
    figures = contract.figures["val"]
    assert figures["int8"]["split"] == "toy scenes val"
    assert figures["int8"]["count"] == {"proposal": 24, "refinement": 80}[task]
    assert contract.training["train split"].startswith(
        "18 pictures, 6 of them without any face; 12 clear faces"
    )
    assert contract.training["calibration"].startswith("32 random crops of the training split, seed 1")
    assert contract.training["goes on from"] == "random weights"
    assert contract.training["counter-examples mined by"] == "no network"
    assert (contract.temperature == 1) == (task == "proposal")
    card = (folder / f"{contract.name}.md").read_text()
    for text in (
        contract.sha256,
        f"{contract.parameters:,} weights",
        contract.training["checkpoint"],
        "toy scenes val",
    ):
        assert text in card
    for name, band in figures["int8"]["bands"].items():
        assert f"| {name} | {band['count']:,} | " in card
    assert "provenance" not in card


@pytest.mark.parametrize("task", SIZES)
def test_an_archived_run_gives_the_same_file(published, runs, toy_faces, tmp_path, task):
    folder, contracts = published
    archive(runs / task, tmp_path / "run.zip")
    restore(tmp_path / "run.zip", tmp_path / task)
    (models := tmp_path / "models").mkdir()
    again = publish.publish([tmp_path / task], toy_faces, models)
    name = contracts[task].name
    for suffix in (".tflite", ".json", ".md"):
        assert (models / f"{name}{suffix}").read_bytes() == (folder / f"{name}{suffix}").read_bytes()
    assert again == contracts[task]
    with pytest.raises(ConfigError, match="exists; say --overwrite"):
        publish.publish([tmp_path / task], toy_faces, models)


@pytest.mark.parametrize("task", SIZES)
def test_the_command_verifies_a_published_file(published, runs, toy_faces, monkeypatch, capsys, task):
    folder, contracts = published
    monkeypatch.setattr("quantize.cli.verify.load_for_run", lambda *_: toy_faces)
    file = folder / f"{contracts[task].name}.tflite"
    assert main(["verify", str(file), "--runs", str(runs), "--layers"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"{contracts[task].parameters} parameters, no float tensor" in lines[0]
    assert json.loads(lines[1])["decision_agreement"] == contracts[task].figures["val"]["decision_agreement"]
    assert ("reads images of 64x64, 160x96, 320x240 alike" in lines[2]) == (task == "proposal")
    assert any("4 thread(s): same decision" in line for line in lines)
    assert sum(" dB " in line for line in lines) > 5
    assert "mini_xception at 64x64 in int8" in lines[-1]


def test_the_refinement_network_is_measured_by_group_of_people(published, runs, toy_faces, tmp_path):
    images = MappedArray.store(tmp_path / "portraits.npy", toy_faces.val.images.image(0)[None, :96, :96])
    portraits = Portraits(images, (47.5, 47.5), 40.0, "p", {"toy young": np.ones(1, np.bool_)})
    data = replace(toy_faces, val=replace(toy_faces.val, portraits=(portraits,)))
    (models := tmp_path / "models").mkdir()
    contract = publish.publish([runs / "refinement"], data, models)
    assert contract.figures["val"]["groups"]["toy young"]["count"] == 1
    assert "| toy young | " in (models / f"{contract.name}.md").read_text()
    assert "groups" not in published[1]["refinement"].figures["val"]


def test_the_better_of_two_runs_is_shipped(published, runs, toy_faces, tmp_path):
    (blind := tmp_path / "blind").mkdir()
    shutil.copy(runs / "refinement" / "run.json", blind)
    model = load_checkpoint(runs / "refinement")
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    model.save(blind / "best.keras")
    (models := tmp_path / "models").mkdir()
    contract = publish.publish([blind, runs / "refinement"], toy_faces, models)
    assert contract.training["run"] == "refinement"
    assert contract.figures["runs"]["refinement"] > contract.figures["runs"]["blind"] == 0


def test_a_network_that_is_not_faithful_is_fine_tuned(published, runs, toy_faces, tmp_path, monkeypatch):
    copy = tmp_path / "refinement"
    shutil.copytree(runs / "refinement", copy)
    monkeypatch.setattr(publish, "is_faithful", lambda _: False)
    contract = publish.publish([copy], toy_faces, tmp_path)
    assert contract.training["provenance"]["fine_tuned"] == "tuned.keras"
    assert (copy / "tuned.keras").exists()


def test_another_networks_file_is_refused(published, runs, toy_faces, tmp_path, monkeypatch):
    folder, contracts = published
    other = tmp_path / "other"
    shutil.copytree(runs / "refinement", other)
    model = load_checkpoint(other)
    untrained = build_like(model, runs / "refinement")
    untrained.save(other / contracts["refinement"].training["provenance"]["checkpoint"])
    monkeypatch.setattr("quantize.cli.verify.load_for_run", lambda *_: toy_faces)
    file = str(folder / f"{contracts['refinement'].name}.tflite")
    monkeypatch.setattr("quantize.verification.face_fidelity.LEAST_AGREEMENT", {"refinement": 0.98})
    assert main(["verify", file, "--run", str(other)]) == ModelError.exit_code


def build_like(model, run):
    from train.models.spec import spec_from_dict
    from train.runs.lookup import read_settings

    new = build(spec_from_dict(read_settings(run)["recipe"]["spec"]))
    new.get_layer("body").get_layer("logits").bias.assign([5.0, 0, 0, 0, 0, 0, 0])  # everything is a face
    return new
