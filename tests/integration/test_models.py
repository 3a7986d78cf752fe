"""The shipped networks: what their contracts and the page on accuracy say of them is so."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.errors import DataError
from edge.inference.classifier import Classifier
from edge.inference.contract import MODELS_FOLDER, find_model, read_model
from edge.inference.preprocess import normalize_face
from edge.inference.shipped import SHIPPED_SHA256
from edge.labels import EMOTIONS, FACE_TASKS, GENDERS, TASKS
from tests.support.runtimes import NEEDS_TFLITE, TFLITE
from train.data.dataset import decode_gray

ROOT = Path(__file__).parents[2]
DATA = os.environ.get("EMOTINY_DATA", "")

READ_DEMO = """
import sys
from pathlib import Path
import cv2
from edge.inference.classifier import Classifier
from edge.inference.contract import MODELS_FOLDER, find_model
from edge.inference.preprocess import normalize_face
for task in ("emotion", "gender"):
    classifier = Classifier(find_model(MODELS_FOLDER, task), task, int(sys.argv[1]))
    for path in sorted(Path("edge/sources/demo_faces").glob("*.png")):
        face = normalize_face(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
        print(*classifier.classify(face).values)
"""


def test_they_are_known_and_need_no_trial():
    """After new networks: put their hashes into edge/inference/shipped.py, so that each start is faster."""
    found = {read_model(find_model(MODELS_FOLDER, task))[0].sha256 for task in (*TASKS, *FACE_TASKS)}
    assert found == SHIPPED_SHA256


@pytest.mark.parametrize("task", TASKS)
def test_they_are_small_integers_and_what_the_page_on_accuracy_says(task):
    from quantize.tflite.inspect import read_contents

    contract, content = read_model(find_model(MODELS_FOLDER, task))
    contents = read_contents(content)
    assert contents.float_tensors == ()
    assert contents.parameters == contract.parameters < 10_000
    assert contents.size_bytes == contract.size_bytes < 32 * 1024
    page = (ROOT / "docs" / "accuracy.md").read_text()
    split = "val" if task == "emotion" else "test"
    figures = contract.figures[split]["int8"]
    row = next(line for line in page.splitlines() if line.startswith(f"| [{contract.name}]"))
    for figure in (f"{contract.parameters:,}", f"{figures['accuracy']:.1%}", f"{figures['macro_f1']:.3f}"):
        assert figure in row
    card = (MODELS_FOLDER / f"{contract.name}.md").read_text()
    assert contract.sha256 in card
    assert (
        abs(contract.figures["val"]["float_accuracy"] - contract.figures["val"]["int8"]["accuracy"]) <= 0.005
    )


def read_demo(runtime, threads):
    done = subprocess.run(
        [sys.executable, "-c", READ_DEMO, threads],
        env=os.environ | {"EMOTINY_RUNTIME": runtime},
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        timeout=120,
    )
    return [list(map(float, line.split())) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("runtime", ["litert", TFLITE])
def test_threads_answer_equally(runtime):
    assert read_demo(runtime, "1") == read_demo(runtime, "2")


@NEEDS_TFLITE
def test_both_runtimes_answer_alike():
    pairs = zip(read_demo("litert", "1"), read_demo("tflite", "1"), strict=True)
    scores = [(np.array(left), np.array(right)) for left, right in pairs]
    # Their kernels round differently by a unit here and there, and a block that is applied again rounds
    # again: where a face is in doubt, a score may differ by more than a tenth, where it is not, by little.
    assert np.mean([np.abs(left - right).mean() for left, right in scores]) < 0.02
    for left, right in scores:
        np.testing.assert_allclose(left, right, atol=0.2)
    sure = [(left, right) for left, right in scores if max(*left, *right) > 0.75]
    assert len(sure) > len(scores) / 2
    for left, right in sure:
        np.testing.assert_allclose(left, right, atol=0.05)


@pytest.mark.parametrize("gender", GENDERS)
@pytest.mark.parametrize("emotion", EMOTIONS)
def test_the_demo_is_read_as_what_it_shows(emotion, gender):
    face = decode_gray((ROOT / "edge" / "sources" / "demo_faces" / f"{emotion}-{gender}.png").read_bytes())
    assert face is not None
    said = {
        task: Classifier(find_model(MODELS_FOLDER, task), task).classify(normalize_face(face)).label
        for task in TASKS
    }
    assert said["gender"] == gender
    # The mean of hundreds of faces shows fear weakly, and the network recognises it least, see its card.
    if emotion != "fear":
        assert said["emotion"] == emotion


@pytest.mark.data
@pytest.mark.skipif(not DATA, reason="EMOTINY_DATA names no folder with datasets")
def test_the_emotion_figure_is_had_again_from_the_data():
    from train.data import find_data, load_fer2013

    contract, _ = read_model(find_model(MODELS_FOLDER, "emotion"))
    try:
        path = find_data("emotion", DATA)
    except DataError as error:
        pytest.skip(str(error))
    rows = load_fer2013(path).part("val")
    sample = rows.take(np.arange(0, len(rows), 3))
    classifier = Classifier(find_model(MODELS_FOLDER, "emotion"), "emotion")
    labels = [EMOTIONS.index(classifier.classify(normalize_face(image)).label) for image in sample.images]
    accuracy = float((np.array(labels) == sample.labels).mean())
    # A third of the split: its standard error is 1.4 points.
    assert accuracy == pytest.approx(contract.figures["val"]["int8"]["accuracy"], abs=0.04)
