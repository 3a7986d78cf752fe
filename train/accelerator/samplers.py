"""What a step of training sees: pictures with labels for a teacher, views with answers for a student."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from train.accelerator.camera import Geometry, normalized, place, spoil


def teacher_sampler(geometry: Geometry, erase: float) -> Any:
    """Makes the sampler of a teacher: each picture placed anew, and half of them with a square of noise."""

    def sample(key: Any, batch: Any, settings: Any, data: Any) -> Any:
        keys = jax.random.split(key, 4)
        x = place(keys[0], data["images"][batch], geometry, jnp.ones(len(batch)))
        x = normalized(_erased(keys[1], spoil(keys[2], x, settings["clean"]), erase))
        return _mixed(keys[3], x, data["targets"][batch])

    return sample


def student_sampler(geometry: Geometry) -> Any:
    """Makes the sampler of a student: a random view, moved and spoiled, with the answers for the view."""

    def sample(key: Any, batch: Any, settings: Any, data: Any) -> Any:
        keys = jax.random.split(key, 4)
        view = jax.random.randint(keys[0], batch.shape, 0, data["views"].shape[0])
        images = data["views"][view, batch]
        moved = jax.random.uniform(keys[1], batch.shape) >= settings["clean"]
        x = place(keys[2], images, geometry, moved.astype(jnp.float32))
        answers = data["answers"][view, batch].astype(jnp.float32)
        teaching = settings["teaching"]
        targets = teaching * answers + (1 - teaching) * data["targets"][batch]
        return normalized(spoil(keys[3], x, settings["clean"])), targets

    return sample


def _erased(key: Any, x: Any, share: float) -> Any:
    """Fills a square with noise in half of the pictures (Random Erasing, arXiv:1708.04896)."""
    first, second = jax.random.split(key)
    draws = jax.random.uniform(first, (4, x.shape[0], 1, 1))
    size = x.shape[1]
    half = (0.05 + (share - 0.05) * draws[2]) * size / 2
    grid = jnp.arange(size)
    inside = (jnp.abs(grid[None, :, None] - draws[0] * size) < half) & (
        jnp.abs(grid[None, None, :] - draws[1] * size) < half
    )
    grain = 255 * jax.random.uniform(second, x.shape)
    return jnp.where(inside & (draws[3] < 0.5), grain, x)


def _mixed(key: Any, x: Any, targets: Any) -> Any:
    """Mixes half of the pictures with their neighbour, at most half and half (mixup, arXiv:1710.09412)."""
    draws = jax.random.uniform(key, (2, len(x)))
    share = jnp.where(draws[0] < 0.5, 0.5 * draws[1] ** 2, 0.0)
    wide = share[:, None, None, None]
    return (
        (1 - wide) * x + wide * jnp.roll(x, 1, axis=0),
        (1 - share[:, None]) * targets + share[:, None] * jnp.roll(targets, 1, axis=0),
    )
