"""Gradients by pixels: against differences, guided ones by hand, on a network that was trained."""

import json
import shutil

import numpy as np
import pytest

from edge.errors import ConfigError, DataError

pytestmark = pytest.mark.train

from train.models.spec import NetSpec, ReferenceSpec, Stage  # noqa: E402

SPEC = NetSpec(stem=6, stages=(Stage(8, 1, 1, repeats=2),), head=4, classes=3, size=16)


@pytest.fixture(scope="module")
def net():
    import keras

    from train.models.sepnet import build

    keras.utils.set_random_seed(5)
    return build(SPEC)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(2).integers(0, 256, (4, 16, 16), dtype=np.uint8)


def test_the_gradient_is_what_a_pixel_does_to_the_logit(net, images):
    import keras

    from train.evaluation.saliency import saliency

    found = saliency(net, images, np.array([2, 0, 1, 2]), "gradient")
    assert found.shape == images.shape
    body = net.get_layer("body")
    pixels = images[:1, ..., np.newaxis].astype(np.float32) / 128 - 1
    for y, x in ((3, 4), (8, 8), (12, 2)):
        answers = []
        for step in (1e-3, -1e-3):
            moved = pixels.copy()
            moved[0, y, x, 0] += step
            answers.append(keras.ops.convert_to_numpy(body(moved, training=False))[0, 2])
        assert found[0, y, x] == pytest.approx((answers[0] - answers[1]) / 2e-3, rel=0.05, abs=2e-4)


def test_guided_gradients_pass_a_relu_only_where_both_are_positive():
    import keras
    from keras import layers

    from train.evaluation.saliency import saliency

    pixels = keras.Input((2, 2, 1))
    inside = keras.Input((2, 2, 1))
    y = layers.ReLU()(inside)
    y = layers.Conv2D(1, 1, use_bias=False, name="turn", activation="relu")(y)
    logits = layers.Dense(2, use_bias=False, name="logits")(layers.Flatten()(y))
    body = keras.Model(inside, logits, name="body")
    model = keras.Model(pixels, body(layers.Rescaling(1 / 128, -1.0, name="scale")(pixels)))
    body.get_layer("turn").set_weights([np.full((1, 1, 1, 1), 2.0)])
    body.get_layer("logits").set_weights([np.array([[1.0, 0], [-1, 0], [3, 0], [5, 0]])])
    image = np.array([[[200, 200], [200, 60]]], dtype=np.uint8)  # the last one is dark: its ReLU is shut
    np.testing.assert_allclose(saliency(model, image, np.array([0]), "gradient"), [[[2, -2], [6, 0]]])
    np.testing.assert_allclose(saliency(model, image, np.array([0]), "guided"), [[[2, 0], [6, 0]]])


def test_without_labels_it_is_of_what_is_answered(net, images):
    from train.evaluation.saliency import saliency

    answered = net.predict(images[..., np.newaxis], verbose=0).argmax(axis=1)
    np.testing.assert_array_equal(saliency(net, images), saliency(net, images, answered, "guided"))


def test_guided_gradients_leave_the_network_as_it_was(net, images):
    from train.evaluation.saliency import saliency

    before = net.predict(images[..., np.newaxis], verbose=0)
    assert np.abs(saliency(net, images, None, "guided") - saliency(net, images, None, "gradient")).max() > 0
    np.testing.assert_array_equal(net.predict(images[..., np.newaxis], verbose=0), before)


@pytest.mark.parametrize("architecture", ["mini_xception", "sequential"])
def test_published_networks_can_be_looked_at_too(architecture):
    from train.evaluation.saliency import saliency
    from train.models.sepnet import build

    faces = np.random.default_rng(3).integers(0, 256, (2, 48, 48), dtype=np.uint8)
    found = saliency(build(ReferenceSpec(architecture, 7)), faces)
    assert np.isfinite(found).all()
    assert np.abs(found).max() > 0


def test_what_cannot_be_is_refused(net, images):
    from train.evaluation.saliency import saliency

    with pytest.raises(ConfigError, match="no saliency 'smooth'; expected gradient or guided"):
        saliency(net, images, None, "smooth")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="labels 0 to 3; the network has 0 to 2"):
        saliency(net, images, np.array([0, 1, 2, 3]))


@pytest.fixture(scope="module")
def two(toy_recipe):
    """Two networks of the toy's labels, the second with other weights."""
    import keras

    from train.models.sepnet import build

    keras.utils.set_random_seed(1)
    return {name: build(toy_recipe.spec) for name in ("before", "after")}


def test_the_sheet_of_labels_has_a_line_for_each(two, toy, toy_recipe, tmp_path):
    import cv2

    from train.reports.saliency_plot import save_labels_png

    save_labels_png(two, toy.part("val"), toy_recipe.crop, tmp_path / "sheet.png")
    picture = cv2.imread(str(tmp_path / "sheet.png"))
    assert picture.shape[0] > 7 * 80
    assert picture.shape[1] > 13 * 80
    reds = (picture[..., 2].astype(int) - picture[..., 0] > 60).mean()
    assert reds > 0.01  # something speaks for a label
    with pytest.raises(DataError, match="toy: no picture of 'angry'"):
        save_labels_png(two, toy.take(np.flatnonzero(toy.labels != 0)), toy_recipe.crop, tmp_path / "x.png")


@pytest.fixture
def foreign_run(two, toy, toy_recipe, tmp_path):
    """A run whose labels are CK+'s, and whose network always gives the seventh."""
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


def test_answers_have_the_labels_of_the_run(foreign_run, scene, monkeypatch):
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


def test_a_network_of_other_labels_is_not_set_beside(foreign_run, toy, toy_recipe, capsys):
    from train.cli.main import main

    other = foreign_run.parent / "other"
    shutil.copytree(foreign_run, other)
    recipe, labels = toy_recipe.to_dict(), list(toy.label_names)
    (other / "run.json").write_text(json.dumps({"recipe": recipe, "labels": labels}))
    command = ["saliency", foreign_run.name, "--against", "other", "--runs", str(foreign_run.parent)]
    assert main([*command, "--pictures", "none.png"]) == ConfigError.exit_code
    assert "--against other: its labels are angry, " in capsys.readouterr().err


def test_any_picture_is_looked_at_by_its_largest_face(two, toy_recipe, scene, tmp_path):
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
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[0] > 150
    (tmp_path / "no.png").write_text("no picture")
    with pytest.raises(DataError, match=r"no\.png: no picture that OpenCV can read"):
        read_face(tmp_path / "no.png", toy_recipe.crop, detector)
