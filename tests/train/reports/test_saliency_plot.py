"""Drawings of saliency, and the command that makes them."""

import json
import shutil

import numpy as np
import pytest

from edge.errors import ConfigError, DataError
from tests.support.pictures import read_picture

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def two(toy_recipe):
    """Two networks of the toy's labels, the second with other weights."""
    import keras

    from train.models.sepnet import build

    keras.utils.set_random_seed(1)
    return {name: build(toy_recipe.spec) for name in ("before", "after")}


def test_the_sheet_of_labels_has_a_line_for_each(two, toy, toy_recipe, tmp_path):
    from train.reports.saliency_plot import save_labels_png

    save_labels_png(two, toy.part("val"), toy_recipe.crop, tmp_path / "sheet.png")
    picture = read_picture(tmp_path / "sheet.png")
    assert picture.shape[0] > 7 * 80
    assert picture.shape[1] > 13 * 80
    reds = (picture[..., 2].astype(int) - picture[..., 0] > 60).mean()
    assert reds > 0.01  # pixels that are evidence for a label
    with pytest.raises(DataError, match="toy: no picture of 'angry'"):
        save_labels_png(two, toy.take(np.flatnonzero(toy.labels != 0)), toy_recipe.crop, tmp_path / "x.png")


@pytest.fixture
def foreign_run(two, toy, toy_recipe, tmp_path):
    """A run with CK+'s labels, whose network always predicts the seventh."""
    import keras

    folder = tmp_path / "runs" / "on-ckplus"
    folder.mkdir(parents=True)
    labels = [*toy.label_names[:-1], "contempt"]
    (folder / "run.json").write_text(json.dumps({"recipe": toy_recipe.to_dict(), "labels": labels}))
    network = keras.models.clone_model(two["before"])
    logits = network.get_layer("body").get_layer("logits")
    logits.set_weights([logits.get_weights()[0], np.eye(7)[6] * 1e4])
    network.save(folder / "best.keras")
    return folder


def test_predictions_have_the_labels_of_the_run(foreign_run, scene, monkeypatch):
    import cv2

    from train.cli.main import main

    cv2.imwrite(str(foreign_run / "scene.png"), scene("happy"))
    drawn = []
    monkeypatch.setattr("train.reports.saliency_plot.save_figure", lambda figure, _: drawn.append(figure))
    command = ["saliency", foreign_run.name, "--runs", str(foreign_run.parent)]
    out = ["--pictures", str(foreign_run / "scene.png"), "--out", str(foreign_run / "sheet.png")]
    assert main([*command, *out]) == 0
    titles = [axes.get_title() for axes in drawn[0].axes]
    assert [title.partition("\n")[2] for title in titles[1:]] == ["contempt, gradient", "contempt, guided"]


def test_a_network_with_other_labels_is_not_compared(foreign_run, toy, toy_recipe, capsys):
    from train.cli.main import main

    other = foreign_run.parent / "other"
    shutil.copytree(foreign_run, other)
    recipe, labels = toy_recipe.to_dict(), list(toy.label_names)
    (other / "run.json").write_text(json.dumps({"recipe": recipe, "labels": labels}))
    command = ["saliency", foreign_run.name, "--against", "other", "--runs", str(foreign_run.parent)]
    assert main([*command, "--pictures", "none.png"]) == ConfigError.exit_code
    assert "--against other: its labels are angry, " in capsys.readouterr().err


def test_any_picture_is_cropped_to_its_largest_face(two, toy_recipe, scene, tmp_path):
    import cv2

    from edge.detection.haar import HaarDetector
    from edge.inference.preprocess import normalize_contrast
    from train.reports.saliency_plot import read_face, save_pictures_png

    detector = HaarDetector()
    picture = scene("happy")
    cv2.imwrite(str(tmp_path / "scene.png"), picture)
    cv2.imwrite(str(tmp_path / "gray.png"), np.full((50, 40), 90, np.uint8))
    face, whole = (
        read_face(tmp_path / f"{name}.png", toy_recipe.crop, detector) for name in ("scene", "gray")
    )
    assert face.shape == whole.shape == (16, 16)
    around = cv2.resize(picture[120:360, 200:440], (16, 16), interpolation=cv2.INTER_AREA)
    assert np.corrcoef(face.ravel(), normalize_contrast(around).ravel())[0, 1] > 0.8
    save_pictures_png(two, {"a": face, "b": whole}, toy_recipe.spec.classes * ("x",), tmp_path / "sheet.png")
    assert read_picture(tmp_path / "sheet.png").shape[0] > 150
    (tmp_path / "no.png").write_text("no picture")
    with pytest.raises(DataError, match=r"no\.png: no picture that OpenCV can read"):
        read_face(tmp_path / "no.png", toy_recipe.crop, detector)
