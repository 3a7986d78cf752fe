"""Calibration crops depend on a committed seed and count alone."""

import numpy as np
import pytest

from edge.errors import DataError

pytestmark = pytest.mark.train

from quantize.conversion.calibration_crops import calibration_crops, read_seed  # noqa: E402
from train.training.crop_epochs import sampler_of  # noqa: E402


def write(folder, text):
    (folder / "proposal.json").write_text(text)
    return folder


@pytest.fixture
def sampler(proposal_recipe, toy_faces):
    return sampler_of(proposal_recipe, toy_faces.train)


def test_seed_and_count_stand_for_a_list_of_crops(sampler, tmp_path):
    few = calibration_crops("proposal", sampler, write(tmp_path, '{"seed": 3, "count": 4}'))
    again = calibration_crops("proposal", sampler, tmp_path)
    more = calibration_crops("proposal", sampler, write(tmp_path, '{"seed": 3, "count": 6}'))
    other = calibration_crops("proposal", sampler, write(tmp_path, '{"seed": 4, "count": 4}'))
    assert few.shape == (4, 64, 64)
    assert (int(few.min()), int(few.max())) == (0, 255)
    np.testing.assert_array_equal(few, again)
    np.testing.assert_array_equal(few, more[:4])
    assert (few[1] != other[1]).any()


@pytest.mark.parametrize("task", ["proposal", "refinement"])
def test_the_committed_files_hold_some_hundred_crops(task):
    seed, count = read_seed(task)
    assert seed >= 0
    assert 200 <= count <= 2000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected an object with seed and count"),
        ("[]", "expected an object with seed and count"),
        ('{"seed": 1}', "expected an object with seed and count"),
        ('{"seed": 1, "count": 0}', "count 0; expected whole numbers"),
        ('{"seed": "1", "count": 5}', "seed '1' and count 5; expected whole numbers"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_seed("proposal", write(tmp_path, text))
    with pytest.raises(DataError, match=r"refinement\.json"):
        read_seed("refinement", tmp_path)
