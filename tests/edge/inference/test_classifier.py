import hashlib
from dataclasses import replace

import numpy as np
import pytest

import edge.inference.classifier
import edge.inference.preprocess
from edge.inference.classifier import Classifier, FaceReader
from edge.inference.contract import read_model
from edge.inference.interpreter import open_interpreter
from edge.inference.preprocess import Framing
from edge.labels import EMOTIONS, GENDERS
from edge.types import Box
from tests.support.faces import turned

RAMP = np.add.outer(np.arange(48), np.arange(48)).astype(np.uint8)


def altered(models, tmp_path, task="emotion", **changes):
    """A tiny network under a contract of its own."""
    contract, content = read_model(models / f"tiny_{task}.json")
    contract = replace(contract, sha256=hashlib.sha256(content).hexdigest(), **changes)
    (tmp_path / f"tiny_{task}.tflite").write_bytes(content)
    return Classifier(contract.write(tmp_path), task)


def test_scores_are_the_softmax_of_the_dequantised_outputs(models):
    interpreter = open_interpreter((models / "tiny_emotion.tflite").read_bytes())
    output = interpreter.get_output_details()[0]
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], RAMP[None, :, :, None])
    interpreter.invoke()
    scale, zero_point = output["quantization"]
    logits = (interpreter.get_tensor(output["index"])[0].astype(float) - zero_point) * scale
    expected = np.exp(logits) / np.exp(logits).sum()

    scores = Classifier(models / "tiny_emotion.json", "emotion").classify(RAMP)

    assert scores.labels == EMOTIONS
    np.testing.assert_allclose(scores.values, expected, rtol=1e-9)
    assert sum(scores.values) == pytest.approx(1)
    assert all(type(value) is float for value in scores.values)


def test_signed_pixels_mean_the_same_as_unsigned_ones(models):
    unsigned = Classifier(models / "tiny_gender.json", "gender")
    signed = Classifier(models / "int8_pixels" / "tiny_gender.json", "gender")
    for picture in (RAMP, np.zeros_like(RAMP), np.full_like(RAMP, 255), RAMP[::-1].copy()):
        assert signed.classify(picture) == unsigned.classify(picture)


def test_the_picture_is_not_changed_and_may_be_a_view(models):
    gender = Classifier(models / "int8_pixels" / "tiny_gender.json", "gender")
    wide = np.hstack([RAMP, RAMP])
    wide.flags.writeable = False
    assert gender.classify(wide[:, ::2]).labels == GENDERS


def test_an_answer_stays_when_the_next_face_is_read(models):
    emotion = Classifier(models / "tiny_emotion.json", "emotion")
    first = emotion.classify(RAMP)
    kept = tuple(first.values)
    second = emotion.classify(~RAMP)
    assert first.values == kept != second.values
    assert emotion.classify(RAMP) == first


def test_temperature_softens_the_scores(models, tmp_path):
    plain = Classifier(models / "tiny_emotion.json", "emotion").classify(RAMP)
    soft = altered(models, tmp_path, temperature=4.0).classify(RAMP)
    powered = np.array(plain.values) ** (1 / 4)
    np.testing.assert_allclose(soft.values, powered / powered.sum(), rtol=1e-9)


def test_scores_of_the_network_are_passed_on(models, tmp_path):
    scores = altered(models, tmp_path, output_kind="scores").classify(RAMP)
    assert sum(scores.values) == pytest.approx(1)
    assert all(0 <= value <= 1 for value in scores.values)


def test_labels_follow_the_order_of_the_file(models, tmp_path):
    turned = altered(models, tmp_path, labels=tuple(reversed(EMOTIONS))).classify(RAMP)
    plain = Classifier(models / "tiny_emotion.json", "emotion").classify(RAMP)
    assert turned.values == plain.values
    assert turned.labels == EMOTIONS[::-1]


def test_each_face_of_a_frame_is_read_on_its_own(reader, happy, face_box):
    boxes = [Box(0, 0, 80, 80), face_box, Box(260, 180, 60, 60)]
    readings = [reader.read_face(happy, box) for box in boxes]
    assert readings == [reader.read_face(happy, box) for box in boxes]
    assert [(emotion.labels, gender.labels) for emotion, gender in readings] == [(EMOTIONS, GENDERS)] * 3
    assert len(set(readings)) == 3


def test_a_tilted_face_is_read_as_the_upright_one(reader, happy, face_box):
    centre_xy = face_box.x + face_box.width / 2 - 0.5, face_box.y + face_box.height / 2 - 0.5
    tilted = turned(happy, centre_xy, 40)
    upright = reader.read_face(happy, face_box)
    set_upright, as_it_is = (reader.read_face(tilted, face_box, roll) for roll in (40, 0))

    def difference(scores):
        return sum(
            abs(one - other)
            for before, after in zip(upright, scores, strict=True)
            for one, other in zip(before.values, after.values, strict=True)
        )

    assert difference(set_upright) < difference(as_it_is) / 2


@pytest.mark.parametrize(("framing", "crops"), [(Framing(1.02, 0.0), 1), (Framing(1.3, -0.1), 2)])
def test_one_crop_serves_both_networks_where_they_look_alike(
    models, tmp_path, happy, face_box, monkeypatch, framing, crops
):
    made = []
    crop_face = edge.inference.preprocess.crop_face

    def counted(*arguments):
        made.append(arguments)
        return crop_face(*arguments)

    gender = altered(models, tmp_path, task="gender", framing=framing)
    monkeypatch.setattr(edge.inference.classifier, "crop_face", counted)
    FaceReader(Classifier(models / "tiny_emotion.json", "emotion"), gender).read_face(happy, face_box)
    assert len(made) == crops
