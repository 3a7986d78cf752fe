"""The expanded set as files: they are read again as they were written, and nothing is overwritten."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from edge.labels import EMOTIONS  # noqa: E402
from tests.support.pictures import read_picture  # noqa: E402
from train.augment import plain_images  # noqa: E402
from train.data import Dataset, load_fer2013  # noqa: E402
from train.reports.contact_sheet import contact_sheet, write_expansion  # noqa: E402
from train.training.views import expand  # noqa: E402


@pytest.fixture
def training():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (28, 6, 6), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    labels = np.arange(28, dtype=np.int64) % 7
    return Dataset("toy", images, labels, EMOTIONS, tuple(map(str, range(28))), np.array(["train"] * 28))


def test_the_files_are_a_fer2013_folder_with_every_view(training, toy_recipe, tmp_path):
    recipe = replace(toy_recipe, spec=replace(toy_recipe.spec, size=48), views=3)
    views = expand(training, recipe, tmp_path / "cache")
    validation = replace(training, images=training.images[::-1], splits=np.array(["val"] * 28)).take(
        np.arange(21)
    )
    crops = plain_images(validation, recipe.crop)
    sheet = write_expansion(training, views, validation, crops, tmp_path / "out")
    again = load_fer2013(tmp_path / "out")
    # No view of a training image comes into the validation split.
    for rows, images, each in (
        (again.part("train"), np.concatenate(views), 12),
        (again.part("val"), crops, 3),
    ):
        np.testing.assert_array_equal(np.bincount(rows.labels), [each] * 7)
        held = sorted(image.tobytes() for image in rows.images)
        assert held == sorted(image.tobytes() for image in images)
    assert not (again.splits == "test").any()
    drawn = read_picture(sheet, cv2.IMREAD_GRAYSCALE)
    np.testing.assert_array_equal(drawn, contact_sheet(training, views))
    assert drawn.shape == (7 * 3 * 96, 3 * 96)
    np.testing.assert_array_equal(drawn[:96:2, :96:2], views[0, 0])
    with pytest.raises(ConfigError, match="exists; name a folder that does not exist yet"):
        write_expansion(training, views, validation, crops, tmp_path / "out")
