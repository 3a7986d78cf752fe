"""A published file is checked against its parent, in every runtime, and for its size."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import DataError, ModelError

pytestmark = pytest.mark.train

from edge.inference.interpreter import installed_runtimes  # noqa: E402
from quantize.cli.main import main  # noqa: E402
from quantize.conversion.logit_adjustment import add_offsets  # noqa: E402
from quantize.conversion.tta import TestTimeAugmentation  # noqa: E402
from quantize.release import acceptance, publish, quantized_run  # noqa: E402

RUNTIMES = [name for name in installed_runtimes() if name != "tensorflow"]
from train.runs.lookup import load_checkpoint  # noqa: E402


@pytest.fixture(scope="module")
def shipped(toy, run, lists, tmp_path_factory):
    """A folder with a run that predicts one label too often, and models/ with the adjusted int8 file."""
    folder = tmp_path_factory.mktemp("shipped")
    (folder / "toy").mkdir()
    for name in ("best.keras", "final.keras"):
        model = load_checkpoint(run, name)
        add_offsets(model, np.array([2, 0, 0, 0, 0, 0, -2], np.float32))
        model.save(folder / "toy" / name)
    settings = json.loads((run / "run.json").read_text())
    settings["recipe"]["matching"] = 1.0
    (folder / "toy" / "run.json").write_text(json.dumps(settings))
    (folder / "models").mkdir()
    return folder, publish.publish([folder / "toy"], toy, folder / "models")


def test_a_good_file_passes_line_by_line(shipped, toy):
    folder, contract = shipped
    assert contract.training["run"] == "toy"
    lines = list(acceptance.accept(folder / "models" / f"{contract.name}.tflite", folder / "toy", toy))
    assert f"{contract.parameters} parameters, no float tensor; {contract.size_bytes} bytes" in lines[0]
    assert f'"top1_agreement": {contract.figures["val"]["top1_agreement"]}' in lines[1]
    for runtime in RUNTIMES:
        assert f"{runtime}, 4 thread(s): same decision" in lines[2]
    assert "latency: this file 1.00, its float form" in lines[3]


def test_the_command_compares_tensors_too(shipped, toy, monkeypatch, capsys):
    folder, contract = shipped
    monkeypatch.setattr("quantize.cli.verify.load_for_run", lambda *_: toy)
    file = folder / "models" / f"{contract.name}.tflite"
    assert main(["verify", str(file), "--run", str(folder / "toy"), "--layers"]) == 0
    printed = capsys.readouterr().out
    assert printed.count(" dB ") > 8
    assert printed.count("!") == 3
    assert "latency: this file 1.00" in printed


def test_another_parent_than_its_own_is_refused(shipped, toy, tmp_path):
    import keras

    folder, contract = shipped
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(folder / "toy" / "run.json", other)
    for name in ("best.keras", "final.keras"):
        model = keras.models.load_model(folder / "toy" / name)
        logits = model.get_layer("body").get_layer("logits")
        kernel, bias = logits.get_weights()
        logits.set_weights([kernel[:, [3, 0, 1, 2, 4, 5, 6]], bias])
        model.save(other / name)
    file = folder / "models" / f"{contract.name}.tflite"
    with pytest.raises(ModelError, match="of the faces the same label; expected at least 97%"):
        list(acceptance.accept(file, other, toy))  # it is more accurate than this parent: none was lost
    with pytest.raises(DataError, match="make train"):
        list(acceptance.accept(file, tmp_path / "none", toy))


def test_a_file_is_compared_with_the_views_that_it_was_made_with(shipped, toy, tmp_path, monkeypatch):
    folder, _ = shipped
    with monkeypatch.context() as earlier:  # another version of the package
        earlier.setattr(quantized_run, "tta_for", lambda _: TestTimeAugmentation(True, (14,)))
        earlier.setattr(quantized_run, "BY_NOISE", frozenset())
        made = publish.publish([folder / "toy"], toy, tmp_path)
    assert made.training["provenance"]["zooms"] == [14]
    assert made.training["provenance"]["by_noise"] is False
    lines = list(acceptance.accept(tmp_path / f"{made.name}.tflite", folder / "toy", toy))
    figures = json.loads(lines[1])
    for figure in ("float_accuracy", "top1_agreement", "largest_score_difference"):
        assert figures[figure] == made.figures["val"][figure], figure


def test_a_file_is_compared_by_values_and_not_by_texts(shipped, toy, tmp_path):
    folder, contract = shipped
    texts = dict.fromkeys(("checkpoint", "fine-tuned", "offsets of the logits", "reads"), "something else")
    other = replace(contract, training=contract.training | texts)
    other.write(tmp_path)
    file = tmp_path / f"{contract.name}.tflite"
    file.write_bytes((folder / "models" / file.name).read_bytes())
    figures = json.loads(list(acceptance.accept(file, folder / "toy", toy))[1])
    offsets = contract.training["provenance"]["logit_offsets"]
    assert contract.training["offsets of the logits"] == ", ".join(f"{round(each, 3)}" for each in offsets)
    assert min(offsets) < -0.1 < 0.1 < max(offsets)
    assert figures["top1_agreement"] == contract.figures["val"]["top1_agreement"]
    assert figures["largest_score_difference"] == contract.figures["val"]["largest_score_difference"]


def test_a_contract_that_does_not_say_what_its_file_was_made_of_is_refused(shipped, toy, tmp_path):
    folder, contract = shipped
    replace(contract, training={}).write(tmp_path)
    file = tmp_path / f"{contract.name}.tflite"
    shutil.copy(folder / "models" / file.name, file)
    with pytest.raises(ModelError, match=r"names no training\.checkpoint; expected .*'best\.keras'.*--run"):
        next(acceptance.accept(file, folder / "toy", toy))


def test_a_file_that_is_too_large_is_refused(shipped, toy, monkeypatch):
    folder, contract = shipped
    monkeypatch.setattr(acceptance, "LARGEST_FILE", 1000)
    with pytest.raises(ModelError, match=r"bytes, must be at most 1000"):
        next(acceptance.accept(folder / "models" / f"{contract.name}.tflite", folder / "toy", toy))
