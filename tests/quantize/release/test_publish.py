"""Conversion, inspection, comparison and shipping, on a toy network that was trained for a moment."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ConfigError, DataError, ModelError, OutputError

pytestmark = pytest.mark.train

from edge.inference.classifier import Classifier  # noqa: E402
from edge.inference.contract import read_model  # noqa: E402
from edge.inference.preprocess import normalize_contrast  # noqa: E402
from quantize.conversion import calibration_set  # noqa: E402
from quantize.conversion.converter import scale_pixels, to_float, to_int8  # noqa: E402
from quantize.conversion.tta import TestTimeAugmentation  # noqa: E402
from quantize.release import publish, quantized_run  # noqa: E402
from quantize.tflite.inspect import read_contents  # noqa: E402
from quantize.verification.fidelity import check_faithful, check_file, compare_with_float  # noqa: E402
from train.evaluation.predictions import predict  # noqa: E402
from train.runs.lookup import load_checkpoint  # noqa: E402
from train.training.fit import fit  # noqa: E402


def test_int8_file_holds_integers_only_and_counts_as_the_spec_says(run, toy, toy_recipe):
    model = load_checkpoint(run)
    content = to_int8(model, toy.images[:70])
    contents = read_contents(content)
    assert contents.float_tensors == ()
    assert contents.per_channel > 4
    assert contents.size_bytes == len(content)
    assert contents.parameters == toy_recipe.spec.stored_parameters()
    assert "CONV_2D" in contents.operators
    assert read_contents(to_float(model)).float_tensors != ()


def test_calibration_must_span_all_pixels(run, toy):
    with pytest.raises(ConfigError, match="span 0 to 200, expected 0 to 255"):
        to_int8(load_checkpoint(run), np.minimum(toy.images[:10], 200))


def test_pixels_scale_to_what_int8_holds(run):
    pixels = np.array([[[0, 128, 255]]], dtype=np.uint8)
    np.testing.assert_array_equal(scale_pixels(load_checkpoint(run), pixels)[..., 0], [[[-1, 0, 127 / 128]]])


def test_a_mirrored_file_answers_alike_for_a_picture_and_its_mirror_image(run, toy, tmp_path):
    from edge.inference.interpreter import open_interpreter

    model = load_checkpoint(run)
    plain, mirrored = (
        to_int8(model, toy.images[:70], TestTimeAugmentation(mirror)) for mirror in (False, True)
    )
    assert read_contents(mirrored).float_tensors == ()
    assert read_contents(mirrored).operators["REVERSE_V2"] == 1
    answers = {}
    for name, content in (("plain", plain), ("mirrored", mirrored)):
        interpreter = open_interpreter(content)
        details = interpreter.get_output_details()[0]
        scale, zero_point = details["quantization"]
        found = []
        for image in (*toy.images[:20], *toy.images[:20, :, ::-1]):
            interpreter.set_tensor(
                interpreter.get_input_details()[0]["index"], image[np.newaxis, ..., np.newaxis]
            )
            interpreter.invoke()
            found.append((interpreter.get_tensor(details["index"])[0].astype(float) - zero_point) * scale)
        answers[name] = np.array(found).reshape(2, 20, 7)
    np.testing.assert_array_equal(answers["mirrored"][0], answers["mirrored"][1])
    assert (answers["plain"][0] != answers["plain"][1]).any(axis=1).all()
    np.testing.assert_allclose(answers["mirrored"][0], answers["plain"].mean(axis=0), atol=0.3)


def test_calibration_is_even_per_label_and_finds_its_pictures_again(toy, tmp_path):
    ids = calibration_set.draw(toy, 10)
    assert ids == calibration_set.draw(toy, 10)
    calibration_set.save_list("emotion", toy, ids, tmp_path)
    rows = calibration_set.calibration_rows("emotion", toy, tmp_path)
    assert np.bincount(rows.labels).tolist() == [10] * 7
    assert set(rows.splits) == {"train"}
    missing = replace(toy, ids=tuple(f"x{name}" for name in toy.ids))
    with pytest.raises(DataError, match="70 of 70 calibration images are not in its training split"):
        calibration_set.calibration_rows("emotion", missing, tmp_path)
    with pytest.raises(DataError, match="60 different training images of 'angry', need 61"):
        calibration_set.draw(toy, 61)


def test_comparison_counts_agreement_and_difference(toy):
    rows = toy.take(np.arange(3))
    logits = np.zeros((3, 7), np.float32)
    logits[[0, 1, 2], [0, 1, 3]] = 20
    scores = np.eye(7)[[0, 2, 3]]
    comparison = compare_with_float(rows, "val", logits, scores)
    assert comparison.before.accuracy == pytest.approx(2 / 3)
    assert comparison.after.accuracy == pytest.approx(1 / 3)
    assert comparison.agreement == pytest.approx(2 / 3)
    assert comparison.largest_difference == pytest.approx(1, abs=1e-6)


def test_shipping_writes_network_contract_and_card_that_the_device_opens(run, toy, tmp_path, lists):
    models = tmp_path / "models"
    models.mkdir()
    contract = publish.publish([run], toy, models)
    assert sorted(path.name for path in models.iterdir()) == [
        f"{contract.name}{s}" for s in (".json", ".md", ".tflite")
    ]
    held, content = read_model(models / f"{contract.name}.json")
    assert held == contract
    classifier = Classifier(models / f"{contract.name}.tflite", "emotion")
    scores = np.array([classifier.classify(image).values for image in toy.images[:50]])
    logits = predict(load_checkpoint(run), toy.images[:50, ..., np.newaxis])
    assert (scores.argmax(axis=1) == logits.argmax(axis=1)).mean() > 0.95
    card = (models / f"{contract.name}.md").read_text()
    assert contract.sha256 in card
    assert f"{contract.figures['val']['int8']['accuracy']:.1%}" in card
    assert contract.figures["val"]["int8"]["count"] == 140

    before = (models / f"{contract.name}.tflite").read_bytes()
    with pytest.raises(ConfigError, match="exists; say --overwrite"):
        publish.publish([run], toy, models)
    assert before == content
    publish.publish([run], toy, models, overwrite=True)
    assert (models / f"{contract.name}.tflite").read_bytes() == before  # equal inputs, equal file


def test_the_checkpoint_whose_integers_read_more_is_shipped(run, toy, tmp_path, lists):
    models, better = tmp_path / "models", tmp_path / "better"
    models.mkdir()
    better.mkdir()
    for name in ("run.json", "final.keras"):
        (better / name).write_bytes((run / name).read_bytes())
    untrained = load_checkpoint(run)
    untrained.set_weights([np.zeros_like(weight) for weight in untrained.get_weights()])
    untrained.save(better / "best.keras")
    contract = publish.publish([better], toy, models)
    assert contract.training["checkpoint"].startswith("final.keras")
    assert contract.figures["val"]["int8"]["accuracy"] > 0.2


def test_a_network_that_models_may_not_hold_is_left_out(run, toy, tmp_path, lists, monkeypatch, caplog):
    models, large = tmp_path / "models", tmp_path / "large"
    models.mkdir()
    shutil.copytree(run, large)
    monkeypatch.setattr(quantized_run, "check_file", _refuse_first(2))  # its best and its final checkpoint
    contract = publish.publish([large, run], toy, models)
    assert contract.training["run"] == run.name
    assert f"left out: {large / 'best.keras'}: too many" in caplog.text
    monkeypatch.setattr(quantized_run, "check_file", _refuse_first(2))
    with pytest.raises(ModelError, match="too many"):
        publish.publish([large], toy, models, overwrite=True)


def _refuse_first(count):
    left = [ModelError("too many")] * count

    def check(contents, contract):
        if left:
            raise left.pop()
        check_file(contents, contract)

    return check


def test_what_fails_is_not_put_into_models(run, toy, tmp_path, lists, monkeypatch):
    models = tmp_path / "models"
    models.mkdir()
    # Scores of nothing: the integer file reads every face as the first label.
    monkeypatch.setattr(quantized_run, "scores_of", lambda _, crops: np.tile(np.eye(7)[0], (len(crops), 1)))
    with pytest.raises(ModelError, match=r"int8 reads 14\.29% right"):
        publish.publish([run], toy, models)
    assert list(models.iterdir()) == []


def test_a_disk_that_fills_leaves_models_as_it_was(run, toy, small_disk, lists):
    old = small_disk / "emotion_sepnet_16_int8.tflite"
    old.write_bytes(b"an older network")
    (small_disk / "other").write_bytes(bytes(8192))
    with pytest.raises(OutputError, match=r"cannot write into .*: No space left on device; it is as it was"):
        publish.publish([run], toy, small_disk, overwrite=True)
    assert sorted(path.name for path in small_disk.iterdir()) == [old.name, "other"]
    assert old.read_bytes() == b"an older network"


def test_files_with_floats_or_too_many_parameters_are_refused(run, toy, tmp_path, lists):
    models = tmp_path / "models"
    models.mkdir()
    contract = publish.publish([run], toy, models)
    contents = read_contents((models / f"{contract.name}.tflite").read_bytes())
    with pytest.raises(ModelError, match="float tensors in the file: a"):
        check_file(replace(contents, float_tensors=("a",)), contract)
    with pytest.raises(ModelError, match="10000 parameters, must be fewer than 10000"):
        check_file(replace(contents, parameters=10_000), contract)
    with pytest.raises(ModelError, match="no weights are quantized per channel"):
        check_file(replace(contents, per_channel=0), contract)


@pytest.mark.parametrize(
    ("wrong", "others", "fault"),
    [
        (0, 30, ""),
        (3, 27, ""),
        (4, 0, "int8 reads 79.60% right, float 80.00%; more than 0.3% lost"),
        (0, 31, "int8 and float give 96.90% of the faces the same label; expected at least 97%"),
    ],
)
def test_integers_may_differ_by_little(toy, wrong, others, fault):
    rows = replace(toy.take(np.zeros(1000, dtype=np.int64)), labels=np.zeros(1000, dtype=np.int64))
    logits = np.zeros((1000, 7), np.float32)
    logits[:800, 0] = logits[800:, 1] = 20
    scores = np.eye(7)[np.repeat([0, 1], [800, 200])]
    scores[:wrong] = np.eye(7)[1]
    scores[800 : 800 + others] = np.eye(7)[2]  # wrong before and after
    comparison = compare_with_float(rows, "val", logits, scores)
    if not fault:
        check_faithful(comparison, "a")
    else:
        with pytest.raises(ModelError, match=f"a: {fault}"):
            check_faithful(comparison, "a")
    one = compare_with_float(rows.take(np.arange(5)), "val", logits[:5], np.eye(7)[[0, 0, 0, 0, 1]])
    with pytest.raises(ModelError, match=r"80\.00% of the faces"):  # a single picture is no loss of accuracy
        check_faithful(one, "a")


@pytest.mark.parametrize("missing", ["run.json", "best.keras"])
def test_an_incomplete_run_is_refused(run, toy, tmp_path, lists, missing):
    folder = tmp_path / "partial"
    folder.mkdir()
    for name in {"run.json", "best.keras"} - {missing}:
        (folder / name).write_bytes((run / name).read_bytes())
    with pytest.raises(DataError, match=r"no trained .*make train") as caught:
        publish.publish([folder], toy, tmp_path)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(("name", "content"), [("run.json", b"{"), ("best.keras", b"no checkpoint")])
def test_a_damaged_run_is_refused(run, toy, tmp_path, lists, name, content):
    folder = tmp_path / "damaged"
    folder.mkdir()
    for kept in ("run.json", "best.keras"):
        (folder / kept).write_bytes((run / kept).read_bytes())
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match="train anew"):
        publish.publish([folder], toy, tmp_path)


def test_contract_is_json_a_person_can_read(run, toy, tmp_path, lists):
    models = tmp_path / "models"
    models.mkdir()
    contract = publish.publish([run], toy, models)
    held = json.loads((models / f"{contract.name}.json").read_text())
    assert held["input"] == {
        "height": 16,
        "width": 16,
        "channels": 1,
        "dtype": "uint8",
        "range": [-1.0, 127 / 128],
    }
    assert held["training"]["command"] == "make train && make quantize"


def test_a_run_of_any_network_is_measured_in_integers(run, toy, toy_recipe, tmp_path):
    from quantize.release.int8_accuracy import measure_run

    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("run.json", "best.keras"):
        (folder / name).write_bytes((run / name).read_bytes())
    found = measure_run(folder, toy)
    assert found == json.loads((folder / "int8.json").read_text())
    assert found["count"] == 140
    assert found["parameters"] == toy_recipe.spec.stored_parameters()
    rows = toy.part("val")
    predicted = predict(load_checkpoint(run), even(rows.images)[..., np.newaxis]).argmax(axis=1)
    assert found["accuracy"] == pytest.approx((predicted == rows.labels).mean(), abs=0.05)


def test_centred_pixels_are_quantized_as_they_are(toy, toy_recipe, tmp_path):
    from quantize.release.int8_accuracy import measure_run

    folder = tmp_path / "run"
    fit(replace(toy_recipe, standardize=True), toy, folder)
    found = measure_run(folder, toy)
    rows = toy.part("val")
    predicted = predict(load_checkpoint(folder), even(rows.images)[..., np.newaxis]).argmax(axis=1)
    assert found["accuracy"] == pytest.approx((predicted == rows.labels).mean(), abs=0.05)


def even(images):
    return np.stack([normalize_contrast(image) for image in images])
