"""The crops that face networks are evaluated on: always the same, half of them as they are and half dim."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.detection.outputs import STRIDE_PX
from edge.types import Gray
from train.crops.photometric import AS_IT_IS, DIM
from train.crops.proposal import ProposalSampler
from train.crops.proposal_targets import Floats, encode_faces
from train.crops.refinement import RefinementSampler
from train.crops.sources import CropSources

_SEED = 99


@dataclass(frozen=True)
class ProposalValidation:
    """Crops for the proposal network.

    Attributes:
        images: (N, size, size) uint8.
        targets: (N, cells, cells, 6) float32, see `train.crops.proposal_targets`.
        faces: the faces of each crop, (F, 4) float32, see `ProposalCrop`.
        ignored: the circles of each crop in which anything may be found, (G, 3) float32.
        dim: (N,) bool, whether the crop is dim and noisy.
    """

    images: Gray
    targets: Floats
    faces: tuple[Floats, ...]
    ignored: tuple[Floats, ...]
    dim: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class RefinementValidation:
    """Crops for the refinement network, half of which show a face.

    Attributes:
        images: (N, size, size) uint8.
        targets: (N, 8) float32, see `train.crops.refinement`.
        sides: (N,) float32, the side of the face in its source in pixels; 0 without a face.
        rolls: (N,) float32, degrees.
        dim: (N,) bool, whether the crop is dim and noisy.
    """

    images: Gray
    targets: Floats
    sides: Floats
    rolls: Floats
    dim: npt.NDArray[np.bool_]


def proposal_validation(sources: CropSources, size: int, count: int) -> ProposalValidation:
    """Draws crops for the proposal network: a pure function of its arguments."""
    sampler = ProposalSampler(sources, AS_IT_IS, size)
    crops = [
        sampler.crop(np.random.default_rng((_SEED, index)), DIM if index % 2 else AS_IT_IS)
        for index in range(count)
    ]
    return ProposalValidation(
        np.stack([crop.image for crop in crops]),
        np.stack([encode_faces(crop.faces, crop.ignored, size // STRIDE_PX) for crop in crops]),
        tuple(crop.faces for crop in crops),
        tuple(crop.ignored for crop in crops),
        np.arange(count) % 2 == 1,
    )


def refinement_validation(sources: CropSources, size: int, count: int) -> RefinementValidation:
    """Draws crops for the refinement network: a pure function of its arguments."""
    sampler = RefinementSampler(sources, AS_IT_IS, size)
    crops = []
    for index in range(count):
        draw = sampler.no_face if index // 2 % 2 else sampler.face
        crops.append(draw(np.random.default_rng((_SEED, index)), DIM if index % 2 else AS_IT_IS))
    return RefinementValidation(
        np.stack([crop.image for crop in crops]),
        np.stack([crop.target for crop in crops]),
        np.array([crop.side for crop in crops], np.float32),
        np.array([crop.roll for crop in crops], np.float32),
        np.arange(count) % 2 == 1,
    )
