"""A pack gives back what was put into it."""

import numpy as np

from train.accelerator.pack import read_pack, read_task, write_pack


def test_pictures_and_numbers_come_back_without_loss(pack):
    path, arrays = pack
    read = read_pack(path)
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
    assert read_task(path) == "gender"


def test_more_pictures_than_one_mosaic_holds_keep_their_order(tmp_path):
    images = np.random.default_rng(2).integers(0, 256, (1_503, 8, 8), dtype=np.uint8)
    write_pack(tmp_path / "many.npz", {"images": images})
    np.testing.assert_array_equal(read_pack(tmp_path / "many.npz")["images"], images)
