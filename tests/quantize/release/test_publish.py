"""Publishing converts a run's checkpoints, verifies the best one, and writes it into models/ or nothing."""

import json
import shutil

import numpy as np
import pytest

from edge.errors import ConfigError, DataError, ModelError, OutputError

pytestmark = pytest.mark.train

from edge.inference.classifier import Classifier  # noqa: E402
from edge.inference.contract import read_model  # noqa: E402
from quantize.release import acceptance, classifier_release, publish, quantized_run  # noqa: E402
from quantize.release.provenance import read_provenance  # noqa: E402
from quantize.verification.fidelity import Comparison, check_file  # noqa: E402
from train.evaluation.predictions import predict  # noqa: E402
from train.models.weights_hash import weights_digest  # noqa: E402
from train.runs.lookup import load_checkpoint  # noqa: E402


@pytest.fixture
def models(tmp_path):
    """An empty models/."""
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def published(run, toy, lists, tmp_path_factory):
    """A models/ with the toy network, and its contract."""
    folder = tmp_path_factory.mktemp("published")
    return folder, publish.publish([run], toy, folder)


def test_file_contract_and_card_are_written_and_opened_by_the_device(published, run, toy):
    folder, contract = published
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{contract.name}{suffix}" for suffix in (".json", ".md", ".tflite")
    ]
    stored, _ = read_model(folder / f"{contract.name}.json")
    assert stored == contract
    classifier = Classifier(folder / f"{contract.name}.tflite", "emotion")
    scores = np.array([classifier.classify(image).values for image in toy.images[:50]])
    checkpoint = read_provenance(contract).checkpoint
    logits = predict(load_checkpoint(run, checkpoint), toy.images[:50, ..., np.newaxis])
    assert (scores.argmax(axis=1) == logits.argmax(axis=1)).mean() > 0.9
    assert contract.figures["val"]["int8"]["count"] == 140
    assert contract.training["goes on from"] == "random weights"


def test_the_card_holds_the_figures_and_texts_of_the_contract(published):
    folder, contract = published
    card = (folder / f"{contract.name}.md").read_text()
    assert contract.sha256 in card
    assert f"{contract.figures['val']['int8']['accuracy']:.1%}" in card
    assert contract.training["checkpoint"] in card
    assert "provenance" not in card  # which repeats the texts for programs


def test_the_contract_is_json_a_person_can_read(published):
    folder, contract = published
    stored = json.loads((folder / f"{contract.name}.json").read_text())
    assert stored["input"] == {
        "height": 16,
        "width": 16,
        "channels": 1,
        "dtype": "uint8",
        "range": [-1.0, 127 / 128],
    }
    assert stored["training"]["command"] == "python -m train restore && make quantize OVERWRITE=1"


def test_files_are_replaced_on_request_only_and_equal_runs_give_equal_files(published, run, toy):
    folder, contract = published
    file = folder / f"{contract.name}.tflite"
    before = file.read_bytes()
    with pytest.raises(ConfigError, match="exists; say --overwrite"):
        publish.publish([run], toy, folder)
    file.write_bytes(b"another network")
    publish.publish([run], toy, folder, overwrite=True)
    assert file.read_bytes() == before


def test_the_checkpoint_that_is_more_accurate_in_int8_is_shipped(run, toy, tmp_path, models, lists):
    better = tmp_path / "better"
    better.mkdir()
    for name in ("run.json", "final.keras"):
        shutil.copy(run / name, better)
    untrained = load_checkpoint(run)
    untrained.set_weights([np.zeros_like(weight) for weight in untrained.get_weights()])
    untrained.save(better / "best.keras")
    contract = publish.publish([better], toy, models)
    assert contract.training["checkpoint"].startswith("final.keras")
    assert contract.figures["val"]["int8"]["accuracy"] > 0.2


