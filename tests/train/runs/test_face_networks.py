"""Networks that read a face, opened by the name of a file or of a run."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ConfigError, ModelError

pytestmark = pytest.mark.train

from edge.inference.classifier import Classifier  # noqa: E402
from train.augment import plain_images  # noqa: E402
from train.runs.face_networks import open_networks, refuse_other_labels  # noqa: E402

MODELS = Path(__file__).parents[3] / "models"


@pytest.mark.parametrize("suffix", [".tflite", ".json"])
def test_an_int8_file_is_run_as_on_the_device(suffix, tmp_path):
    path = MODELS / f"gender_sepnet_48_int8{suffix}"
    (network,) = open_networks(str(path), tmp_path)
    assert (network.name, network.dataset, network.folder) == ("gender_sepnet_48_int8", "utkface", None)
    crops = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    classifier = Classifier(path, "gender")
    expected = [classifier.classify(crop).values for crop in crops]
    np.testing.assert_array_equal(network.score(crops), expected)


def test_a_run_has_its_own_temperature(toy, toy_run, tmp_path):
    run = shutil.copytree(toy_run, tmp_path / "toy-run")
    (warm,) = open_networks("toy-run", tmp_path)
    assert (warm.name, warm.labels, warm.folder) == ("toy-run", toy.label_names, run)
    crops = plain_images(toy.part("val"), warm.crop)[:20]
    scores = warm.score(crops)
    assert (scores.argmax(axis=1) == toy.part("val").labels[:20]).mean() > 0.8
    (run / "val.json").write_text(json.dumps({"calibration": {"temperature": 4.0}}))
    (cool,) = open_networks("toy-run", tmp_path)
    ratio = np.log(scores).max(axis=1) - np.log(scores).min(axis=1)
    cooled = np.log(cool.score(crops))
    np.testing.assert_allclose(cooled.max(axis=1) - cooled.min(axis=1), ratio / 4, rtol=1e-4)


def test_what_reads_no_face_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="finds faces"):
        open_networks(str(MODELS / "refinement_sepnet_32_int8.tflite"), tmp_path)
    with pytest.raises(ModelError):
        open_networks(str(tmp_path / "none.tflite"), tmp_path)


def test_other_labels_are_refused(toy, tmp_path):
    (network,) = open_networks(str(MODELS / "emotion_sepnet_48_int8.tflite"), tmp_path)
    refuse_other_labels(network, toy)
    with pytest.raises(ConfigError, match=r"has the labels angry, .*; toy has neutral, "):
        refuse_other_labels(network, replace(toy, label_names=toy.label_names[::-1]))
