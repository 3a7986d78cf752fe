"""Training on a toy set: it learns, resumes to the same weights, and refuses what does not belong to it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ConfigError, DataError

pytestmark = pytest.mark.train

import keras  # noqa: E402

from train.evaluation.metrics import evaluate  # noqa: E402
from train.training.epochs import Checkpoints  # noqa: E402
from train.training.fit import fit  # noqa: E402
from train.training.provenance import provenance  # noqa: E402
from train.training.run_folder import locked, rounded  # noqa: E402


def weights_of(model):
    return [np.asarray(weight) for weight in model.weights]


def test_learns_and_a_broken_run_resumes_to_the_same_weights(broken_off, toy, toy_recipe, tmp_path):
    whole = fit(toy_recipe, toy, tmp_path / "whole")
    log = (tmp_path / "whole" / "log.csv").read_text().splitlines()
    assert len(log) == 5
    assert max(float(line.split(",")[5]) for line in log[1:]) > 0.9

    with broken_off("broken 2/4"):
        fit(toy_recipe, toy, tmp_path / "broken")
    assert len((tmp_path / "broken" / "log.csv").read_text().splitlines()) == 3
    # A line of an epoch whose checkpoint was never written: the process died in between.
    with (tmp_path / "broken" / "log.csv").open("a") as text:
        text.write("3,0,0,0,0,1.0,0,0\n")
    resumed = fit(toy_recipe, toy, tmp_path / "broken")
    assert [
        line.rsplit(",", 1)[0] for line in (tmp_path / "broken" / "log.csv").read_text().splitlines()
    ] == [line.rsplit(",", 1)[0] for line in log]
    for left, right in zip(weights_of(whole), weights_of(resumed), strict=True):
        np.testing.assert_array_equal(left, right)

    # A finished run is left as it is.
    before = (tmp_path / "whole" / "best.keras").stat().st_mtime_ns
    fit(toy_recipe, toy, tmp_path / "whole")
    assert (tmp_path / "whole" / "best.keras").stat().st_mtime_ns == before

    # So it is when there are new versions, which an unfinished one must not go on with.
    for name, message in (("whole", None), ("broken", "holds a run with another versions")):
        settings = tmp_path / name / "run.json"
        held = json.loads(settings.read_text())
        settings.write_text(json.dumps(held | {"versions": held["versions"] | {"numpy": "0.1"}}))
        if message is None:
            fit(toy_recipe, toy, tmp_path / name)
            continue
        (tmp_path / name / "final.keras").unlink()
        with pytest.raises(ConfigError, match=message):
            fit(toy_recipe, toy, tmp_path / name)

    with pytest.raises(ConfigError, match="holds a run with another recipe"):
        fit(replace(toy_recipe, seed=2), toy, tmp_path / "whole")
    spoilt = replace(toy, labels=(toy.labels + 1) % 7)
    with pytest.raises(ConfigError, match="holds a run with another data"):
        fit(toy_recipe, spoilt, tmp_path / "whole")
    held = json.loads((tmp_path / "whole" / "run.json").read_text())
    assert held["recipe"]["spec"]["stem"] == 6
    assert held["data"]["fingerprint"] == toy.fingerprint()


def test_of_equal_epochs_the_first_is_kept_whether_the_run_is_broken_off_or_not(
    broken_off, toy, toy_recipe, tmp_path, monkeypatch
):
    # 1/3 stands in the log as less than it is.
    always = evaluate("toy val", toy.label_names, np.array([0, 0, 0]), np.array([0, 1, 1]))
    assert float(rounded(always.accuracy)) < always.accuracy
    monkeypatch.setattr("train.training.fit.evaluate_logits", lambda *_: always)
    with broken_off("run 2/4"):
        fit(toy_recipe, toy, tmp_path / "run")
    first = (tmp_path / "run" / "best.keras").read_bytes()
    fit(toy_recipe, toy, tmp_path / "run")
    assert (tmp_path / "run" / "best.keras").read_bytes() == first


def test_parameters_are_those_of_the_file(toy, toy_recipe, tmp_path):
    from quantize.conversion.converter import to_int8
    from quantize.tflite.inspect import read_contents

    # As wide at its end as at its start: a bias of zeros serves both.
    recipe = replace(toy_recipe, spec=replace(toy_recipe.spec, head=toy_recipe.spec.stem), epochs=1)
    model = fit(recipe, toy, tmp_path / "run")
    held = json.loads((tmp_path / "run" / "run.json").read_text())["parameters"]
    assert held == read_contents(to_int8(model, toy.images[:70])).parameters


def test_two_processes_do_not_train_one_run(toy, toy_recipe, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    with locked(run), pytest.raises(ConfigError, match="another process is training it"):
        fit(toy_recipe, toy, run)
    fit(replace(toy_recipe, epochs=1), toy, tmp_path / "other")


def test_boxes_votes_and_ages_decide_a_run_if_the_recipe_uses_them(toy, toy_recipe):
    def digests(recipe, rows):
        return provenance(recipe, rows, Checkpoints())["beside"]

    ages = {"age": np.arange(len(toy))}
    rows = replace(toy, attributes=ages, soft_labels=np.eye(7, dtype=np.float32)[toy.labels])
    recipe = replace(toy_recipe, votes=0.5, balance=0.5)
    before = digests(recipe, rows)
    assert set(before) == {"votes", "ages"}
    assert digests(recipe, replace(rows, soft_labels=1 - rows.soft_labels))["votes"] != before["votes"]
    assert digests(recipe, replace(rows, attributes={"age": ages["age"] + 1}))["ages"] != before["ages"]
    assert digests(toy_recipe, rows) == {}


def test_digests_of_boxes_are_those_of_earlier_runs(toy, toy_recipe):
    boxes = np.array([[row % 3, -2, 14, 15] for row in range(len(toy))], dtype=np.int32)
    # As computed when boxes were kept as tuples and hashed as 64-bit numbers.
    digests = provenance(toy_recipe, replace(toy, boxes=boxes), Checkpoints())["beside"]
    assert digests == {"boxes": "cce2574722414429"}


def test_goes_on_from_another_runs_weights(toy, toy_recipe, tmp_path):
    first = fit(replace(toy_recipe, epochs=2), toy, tmp_path / "first")
    later = replace(toy_recipe, epochs=1, learning_rate=1e-9, seed=5)
    model = fit(later, toy, tmp_path / "later", Checkpoints(tmp_path / "first" / "best.keras"))
    for left, right, variable in zip(weights_of(first), weights_of(model), model.weights, strict=True):
        if not variable.path.endswith(("moving_mean", "moving_variance")):
            np.testing.assert_allclose(left, right, atol=1e-5)
    with pytest.raises(ConfigError, match="holds a run with another sources"):
        fit(later, toy, tmp_path / "later")
    other = replace(later, spec=replace(later.spec, stem=7))
    with pytest.raises(ConfigError, match="no checkpoint of this spec to start from"):
        fit(other, toy, tmp_path / "other", Checkpoints(tmp_path / "first" / "best.keras"))


def test_checkpoints_without_their_run_are_not_touched(toy, toy_recipe, tmp_path):
    (tmp_path / "best.keras").write_bytes(b"somebody's")
    with pytest.raises(ConfigError, match=r"holds checkpoints but no run\.json"):
        fit(toy_recipe, toy, tmp_path)
    assert (tmp_path / "best.keras").read_bytes() == b"somebody's"


def test_as_many_outputs_as_labels(toy, toy_recipe, tmp_path):
    with pytest.raises(ConfigError, match="5 classes for toy's 7 labels"):
        fit(replace(toy_recipe, spec=replace(toy_recipe.spec, classes=5)), toy, tmp_path / "run")


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": "adam", "schedule": "constant", "learning_rate": 3e-3},
        {"optimizer": "momentum", "learning_rate": 3e-2},
        {"standardize": True},
        {"balance": 0.5},
        {"augmentation": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_way_of_training_learns(toy, toy_recipe, tmp_path, change):
    model = fit(replace(toy_recipe, epochs=3, **change), toy, tmp_path / "run")
    rows = toy.part("val")
    from train.augment import plain_images

    predicted = model.predict(plain_images(rows, toy_recipe.crop)[..., np.newaxis], verbose=0).argmax(axis=1)
    assert (predicted == rows.labels).mean() > 0.5
    if "standardize" in change:
        pixels = plain_images(toy.part("train"), toy_recipe.crop)
        scaled = np.asarray(model.get_layer("scale")(pixels.astype(np.float32)))
        assert scaled.mean() == pytest.approx(0, abs=1e-4)
        assert scaled.std() == pytest.approx(1, abs=1e-4)


def test_running_means_are_what_is_kept_and_they_resume(broken_off, toy, toy_recipe, tmp_path):
    recipe = replace(toy_recipe, averaging=0.9)
    whole = fit(recipe, toy, tmp_path / "whole")
    plain = fit(toy_recipe, toy, tmp_path / "plain")
    assert any(
        (left != right).any() for left, right in zip(weights_of(whole), weights_of(plain), strict=True)
    )
    with broken_off("broken 2/4"):
        fit(recipe, toy, tmp_path / "broken")
    resumed = fit(recipe, toy, tmp_path / "broken")
    for left, right in zip(weights_of(whole), weights_of(resumed), strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_model_survives_saving(toy_recipe, tmp_path):
    from train.models.sepnet import build

    model = build(toy_recipe.spec)
    model.save(tmp_path / "a.keras")
    pixels = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 1), dtype=np.uint8)
    again = keras.models.load_model(tmp_path / "a.keras")
    np.testing.assert_array_equal(model.predict(pixels, verbose=0), again.predict(pixels, verbose=0))


def test_another_sets_figures_do_not_become_the_runs_own(toy, toy_recipe, tmp_path):
    from train.reports.evaluate_run import evaluate_run

    run = tmp_path / "run"
    fit(toy_recipe, toy, run)
    evaluate_run(toy, run)
    held = (run / "val.json").read_text()
    evaluate_run(replace(toy, name="Other"), run)
    # The same pictures, split otherwise: those of its validation are ones that training has seen.
    evaluate_run(replace(toy, splits=np.roll(toy.splits, 1)), run)
    assert (run / "val.json").read_text() == held
    for folder, split in (("on-other", "Other val"), ("on-toy", "toy val")):
        figures = json.loads((run / folder / "val.json").read_text())
        assert figures["split"] == split
        assert figures["calibration"]["temperature"] == json.loads(held)["calibration"]["temperature"]
        assert "may have learned from some of them" in (run / folder / "report.html").read_text()
    # The test rows that the training's copy lacked.
    more = np.arange(len(toy) + 5) % len(toy)
    whole = replace(toy.take(more), splits=np.array([*toy.splits, *["test"] * 5]))
    evaluate_run(whole, run, "test")
    assert json.loads((run / "test.json").read_text())["count"] == 5
    foreign = replace(toy, label_names=(*toy.label_names[:-1], "contempt"))
    with pytest.raises(DataError, match=r"toy has the labels .*contempt; .* was trained on angry"):
        evaluate_run(foreign, run)
