"""The type that every loader returns."""

import cv2
import numpy as np
import pytest

from edge.errors import DataError
from train.data import BadRow, Dataset
from train.data.dataset import check_bad_rows, decode_gray, image_id


@pytest.fixture
def data():
    return Dataset(
        "toy",
        np.arange(3 * 4, dtype=np.uint8).reshape(3, 2, 2),
        np.array([0, 1, 0]),
        ("a", "b"),
        ("x", "y", "z"),
        np.array(["train", "val", "train"]),
        np.arange(12, dtype=np.int32).reshape(3, 4),
        {"age": np.array([30, 40, 50])},
        np.array([[1, 0], [0, 0], [0.5, 0.5]], dtype=np.float32),
    )


def test_rows_are_taken_with_all_that_belongs_to_them(data):
    rows = data.take(np.array([2, 0]))
    assert len(rows) == 2
    assert rows.ids == ("z", "x")
    assert rows.images[:, 0, 0].tolist() == [8, 0]
    assert rows.labels.tolist() == [0, 0]
    assert rows.splits.tolist() == ["train", "train"]
    assert rows.boxes is not None
    assert rows.boxes[0].tolist() == [8, 9, 10, 11]
    assert rows.attributes["age"].tolist() == [50, 30]
    assert rows.soft_labels is not None
    assert rows.soft_labels[0].tolist() == [0.5, 0.5]


def test_a_part_has_the_rows_of_its_split(data):
    assert data.part("train").ids == ("x", "z")
    assert data.part("val").ids == ("y",)
    with pytest.raises(DataError, match="toy: no test rows"):
        data.part("test")


def test_the_fingerprint_depends_on_images_labels_and_splits(data):
    # As computed by earlier versions: the run.json of a run holds it.
    assert data.fingerprint() == "01fae0be199ad835"
    assert data.take(np.arange(3)).fingerprint() == data.fingerprint()
    others = [data.take(np.array([1, 0, 2])), data.take(np.arange(2))]
    assert len({data.fingerprint(), *(other.fingerprint() for other in others)}) == 3


def test_equal_pixels_have_equal_ids():
    assert image_id(b"abc") == image_id(b"abc") != image_id(b"abd")


def test_an_image_is_decoded_to_gray_levels():
    colour = np.zeros((3, 5, 3), np.uint8)
    colour[..., 1] = 255  # green has 58.7 % of the luminance
    image = decode_gray(cv2.imencode(".png", colour)[1].tobytes())
    assert image is not None
    assert image.shape == (3, 5)
    assert image[1, 2] == pytest.approx(0.587 * 255, abs=1)
    assert decode_gray(b"") is None
    assert decode_gray(b"no image") is None


def test_one_bad_row_in_a_hundred_is_the_limit(caplog):
    bad = [BadRow("line 3", "too short")]
    assert check_bad_rows("toy", bad, 99) == tuple(bad)
    assert "toy: left out 1 bad rows, the first: line 3: too short" in caplog.text
    with pytest.raises(
        DataError, match="toy: 1 of 99 rows are bad, more than 1%; the first: line 3: too short"
    ):
        check_bad_rows("toy", bad, 98)


def test_a_dataset_without_a_usable_row_is_refused():
    with pytest.raises(DataError, match=r"toy: no usable row$"):
        check_bad_rows("toy", [], 0)
    with pytest.raises(DataError, match=r"toy: no usable row \(line 3: too short\)"):
        check_bad_rows("toy", [BadRow("line 3", "too short")], 0)
