"""Random views of faces as a camera gives them, computed on the accelerator.

The limits are those of `Spoiling`; the order is that of a camera: light, lens, sensor, compression, detector.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from train.spoiling import Spoiling

SIZE = 48
_LIMITS = Spoiling()
_BLURS = np.linspace(*_LIMITS.blur, 20)
_SIDES = np.arange(round(_LIMITS.distance * SIZE), SIZE)
# The luminance table of JPEG's annex K (ITU-T T.81).
_JPEG = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=np.float32,
)


@dataclass(frozen=True)
class Geometry:
    """Largest random changes of a face's place: degrees, shares of the crop's side, and a factor."""

    roll_deg: float = 0.0
    shift: float = 0.0
    scale: float = 1.0


def place(key: Any, images: Any, geometry: Geometry, amount: Any, flip: bool = True) -> Any:
    """Cuts the network's crop from wider pictures, turned, moved, scaled and mirrored at random.

    Args:
        key: JAX's random key.
        images: (N, S, S) uint8, whose middle 48x48 pixels are the unchanged crop.
        geometry: largest changes.
        amount: (N,) what they are multiplied with, 0 for the unchanged crop.
        flip: whether every other picture is mirrored.

    Returns:
        (N, 48, 48) float32, interpolated linearly; edge pixels are repeated.
    """
    count, side = images.shape[0], images.shape[1]
    draws = jax.random.uniform(key, (5, count), minval=-1.0)
    angle = jnp.deg2rad(geometry.roll_deg) * draws[0] * amount
    factor = jnp.exp(math.log(geometry.scale) * draws[1] * amount)
    mirror = jnp.where(draws[4] > 0, -1.0, 1.0) if flip else jnp.ones(count)
    grid = jnp.arange(SIZE) - (SIZE - 1) / 2
    y, x = grid[None, :, None] * jnp.ones((1, SIZE, SIZE)), grid[None, None, :] * jnp.ones((1, SIZE, SIZE))
    x = x * mirror[:, None, None]
    cosine, sine = (factor * jnp.cos(angle))[:, None, None], (factor * jnp.sin(angle))[:, None, None]
    shift = geometry.shift * SIZE * draws[2:4] * amount
    source_x = cosine * x - sine * y + shift[0][:, None, None] + (side - 1) / 2
    source_y = sine * x + cosine * y + shift[1][:, None, None] + (side - 1) / 2
    return _bilinear(images, jnp.clip(source_x, 0, side - 1), jnp.clip(source_y, 0, side - 1))


def _bilinear(images: Any, x: Any, y: Any) -> Any:
    count, side = images.shape[0], images.shape[1]
    left, top = jnp.floor(x).astype(jnp.int32), jnp.floor(y).astype(jnp.int32)
    across, down = x - left, y - top
    flat = images.reshape(count, side * side)

    def at(row: Any, column: Any) -> Any:
        index = jnp.minimum(row, side - 1) * side + jnp.minimum(column, side - 1)
        values = jnp.take_along_axis(flat, index.reshape(count, -1), axis=1)
        return values.reshape(count, SIZE, SIZE).astype(jnp.float32)

    upper = at(top, left) * (1 - across) + at(top, left + 1) * across
    lower = at(top + 1, left) * (1 - across) + at(top + 1, left + 1) * across
    return upper * (1 - down) + lower * down


def spoil(key: Any, images: Any, clean: Any) -> Any:
    """Spoils pictures as cameras do: light, blur, distance, noise, compression, things before the face.

    Args:
        key: JAX's random key.
        images: (N, 48, 48) float32, 0 to 255.
        clean: share of pictures that are left as they are.

    Returns:
        (N, 48, 48) float32 with whole numbers from 0 to 255.
    """
    count = images.shape[0]
    keys = iter(jax.random.split(key, 32))

    def uniform(low: float = 0.0, high: float = 1.0, shape: Any = (count, 1, 1)) -> Any:
        return jax.random.uniform(next(keys), shape, minval=low, maxval=high)

    spoiled = uniform() >= clean

    def some(share: float) -> Any:
        return spoiled & (uniform() < share)

    x = images
    gamma = jnp.where(some(0.2), jnp.exp(uniform(*np.log(_LIMITS.gamma))), 1.0)
    x = 255 * (jnp.maximum(x, 0) / 255) ** gamma
    ramp = jnp.linspace(0, 1, SIZE)[None, None, :]
    ramp = jnp.where(uniform() < 0.5, ramp, 1 - ramp)
    x = x * jnp.where(some(0.15), 1 - uniform(*_LIMITS.side_light) * ramp, 1.0)
    dark = some(0.2)
    x = x * jnp.where(dark, jnp.exp(uniform(*np.log(_LIMITS.darkness))), 1.0)
    blurs, sides = jnp.asarray(_blur_matrices()), jnp.asarray(_distance_matrices())
    blur = jnp.where(some(0.4)[:, 0, 0], 1 + jnp.floor(uniform(shape=(count,)) * len(_BLURS)), 0)
    distance = jnp.where(some(0.3)[:, 0, 0], 1 + jnp.floor(uniform(shape=(count,)) * len(_SIDES)), 0)
    lens = sides[distance.astype(int)] @ blurs[blur.astype(int)]
    noise = jax.random.normal(next(keys), x.shape)
    sigma = jnp.where(some(0.25), uniform(*_LIMITS.noise), 0.0) + jnp.where(dark, uniform(0.5, 5.0), 0.0)
    # Half of the noise arises before the picture is enlarged: it is soft in the crop.
    soft = uniform() < 0.3
    x = x + jnp.where(soft, sigma * noise * 1.5, 0.0)
    x = lens @ x @ lens.transpose(0, 2, 1)
    x = x + jnp.where(soft, 0.0, sigma * noise)
    x = jnp.clip(jnp.round(x), 0, 255)
    x = jnp.where(some(0.15) & ~dark, _jpeg(x, uniform(*_LIMITS.jpeg)), x)
    return jnp.where(some(0.12), _covered(next(keys), x), x)


def _jpeg(x: Any, quality: Any) -> Any:
    scale = jnp.where(quality < 50, 50 / quality, 2 - quality / 50)[:, :, :, None, None]
    table = jnp.maximum(jnp.asarray(_JPEG)[None, None, None] * scale, 1)
    n = np.arange(8)
    basis = np.cos((2 * n[None] + 1) * n[:, None] * np.pi / 16) * np.where(n[:, None] == 0, 8**-0.5, 0.5)
    basis = jnp.asarray(basis, dtype=jnp.float32)
    blocks = (x - 128).reshape(-1, SIZE // 8, 8, SIZE // 8, 8).transpose(0, 1, 3, 2, 4)
    steps = jnp.round(jnp.einsum("ij,nabjk,lk->nabil", basis, blocks, basis) / table) * table
    blocks = jnp.einsum("ij,nabil,lk->nabjk", basis, steps, basis)
    return jnp.clip(jnp.round(blocks.transpose(0, 1, 3, 2, 4).reshape(x.shape) + 128), 0, 255)


def _covered(key: Any, x: Any) -> Any:
    first, second, third = jax.random.split(key, 3)
    draws = jax.random.uniform(first, (5, x.shape[0], 1, 1))
    grid = jnp.arange(SIZE)
    least, most = _LIMITS.cover
    height, width = ((least + (most - least) * draws[axis]) * SIZE for axis in (2, 3))
    inside_y = jnp.abs(grid[None, :, None] - draws[0] * SIZE) < height / 2
    inside_x = jnp.abs(grid[None, None, :] - draws[1] * SIZE) < width / 2
    grain = jnp.floor(256 * jax.random.uniform(second, x.shape))
    plain = jnp.floor(256 * jax.random.uniform(third, (x.shape[0], 1, 1)))
    return jnp.where(inside_y & inside_x, jnp.where(draws[4] < 0.5, grain, plain), x)


def _blur_matrices() -> Any:
    """Returns (1 + B, 48, 48): nothing, then Gaussian blurs; edge pixels are repeated."""
    matrices = [np.eye(SIZE)]
    for sigma in _BLURS:
        offsets = np.arange(-8, 9)
        weights = np.exp(-(offsets**2) / (2 * sigma**2))
        matrix = np.zeros((SIZE, SIZE))
        for row in range(SIZE):
            np.add.at(matrix[row], np.clip(row + offsets, 0, SIZE - 1), weights / weights.sum())
        matrices.append(matrix)
    return np.stack(matrices).astype(np.float32)


def _distance_matrices() -> Any:
    """Returns (1 + D, 48, 48): nothing, then the mean of areas to fewer pixels and a linear enlargement."""
    matrices = [np.eye(SIZE)]
    for side in _SIDES:
        edges = np.linspace(0, SIZE, side + 1)
        pixels = np.arange(SIZE)
        overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
        reduce = np.maximum(overlap, 0) * side / SIZE
        centres = np.clip((pixels + 0.5) * side / SIZE - 0.5, 0, side - 1)
        low = np.floor(centres).astype(int)
        enlarge = np.zeros((SIZE, side))
        np.add.at(enlarge, (pixels, low), 1 - (centres - low))
        np.add.at(enlarge, (pixels, np.minimum(low + 1, side - 1)), centres - low)
        matrices.append(enlarge @ reduce)
    return np.stack(matrices).astype(np.float32)


def normalized(x: Any) -> Any:
    """Evens contrast, noise and sharpness as `edge.inference.preprocess.normalize_face` does.

    Args:
        x: (N, 48, 48) float32 with whole numbers from 0 to 255.

    Returns:
        (N, 48, 48, 1) float32, likewise.
    """
    mean, deviation = x.mean((1, 2), keepdims=True), x.std((1, 2), keepdims=True)
    gain = jnp.minimum(54.0 / jnp.maximum(deviation, 1.0), 4.0)
    x = jnp.clip(jnp.round((x - mean) * gain + 128), 0, 255)
    return _sharpened(_without_noise(x))[..., None]


def _without_noise(x: Any) -> Any:
    answers = jnp.abs(_filtered(x, (-1.0, 2.0, -1.0))).mean((1, 2), keepdims=True)
    energy = (_laplacian(x) ** 2).mean((1, 2), keepdims=True)
    noise = (64 * answers**2 * (math.pi / 2 / 36) - energy) / 36
    local = _filtered(x, (1 / 3,) * 3)
    variance = _filtered(x * x, (1 / 3,) * 3) - local * local
    share = noise / jnp.maximum(variance, jnp.maximum(noise, 1e-3))
    return jnp.where(noise > 0, jnp.round(x - share * (x - local)), x)


def _sharpened(x: Any) -> Any:
    detail = x - _filtered(_filtered(x, (1 / 5,) * 5), (1 / 5,) * 5)
    of_crop, of_detail = _laplacian(x), _laplacian(detail)
    missing = 30.0**2 - (of_crop**2).mean((1, 2), keepdims=True)
    energy = jnp.maximum((of_detail**2).mean((1, 2), keepdims=True), 1e-6)
    product = (of_crop * of_detail).mean((1, 2), keepdims=True)
    root = jnp.sqrt(jnp.maximum(product**2 + energy * missing, 0))
    amount = jnp.where(missing > 0, jnp.minimum((root - product) / energy, 3.0), 0.0)
    return jnp.clip(jnp.round(x + amount * detail), 0, 255)


def _laplacian(x: Any) -> Any:
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1)), mode="reflect")
    rows = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1]
    return rows + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:] - 4 * x


def _filtered(x: Any, weights: tuple[float, ...]) -> Any:
    """Filters rows and columns with the same weights; edges are mirrored without the edge pixel."""
    reach, size = len(weights) // 2, x.shape[1]
    padded = jnp.pad(x, ((0, 0), (reach, reach), (reach, reach)), mode="reflect")
    rows = sum(w * padded[:, k : k + size] for k, w in enumerate(weights))
    return sum(w * rows[:, :, k : k + size] for k, w in enumerate(weights))
