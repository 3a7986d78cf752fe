"""The int8 accuracy of any run is measured and written into its folder."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

pytestmark = pytest.mark.train

from edge.inference.preprocess import normalize_face  # noqa: E402
from quantize.release.int8_accuracy import measure_run  # noqa: E402
from train.evaluation.predictions import predict  # noqa: E402
from train.runs.lookup import load_checkpoint  # noqa: E402
from train.training.fit import fit  # noqa: E402


def float_accuracy(run, rows):
    images = np.stack([normalize_face(image) for image in rows.images])
    predicted = predict(load_checkpoint(run), images[..., np.newaxis]).argmax(axis=1)
    return (predicted == rows.labels).mean()


def test_a_run_is_measured_and_the_result_written(run, toy, toy_recipe, tmp_path):
    for name in ("run.json", "best.keras"):
        shutil.copy(run / name, tmp_path)
    result = measure_run(tmp_path, toy)
    assert result == json.loads((tmp_path / "int8.json").read_text())
    assert result["count"] == 140
    assert result["parameters"] == toy_recipe.spec.stored_parameters()
    assert result["accuracy"] == pytest.approx(float_accuracy(run, toy.part("val")), abs=0.05)


def test_a_network_that_standardizes_pixels_is_measured_too(toy, toy_recipe, tmp_path):
    fit(replace(toy_recipe, standardize=True), toy, tmp_path / "run")
    result = measure_run(tmp_path / "run", toy)
    assert result["accuracy"] == pytest.approx(float_accuracy(tmp_path / "run", toy.part("val")), abs=0.05)
