"""The plot of a dataset's survey."""

import numpy as np
import pytest

from edge.errors import OutputError
from tests.support.pictures import read_picture
from train.data import Dataset
from train.data.survey import survey
from train.reports.dataset_plot import contact_strip, save_survey_png

PIXELS = [1, 2, 7, 7, 8, 8, 3, 8, 9, 4, 9]
LABELS = [0, 1, 0, 0, 0, 1, 2, 0, 2, 0, 2]


@pytest.fixture
def data():
    return Dataset(
        "Toy",
        np.stack([np.full((8, 8), value, np.uint8) for value in PIXELS]),
        np.array(LABELS, dtype=np.int64),
        ("a", "bb", "c", "none"),
        tuple(map(str, range(11))),
        np.array(["train"] * 6 + ["val"] * 3 + ["test"] * 2),
    )


def test_the_strip_shows_images_of_each_label_and_white_where_there_are_fewer(data):
    strip = contact_strip(data, count=3).reshape(4, 8, 3, 8)
    # Rows 0, 2, 3, 4, 7, 9 are "a": the first, one of the middle, the last.
    assert strip[0, 0, :, 0].tolist() == [1, 7, 4]
    assert strip[1, 0, :, 0].tolist() == [2, 8, 255]
    assert (strip[3] == 255).all()
    assert (strip == strip[:, :1, :, :1]).all()


def test_png_is_drawn_into_a_new_folder_and_leaves_nothing_else(data, tmp_path):
    path = tmp_path / "data" / "Toy" / "survey.png"
    save_survey_png(survey(data), data, path)
    picture = read_picture(path)
    assert picture.shape[1] == 990
    assert picture.std() > 20
    assert list(path.parent.iterdir()) == [path]


def test_png_that_cannot_be_written(data, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=r"cannot write .*survey\.png: File exists"):
        save_survey_png(survey(data), data, tmp_path / "file" / "survey.png")
