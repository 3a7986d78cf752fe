"""What is packed for an accelerator: crops before any change of contrast, with room around portraits."""

import numpy as np
import pytest

pytestmark = pytest.mark.train

from edge.labels import EMOTIONS, GENDERS  # noqa: E402
from train.data import Dataset  # noqa: E402
from train.runs import packing  # noqa: E402


def dataset(count, side, names, **more):
    random = np.random.default_rng(count)
    images = random.integers(0, 256, (count, side, side), dtype=np.uint8)
    splits = np.where(np.arange(count) % 4 < 3, "train", "val")
    labels = np.arange(count, dtype=np.int64) % len(names)
    return Dataset("toy", images, labels, names, tuple(map(str, range(count))), splits, **more)


def test_pictures_of_emotions_are_packed_as_they_are(monkeypatch, tmp_path):
    data = dataset(28, 48, EMOTIONS, soft_labels=np.full((28, 7), 1 / 7, np.float32))
    monkeypatch.setattr(packing, "load_located", lambda *_: data)
    monkeypatch.setattr(packing, "find_named", lambda *_: tmp_path)
    monkeypatch.setattr(packing, "with_votes", lambda data, _: data)
    arrays = packing.arrays_for("emotion", "data", tmp_path)
    assert str(arrays["task"]) == "emotion"
    np.testing.assert_array_equal(arrays["images"], data.part("train").images)
    np.testing.assert_array_equal(arrays["val_labels"], data.part("val").labels)
    assert arrays["votes"].shape == (21, 7)
    assert arrays["classes"] == 7


def test_portraits_of_both_sets_are_packed_with_room_around_the_crop(monkeypatch, tmp_path):
    boxes = np.tile(np.array([20, 20, 56, 56], np.int32), (12, 1))
    ages = {"age": np.full(12, 30)}
    sets = {
        "utkface": dataset(12, 96, GENDERS, boxes=boxes, attributes=ages),
        "lfw": dataset(8, 96, GENDERS, boxes=np.tile(np.array([0, 0, 96, 96], np.int32), (8, 1))),
    }
    monkeypatch.setattr(packing, "load_located", lambda name, *_: sets[name])
    arrays = packing.arrays_for("gender", "data", tmp_path)
    assert arrays["images"].shape == (9 + 6, 56, 56)
    assert arrays["val_images"].shape == (3 + 2, 48, 48)
    assert arrays["weights"].shape == arrays["labels"].shape == (15,)
    assert arrays["weights"].mean() == pytest.approx(1)
