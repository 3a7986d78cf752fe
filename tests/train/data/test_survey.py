"""The survey of a dataset that is small enough to count by hand."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import DataError
from train.data import BadRow, Dataset, find_named, load_named
from train.data.survey import Duplicates, survey

DATA = os.environ.get("EMOTINY_DATA", "")

# All pixels of an image have this value, so equal values are copies. 7: twice in train. 8: three times, in
# train and val, as a and as b. 9: in val and test.
PIXELS = [1, 2, 7, 7, 8, 8, 3, 8, 9, 4, 9]
LABELS = [0, 1, 0, 0, 0, 1, 2, 0, 2, 0, 2]
SPLITS = ["train"] * 6 + ["val"] * 3 + ["test"] * 2
SUBJECTS = [1, 1, 2, 2, 3, 3, 4, 3, 5, 6, 5]


@pytest.fixture
def data():
    return Dataset(
        "Toy",
        np.stack([np.full((8, 8), value, np.uint8) for value in PIXELS]),
        np.array(LABELS, dtype=np.int64),
        ("a", "bb", "c", "none"),
        tuple(map(str, range(11))),
        np.array(SPLITS),
        attributes={"subject": np.array(SUBJECTS, dtype=np.int64)},
        bad_rows=tuple(BadRow(f"line {number}", "too short") for number in range(30)),
        left_out={"no face found": 1200, "contempt": 3},
    )


def test_numbers_are_those_counted_by_hand(data):
    result = survey(data)
    assert result.counts == {"train": (4, 2, 0, 0), "val": (1, 0, 2, 0), "test": (1, 0, 1, 0)}
    assert result.total == 11
    assert result.duplicates == Duplicates(groups=3, surplus=4, contradicting=1, across_splits=2, leaked=1)
    assert result.subjects == {"train": 3, "val": 3, "test": 2}
    assert result.shared_subjects == 2  # 3 in train and val, 5 in val and test
    assert (result.bad_count, len(result.bad_rows)) == (30, 20)
    assert result.left_out == {"no face found": 1200, "contempt": 3}


def test_lines_are_an_aligned_table_and_the_faults(data):
    assert survey(data).to_lines() == [
        "Toy: 11 pictures of 8x8",
        "label     train  val  test  all   share",
        "a             4    1     1    6   54.5%",
        "bb            2    0     0    2   18.2%",
        "c             0    2     1    3   27.3%",
        "none          0    0     0    0    0.0%",
        "all           6    3     2   11  100.0%",
        "subjects      3    3     2",
        "subjects in more than one split: 2",
        "damaged, left out: 30",
        *(f"  line {number}: too short" for number in range(5)),
        "left out for known reasons: 1,203",
        "  no face found: 1,200",
        "  contempt: 3",
        "pictures that occur more than once: 3, 4 surplus rows",
        "  with contradicting labels: 1",
        "  in different splits: 2, 1 rows outside the training split",
    ]


def test_a_dataset_without_subjects_or_duplicates(data):
    rows = data.take(np.array([0, 1, 6]))
    result = survey(replace(rows, attributes={}, bad_rows=(), left_out={}))
    assert result.duplicates == Duplicates(0, 0, 0, 0, 0)
    assert list(result.counts) == ["train", "val"]
    assert result.subjects == {}
    assert not any("subjects" in line for line in result.to_lines())
    assert "damaged, left out: 0" in result.to_lines()


def test_images_that_differ_in_one_pixel_are_no_duplicates(data):
    images = np.repeat(data.images[:1], 11, axis=0)
    images[:, 7, 7] = np.arange(11)
    assert survey(replace(data, images=images)).duplicates.groups == 0


def test_a_subject_in_all_three_splits_is_counted_once(data):
    rows = data.take(np.array([0, 6, 9]))
    everywhere = replace(rows, attributes={"subject": np.array([1, 1, 1])})
    assert survey(everywhere).shared_subjects == 1


def test_numbers_survive_json(data):
    stored = json.loads(json.dumps(survey(data).to_dict()))
    assert stored["counts"]["val"] == {"a": 1, "bb": 0, "c": 2, "none": 0}
    assert stored["duplicates"] == {
        "groups": 3,
        "surplus": 4,
        "contradicting": 1,
        "across_splits": 2,
        "leaked": 1,
    }
    assert stored["people"] == {"train": 3, "val": 3, "test": 2}
    assert stored["bad_count"] == 30
    assert stored["bad_rows"][0] == {"where": "line 0", "why": "too short"}
    assert stored["left_out"]["no face found"] == 1200


@pytest.mark.data
@pytest.mark.skipif(not DATA, reason="EMOTINY_DATA names no folder with datasets")
def test_fer2013_has_its_known_duplicates():
    try:
        find_named("fer2013", DATA)
    except DataError as error:
        pytest.skip(str(error))
    result = survey(load_named("fer2013", DATA))
    assert result.duplicates.surplus > 1000
    assert result.duplicates.across_splits > 100


@pytest.mark.data
@pytest.mark.skipif(not DATA, reason="EMOTINY_DATA names no folder with datasets")
def test_ckplus_is_split_by_subject():
    try:
        find_named("ckplus", DATA)
    except DataError as error:
        pytest.skip(str(error))
    result = survey(load_named("ckplus", DATA))
    assert result.shared_subjects == 0
    assert set(result.counts) == {"train", "val"}
    assert 0.1 < sum(result.counts["val"]) / result.total < 0.3
    assert min(result.counts["val"]) > 0
