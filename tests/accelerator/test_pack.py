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


def test_a_lossy_pack_is_smaller_changes_little_and_leaves_validation_alone(tmp_path):
    rows = np.linspace(0, 3, 48)
    waves = 120 + 90 * np.sin(rows[:, None] + rows[None, :] + np.arange(500)[:, None, None])
    noisy = np.clip(waves + np.random.default_rng(2).normal(0, 5, waves.shape), 0, 255).astype(np.uint8)
    arrays = {"images": noisy, "val_images": noisy[:50]}
    write_pack(tmp_path / "exact.npz", arrays)
    write_pack(tmp_path / "lossy.npz", arrays, lossy=True)
    assert (tmp_path / "lossy.npz").stat().st_size < 0.8 * (tmp_path / "exact.npz").stat().st_size
    read = read_pack(tmp_path / "lossy.npz")
    np.testing.assert_array_equal(read["val_images"], arrays["val_images"])
    assert 0 < np.abs(read["images"].astype(int) - noisy).mean() < 2
