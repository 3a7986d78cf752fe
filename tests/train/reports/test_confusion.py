"""The drawing of a confusion matrix."""

import numpy as np
import pytest

from edge.errors import OutputError
from tests.support.pictures import read_picture
from train.evaluation.metrics import Evaluation
from train.reports.confusion import save_confusion_png

NAMES = ("a", "b", "c")


def drawn(confusion, path):
    """The picture of a confusion matrix, BGR."""
    save_confusion_png(Evaluation("toy val", NAMES, np.array(confusion)), path, "toy")
    return read_picture(path)


def test_a_cell_is_as_dark_as_its_share_of_the_row(tmp_path):
    blue = [
        (picture[..., 0].astype(int) - picture[..., 2] > 60).mean()
        for picture in (
            drawn(np.eye(3, dtype=int) * 4, tmp_path / "right.png"),
            drawn(np.ones((3, 3), dtype=int), tmp_path / "even.png"),
        )
    ]
    assert blue[0] > 0.1  # three cells of nine hold all of their row
    assert blue[1] < 0.5 * blue[0]


def test_a_row_without_images_is_drawn(tmp_path):
    assert drawn([[2, 1, 0], [1, 1, 0], [0, 0, 0]], tmp_path / "val.png").shape[0] > 200


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"cannot write .*val\.png"):
        drawn(np.eye(3, dtype=int), tmp_path / "missing" / "val.png")
