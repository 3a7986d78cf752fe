"""Datasets that are split by subject."""

from pathlib import Path

import numpy as np
import pytest

from edge.errors import DataError
from edge.types import Box
from train.data import BadRow
from train.data.subjects import LeftOut, SubjectRow, Tenths, split_by_subject, split_of

PATH = Path("here")


def row(number, box=None, **attributes):
    image = np.full((4, 4), number, np.uint8)
    return SubjectRow(f"{number}.png", number // 2, number % 2, image, box, attributes)


def test_tenths_of_the_subjects_are_held_out():
    splits = [split_of(subject, Tenths(val=2, test=1)) for subject in range(10_000)]
    assert splits.count("val") / 10_000 == pytest.approx(0.2, abs=0.01)
    assert splits.count("test") / 10_000 == pytest.approx(0.1, abs=0.01)
    assert "test" not in {split_of(subject, Tenths(val=2, test=0)) for subject in range(1000)}


def test_a_subject_keeps_its_split_in_later_versions():
    # Trained networks were validated on these subjects.
    tenths = Tenths(val=2, test=2)
    assert [split_of(subject, tenths) for subject in range(12)] == [
        "train",
        "train",
        "train",
        "train",
        "test",
        "train",
        "test",
        "test",
        "val",
        "val",
        "train",
        "val",
    ]


def test_nobody_appears_in_two_splits():
    data = split_by_subject("toy", PATH, ("a", "b"), map(row, range(60)), Tenths(val=3, test=3))
    subjects = data.attributes["subject"]
    assert subjects.tolist() == [number // 2 for number in range(60)]
    assert set(data.splits) == {"train", "val", "test"}
    assert all(len(set(data.splits[subjects == subject])) == 1 for subject in range(30))


def test_rows_become_arrays():
    rows = [row(number, Box(number, 1, 2, 3), age=20 + number) for number in range(3)]
    data = split_by_subject("toy", PATH, ("a", "b"), rows, Tenths(1, 1))
    assert data.ids == ("0.png", "1.png", "2.png")
    assert data.images[:, 0, 0].tolist() == [0, 1, 2]
    assert data.labels.tolist() == [0, 1, 0]
    assert data.attributes["age"].tolist() == [20, 21, 22]
    assert data.boxes is not None
    assert data.boxes.dtype == np.int32
    assert data.boxes.tolist() == [[number, 1, 2, 3] for number in range(3)]


def test_a_dataset_that_is_not_searched_has_no_boxes():
    assert split_by_subject("toy", PATH, ("a", "b"), [row(0)], Tenths(1, 1)).boxes is None


def test_rows_left_out_are_counted_by_reason_and_logged(caplog):
    caplog.set_level("INFO")
    rows = [
        LeftOut("dark"),
        *map(row, range(200)),
        BadRow("x.png", "empty"),
        LeftOut("dark"),
        LeftOut("blurred"),
    ]
    data = split_by_subject("toy", PATH, ("a", "b"), rows, Tenths(1, 1))
    assert len(data) == 200
    assert data.left_out == {"dark": 2, "blurred": 1}
    assert [bad.where for bad in data.bad_rows] == ["x.png"]
    assert "toy in here: left out 3, as is usual with this dataset: dark 2, blurred 1" in caplog.text


def test_reasons_are_named_where_no_row_is_usable():
    with pytest.raises(DataError, match=r"toy in here \(left out: dark 1\): no usable row"):
        split_by_subject("toy", PATH, ("a", "b"), [LeftOut("dark")], Tenths(1, 1))