def test_a_network_that_models_may_not_hold_is_left_out(
    run, toy, tmp_path, models, lists, monkeypatch, caplog
):
    large = tmp_path / "large"
    shutil.copytree(run, large)
    monkeypatch.setattr(quantized_run, "check_file", refuse_first(2))  # its best and its final checkpoint
    contract = publish.publish([large, run], toy, models)
    assert contract.training["run"] == run.name
    assert list(contract.figures["runs"]) == [run.name]
    assert f"left out: {large / 'best.keras'}: too many" in caplog.text
    monkeypatch.setattr(quantized_run, "check_file", refuse_first(2))
    with pytest.raises(ModelError, match="too many"):
        publish.publish([large], toy, models, overwrite=True)


def refuse_first(count):
    errors = [ModelError("too many")] * count

    def check(contents, contract):
        if errors:
            raise errors.pop()
        check_file(contents, contract)

    return check


def test_a_network_that_fails_verification_is_not_written(run, toy, models, lists, monkeypatch):
    # With these scores, the int8 file predicts the first label for every face.
    monkeypatch.setattr(
        classifier_release, "scores_of", lambda _, crops: np.tile(np.eye(7)[0], (len(crops), 1))
    )
    with pytest.raises(ModelError, match=r"int8 reads 14\.29% right"):
        publish.publish([run], toy, models)
    assert list(models.iterdir()) == []


def test_a_network_that_is_not_faithful_is_fine_tuned_before_it_ships(run, toy, models, lists, monkeypatch):
    comparisons: list[Comparison] = []
    monkeypatch.setattr(publish, "is_faithful", comparisons.append)  # returns None: not faithful
    contract = publish.publish([run], toy, models)
    assert len(comparisons) == 1
    stored, _ = read_model(models / f"{contract.name}.tflite")
    tuned = run / "tuned.keras"
    assert stored.training["fine-tuned"].endswith(f"tuned.keras, weights {weights_digest(tuned)}")
    assert "2 epochs with rounding" in (models / f"{contract.name}.md").read_text()
    assert contract.figures["val"]["top1_agreement"] >= 0.97
    lines = list(acceptance.accept(models / f"{contract.name}.tflite", run, toy, layers=True))
    decibels = [float(line.split()[0]) for line in lines[3].splitlines()]
    assert min(decibels) > 15
    tuned.unlink()  # its tensors, and not those of the checkpoint, were rounded and are compared
    with pytest.raises(DataError, match=r"tuned\.keras"):
        list(acceptance.accept(models / f"{contract.name}.tflite", run, toy, layers=True))


def test_a_disk_that_fills_leaves_models_unchanged(run, toy, small_disk, lists):
    old = small_disk / "emotion_sepnet_16_int8.tflite"
    old.write_bytes(b"an older network")
    (small_disk / "other").write_bytes(bytes(8192))
    with pytest.raises(OutputError, match=r"cannot write into .*: No space left on device; it is as it was"):
        publish.publish([run], toy, small_disk, overwrite=True)
    assert sorted(path.name for path in small_disk.iterdir()) == [old.name, "other"]
    assert old.read_bytes() == b"an older network"


@pytest.mark.parametrize("missing", ["run.json", "best.keras"])
def test_an_incomplete_run_is_refused(run, toy, tmp_path, lists, missing):
    folder = tmp_path / "partial"
    folder.mkdir()
    for name in {"run.json", "best.keras"} - {missing}:
        shutil.copy(run / name, folder)
    with pytest.raises(DataError, match=r"no trained .*make train") as caught:
        publish.publish([folder], toy, tmp_path)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(("name", "content"), [("run.json", b"{"), ("best.keras", b"no checkpoint")])
def test_a_damaged_run_is_refused(run, toy, tmp_path, lists, name, content):
    folder = tmp_path / "damaged"
    folder.mkdir()
    for each in ("run.json", "best.keras"):
        shutil.copy(run / each, folder)
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match="train anew"):
        publish.publish([folder], toy, tmp_path)
