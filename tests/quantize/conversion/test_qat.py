"""The rounding of integers, imitated in floats, and the training that makes a network live with it."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

import keras  # noqa: E402

from edge.inference.contract import read_model  # noqa: E402
from edge.inference.interpreter import open_interpreter  # noqa: E402
from quantize.conversion import fake_quant  # noqa: E402
from quantize.conversion.converter import prepare, scale_pixels, to_int8  # noqa: E402
from quantize.conversion.fake_quant import FakeQuant, FakeQuantModel  # noqa: E402
from quantize.conversion.qat import finetune  # noqa: E402
from quantize.conversion.tta import TestTimeAugmentation  # noqa: E402
from quantize.release import acceptance, publish  # noqa: E402
from quantize.verification.fidelity import Comparison  # noqa: E402
from train.evaluation.predictions import predict  # noqa: E402
from train.models.weights_hash import weights_digest  # noqa: E402
from train.runs.lookup import load_checkpoint  # noqa: E402


def read_file(content, images):
    """(N, classes) logits of an integer file."""
    interpreter = open_interpreter(content)
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = answer["quantization"]
    found = []
    for image in images:
        interpreter.set_tensor(given["index"], image[np.newaxis, ..., np.newaxis])
        interpreter.invoke()
        found.append((interpreter.get_tensor(answer["index"])[0].astype(float) - zero_point) * scale)
    return np.array(found)


def test_an_activation_is_one_of_256_values_and_passes_gradients_within_its_range():
    import tensorflow as tf

    values = tf.constant(np.linspace(-3, 3, 1001, dtype=np.float32))
    with tf.GradientTape() as tape:
        tape.watch(values)
        found = FakeQuant(-1.0, 2.0)(values)
    step = 3 / 255
    np.testing.assert_allclose(found / step, np.round(found / step), atol=1e-3)
    assert len(np.unique(found)) == 256
    inside = (values > -0.99) & (values < 1.99)
    assert float(np.abs(found - values)[inside].max()) <= step / 2 + 1e-6
    slopes = tape.gradient(found, values).numpy()
    assert set(slopes[inside]) == {1.0}
    assert set(slopes[(values < -1.02) | (values > 2.02)]) == {0.0}


def test_weights_have_a_step_for_each_output_channel():
    pixels = np.random.default_rng(0).normal(size=(8, 6, 6, 1)).astype(np.float32)
    entry = keras.Input((6, 6, 1))
    wide = keras.layers.Conv2D(2, 3, use_bias=False, name="wide")(entry)
    deep = keras.layers.DepthwiseConv2D(3, use_bias=False, name="deep")(wide)
    body = keras.Model(entry, deep)
    body.get_layer("wide").set_weights([np.float32(body.get_layer("wide").get_weights()[0] * [1, 1000])])
    exact = body(pixels).numpy()
    found = FakeQuantModel(body, pixels)(pixels).numpy()
    for channel in (0, 1):  # with one step for both, nothing of the first would be left
        power = np.square(exact[..., channel]).mean()
        assert (
            0 < np.square(found[..., channel] - exact[..., channel]).mean() < power * (1e-2 if channel else 4)
        )
    (kernel,) = body.get_layer("wide").get_weights()
    assert len(np.unique(kernel)) == 18  # its own weights are as they were


def test_the_imitation_answers_as_the_file_does(run, toy):
    model, calibration, asked = load_checkpoint(run), toy.images[:70], toy.images[70:170]
    ready = prepare(model, calibration)
    rounded = FakeQuantModel(ready.get_layer("body"), scale_pixels(model, calibration[::4]))
    imitated = rounded.predict(scale_pixels(model, asked), verbose=0)
    integers, floats = read_file(to_int8(model, calibration), asked), predict(model, asked[..., np.newaxis])
    assert np.abs(imitated - integers).mean() < 0.7 * np.abs(floats - integers).mean()


def test_training_lessens_what_rounding_changes(run, toy, monkeypatch):
    monkeypatch.setattr(fake_quant, "_LARGEST_WEIGHT", 3)  # as with 3 bits: the toy's 8 leave little to win
    monkeypatch.setattr("quantize.conversion.qat._RATE", 1e-3)  # the toy has few steps
    model, calibration = load_checkpoint(run), toy.images[:70]
    before = [weight.copy() for weight in model.get_weights()]
    seen = np.tile(toy.part("train").images, (6, 1, 1))
    tuned = finetune(model, seen, calibration, TestTimeAugmentation(mirror=True))
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    again = finetune(model, seen, calibration, TestTimeAugmentation(mirror=True))
    for one, other in zip(tuned.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)

    asked = toy.part("val").images
    wanted = predict(model, asked[..., np.newaxis])

    def error(network):
        rounded = FakeQuantModel(network.get_layer("body"), scale_pixels(model, calibration))
        return np.square(rounded.predict(scale_pixels(model, asked), verbose=0) - wanted).mean()

    assert error(tuned) < 0.8 * error(prepare(model, calibration, TestTimeAugmentation(mirror=True)))


def test_integers_that_are_not_faithful_are_fine_tuned_before_they_ship(
    run, toy, tmp_path, lists, monkeypatch
):
    (models := tmp_path / "models").mkdir()
    asked: list[Comparison] = []
    monkeypatch.setattr(publish, "is_faithful", asked.append)
    contract = publish.publish([run], toy, models)
    assert len(asked) == 1
    held, _ = read_model(models / f"{contract.name}.tflite")
    tuned = run / "tuned.keras"
    assert held.training["fine-tuned"].endswith(f"tuned.keras, weights {weights_digest(tuned)}")
    assert "2 epochs with rounding" in (models / f"{contract.name}.md").read_text()
    assert contract.figures["val"]["top1_agreement"] >= 0.97
    lines = list(acceptance.accept(models / f"{contract.name}.tflite", run, toy, layers=True))
    noise = [float(line.split()[0]) for line in lines[3].splitlines()]
    assert min(noise) > 15  # beside the tuned network, whose integers they are
