"""The calibration set is even per label, and its list finds the same images again."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import DataError

pytestmark = pytest.mark.train

from quantize.conversion import calibration_set  # noqa: E402


def test_calibration_is_even_per_label_and_finds_its_pictures_again(toy, tmp_path):
    ids = calibration_set.draw(toy, 10)
    assert ids == calibration_set.draw(toy, 10)
    calibration_set.save_list("emotion", toy, ids, tmp_path)
    rows = calibration_set.calibration_rows("emotion", toy, tmp_path)
    assert np.bincount(rows.labels).tolist() == [10] * 7
    assert set(rows.splits) == {"train"}
    missing = replace(toy, ids=tuple(f"x{name}" for name in toy.ids))
    with pytest.raises(DataError, match="70 of 70 calibration images are not in its training split"):
        calibration_set.calibration_rows("emotion", missing, tmp_path)
    with pytest.raises(DataError, match="60 different training images of 'angry', need 61"):
        calibration_set.draw(toy, 61)


def test_an_image_under_two_labels_is_drawn_once(toy):
    # Every image of "disgust" is in the set as "angry", too; of 60 there are 120 rows.
    ids = tuple(f"{row // 7}-{max(row % 7, 1)}" for row in range(len(toy)))
    drawn = calibration_set.draw(replace(toy, ids=ids), 30)
    assert len(drawn) == len(set(drawn)) == 7 * 30
