"""Lets Keras run on JAX before any test imports it; `make test-accelerator` has an environment with JAX."""

import os

import numpy as np
import pytest

os.environ["KERAS_BACKEND"] = "jax"

pytest.importorskip("jax", reason="needs JAX: make test-accelerator")

from train.accelerator.pack import write_pack


@pytest.fixture
def pack(tmp_path):
    """A pack of faces that a network can learn: label 0 is bright above, label 1 bright below."""
    random = np.random.default_rng(1)
    labels = np.arange(96) % 2
    images = random.integers(60, 120, (96, 56, 56))
    images[labels == 0, :28] += 100
    images[labels == 1, 28:] += 100
    arrays = {
        "task": np.array("gender"),
        "images": images[:64].astype(np.uint8),
        "labels": labels[:64].astype(np.uint8),
        "classes": np.array(2),
        "weights": np.ones(64, np.float32),
        "val_images": images[64:, 4:52, 4:52].astype(np.uint8),
        "val_labels": labels[64:].astype(np.uint8),
    }
    path = tmp_path / "gender.npz"
    write_pack(path, arrays)
    return path, arrays
