"""The survey's figures on a set small enough to count by hand, and its drawing."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import DataError, OutputError
from train.data import BadRow, Dataset, find_named, load_named
from train.data.survey import Duplicates, survey
from train.reports.dataset_plot import contact_strip, save_survey_png

DATA = os.environ.get("EMOTINY_DATA", "")

# Pictures are constant, so equal numbers are equal pictures. 7: twice in train. 8: thrice, in train and val,
# as a and as b. 9: in val and test.
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


def test_figures_are_those_counted_by_hand(data):
    seen = survey(data)
    assert seen.counts == {"train": (4, 2, 0, 0), "val": (1, 0, 2, 0), "test": (1, 0, 1, 0)}
    assert seen.total == 11
    assert seen.duplicates == Duplicates(groups=3, surplus=4, contradicting=1, across_splits=2, leaked=1)
    assert seen.subjects == {"train": 3, "val": 3, "test": 2}
    assert seen.shared_subjects == 2  # 3 in train and val, 5 in val and test
    assert (seen.bad_count, len(seen.bad_rows)) == (30, 20)
    assert seen.left_out == {"no face found": 1200, "contempt": 3}


def test_lines_are_an_aligned_table_and_what_is_wrong(data):
    assert survey(data).to_lines() == [
        "Toy: 11 pictures of 8x8",
        "label   train  val  test  all   share",
        "a           4    1     1    6   54.5%",
        "bb          2    0     0    2   18.2%",
        "c           0    2     1    3   27.3%",
        "none        0    0     0    0    0.0%",
        "all         6    3     2   11  100.0%",
        "people      3    3     2",
        "people in more than one split: 2",
        "damaged, left out: 30",
        *(f"  line {number}: too short" for number in range(5)),
        "left out for known reasons: 1,203",
        "  no face found: 1,200",
        "  contempt: 3",
        "pictures that stand there more than once: 3, 4 rows too many",
        "  with contradicting labels: 1",
        "  in different splits: 2, 1 rows outside the training split",
    ]


def test_a_set_without_people_or_duplicates(data):
    rows = data.take(np.array([0, 1, 6]))
    seen = survey(replace(rows, attributes={}, bad_rows=(), left_out={}))
    assert seen.duplicates == Duplicates(0, 0, 0, 0, 0)
    assert list(seen.counts) == ["train", "val"]
    assert seen.subjects == {}
    assert not any("people" in line for line in seen.to_lines())
    assert "damaged, left out: 0" in seen.to_lines()


def test_pictures_that_differ_in_one_pixel_are_no_duplicates(data):
    images = np.repeat(data.images[:1], 11, axis=0)
    images[:, 7, 7] = np.arange(11)
    assert survey(replace(data, images=images)).duplicates.groups == 0


def test_dict_is_json_and_holds_the_figures(data):
    held = json.loads(json.dumps(survey(data).to_dict()))
    assert held["counts"]["val"] == {"a": 1, "bb": 0, "c": 2, "none": 0}
    assert held["duplicates"] == {
        "groups": 3,
        "surplus": 4,
        "contradicting": 1,
        "across_splits": 2,
        "leaked": 1,
    }
    assert held["bad_count"] == 30
    assert held["bad_rows"][0] == {"where": "line 0", "why": "too short"}
    assert held["left_out"]["no face found"] == 1200


def test_the_strip_shows_pictures_of_each_label_and_white_where_there_are_fewer(data):
    strip = contact_strip(data, count=3).reshape(4, 8, 3, 8)
    # Rows 0, 2, 3, 4, 7, 9 are "a": the first, one of the middle, the last.
    assert strip[0, 0, :, 0].tolist() == [1, 7, 4]
    assert strip[1, 0, :, 0].tolist() == [2, 8, 255]
    assert (strip[3] == 255).all()
    assert (strip == strip[:, :1, :, :1]).all()


def test_png_is_drawn_into_a_new_folder_and_leaves_nothing_else(data, tmp_path):
    path = tmp_path / "data" / "Toy" / "survey.png"
    save_survey_png(survey(data), data, path)
    picture = cv2.imread(str(path))
    assert picture.shape[1] == 990
    assert picture.std() > 20
    assert list(path.parent.iterdir()) == [path]


def test_png_that_cannot_be_written(data, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"survey\.png: cannot be written"):
        save_survey_png(survey(data), data, tmp_path / "file" / "survey.png")


def test_reading_data_imports_nothing_heavy():
    code = (
        "import sys, train.data, train.data.survey;"
        "print([name for name in ('tensorflow', 'keras', 'matplotlib', 'imgaug', 'scipy') "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
        timeout=60,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.data
@pytest.mark.skipif(not DATA, reason="EMOTINY_DATA names no folder with datasets")
def test_fer2013_shows_its_known_duplicates():
    try:
        find_named("fer2013", DATA)
    except DataError as error:
        pytest.skip(str(error))
    seen = survey(load_named("fer2013", DATA))
    assert seen.duplicates.surplus > 1000
    assert seen.duplicates.across_splits > 100


@pytest.mark.data
@pytest.mark.skipif(not DATA, reason="EMOTINY_DATA names no folder with datasets")
def test_ckplus_is_split_by_people():
    try:
        find_named("ckplus", DATA)
    except DataError as error:
        pytest.skip(str(error))
    seen = survey(load_named("ckplus", DATA))
    assert seen.shared_subjects == 0
    assert set(seen.counts) == {"train", "val"}
    assert 0.1 < sum(seen.counts["val"]) / seen.total < 0.3
    assert min(seen.counts["val"]) > 0
