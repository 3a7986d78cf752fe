"""Hard negative mining: what a trained proposal network takes for faces, but is none.

The refinement network will judge what the proposal network proposes, so it learns from its mistakes, as each
network of MTCNN does from those of the one before (Zhang et al. 2016, arXiv:1604.02878).
"""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt

from edge.detection.outputs import (
    CROP_MARGIN,
    REFINEMENT_SHIFT_SCALE,
    REFINEMENT_SIZE_SCALE,
    STRIDE_PX,
)
from edge.errors import DataError
from edge.inference.preprocess import Framing, crop_square, normalize_contrast
from edge.types import Box, Gray
from train.crops.proposal_targets import decode_maps
from train.crops.refinement import DX, DY, FACE, SIZE
from train.data.mapped_array import MappedArray
from train.data.scene_images import SceneImages
from train.data.scenes import SceneFaces
from train.evaluation.proposal_figures import distinct_boxes
from train.models.weights_hash import weights_digest
from train.progress import tracked

logger = logging.getLogger(__name__)

# Each size of face is proposed at two scales, as it is by the device in frames of different sizes.
_SCALES = (1.0, 0.7, 0.5, 0.35, 0.25, 0.18)
# The device judges boxes that are this likely and this large, in pixels of the reduced copy.
_LOWEST_LOGIT = -1.5
_LEAST_SIDE_PX = 12.0
_LARGEST_COUNT = 12  # boxes of a scene at one scale
_LARGEST_OVERLAP = 0.2  # with a face; what overlaps more is not clearly wrong
_BATCH = 8
_JUDGED = 512  # crops that are judged at a time
_WRONG_LOGIT = -1.0  # the judge takes a box for a face, or nearly so, from this logit on


def mined_negatives(
    images: SceneImages, checkpoint: Path, cache: Path, judge: Path | None = None
) -> npt.NDArray[np.int32]:
    """Returns the boxes that a proposal network proposes where there is no face.

    Args:
        images: the scenes.
        checkpoint: the network's checkpoint.
        cache: folder in which the boxes are kept: the search takes minutes.
        judge: checkpoint of a refinement network. Of the boxes that it takes for faces, two are returned:
            that box, and where the network moves it. All others are left out. None to return all boxes.

    Returns:
        (M, 5) int32: index of the image, x, y, width and height in its pixels.

    Raises:
        DataError: the checkpoint is missing, or of another kind of network.
        OutputError: the file cannot be written.
    """
    # The cache is good for one way of mining.
    way = f"{'-'.join(f'{100 * scale:g}' for scale in _SCALES)}-{_LOWEST_LOGIT:g}-{_LEAST_SIDE_PX:g}"
    file = cache / f"mined-{images.fingerprint}-{weights_digest(checkpoint)[:16]}-{way}.npy"
    if not file.exists():
        network = keras.models.load_model(checkpoint, compile=False)
        if len(network.output_shape) != 4:
            raise DataError(f"{checkpoint}: no proposal network, its output is {network.output_shape}")
        boxes = [box for scale in _SCALES for box in _search(network, images, scale)]
        MappedArray.store(file, np.array(boxes, np.int32).reshape(-1, 5))
    proposed: npt.NDArray[np.int32] = np.array(MappedArray(file).array)
    if judge is None:
        return proposed
    judged = cache / f"{file.stem}-{weights_digest(judge)[:16]}.npy"
    if not judged.exists():
        MappedArray.store(judged, _mistakes(keras.models.load_model(judge, compile=False), images, proposed))
    return np.array(MappedArray(judged).array)


def _mistakes(
    network: keras.Model, images: SceneImages, boxes: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """Returns the boxes that a refinement network takes for faces, and where it moves them."""
    size, framing = int(network.input_shape[1]), Framing(CROP_MARGIN, 0.0)
    found: list[npt.NDArray[np.float64]] = []
    for start in tracked(range(0, len(boxes), _JUDGED), "judging false alarms", "batches"):
        part = boxes[start : start + _JUDGED]
        crops = np.stack(
            [
                normalize_contrast(crop_square(images.image(index), Box(*box), size, framing))
                for index, *box in part.tolist()
            ]
        )
        outputs = keras.ops.convert_to_numpy(
            network.predict_on_batch(crops[..., np.newaxis].astype(np.float32))
        )
        wrong = outputs[:, FACE] >= _WRONG_LOGIT
        kept, answers = part[wrong].astype(np.float64), outputs[wrong].astype(np.float64)
        side = kept[:, 3]
        centre = kept[:, 1:3] + side[:, None] * (0.5 + answers[:, [DX, DY]] / REFINEMENT_SHIFT_SCALE)
        moved_side = side * np.exp(answers[:, SIZE] / REFINEMENT_SIZE_SCALE)
        corner = centre - moved_side[:, None] / 2
        moved = np.column_stack([kept[:, 0], corner, moved_side, moved_side])
        clear = [not _on_face(box[1:], images.faces[int(box[0])]) for box in moved]
        found += [kept, moved[np.array(clear, np.bool_)]]
    if not found:
        return np.zeros((0, 5), np.int32)
    return np.asarray(np.rint(np.concatenate(found)), np.int32)


def _on_face(box: npt.NDArray[np.float64], faces: SceneFaces) -> bool:
    return not len(_clear_of(box[np.newaxis], faces))


def _search(network: keras.Model, images: SceneImages, scale: float) -> list[tuple[int, ...]]:
    """Returns the boxes at one scale."""
    largest = int(np.ceil(images.shapes.max() * scale))
    side = -(-largest // STRIDE_PX) * STRIDE_PX
    # The same network for images of another size: it is fully convolutional.
    wide = keras.models.clone_model(network.get_layer("body"), input_tensors=keras.Input((side, side, 1)))
    wide.set_weights(network.get_layer("body").get_weights())
    scaling = network.get_layer("scale")
    boxes: list[tuple[int, ...]] = []
    starts = range(0, len(images), _BATCH)
    for start in tracked(starts, f"mining at scale {scale:g}", "batches"):
        indices = range(start, min(start + _BATCH, len(images)))
        pictures = np.stack([_canvas(images.image(index), scale, side) for index in indices])
        pixels = pictures[..., np.newaxis].astype(np.float32) * scaling.scale + scaling.offset
        maps = keras.ops.convert_to_numpy(wide.predict_on_batch(pixels))
        logits, found = decode_maps(np.asarray(maps, np.float32))
        for index, each, candidates in zip(indices, logits, found, strict=True):
            boxes += [
                (index, *map(round, box))
                for box in _wrong(each, candidates, images.image(index).shape, scale, images.faces[index])
            ]
    return boxes


def _canvas(image: Gray, scale: float, side: int) -> Gray:
    """Returns a resized image with even contrast, its edges repeated up to a square."""
    height, width = (max(1, round(extent * scale)) for extent in image.shape)
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) if scale < 1 else image
    even = normalize_contrast(np.asarray(small, np.uint8))
    bordered = cv2.copyMakeBorder(even, 0, side - height, 0, side - width, cv2.BORDER_REPLICATE)
    return np.asarray(bordered, np.uint8)


def _wrong(
    logits: npt.NDArray[np.float32],
    boxes: npt.NDArray[np.float32],
    shape: tuple[int, ...],
    scale: float,
    faces: SceneFaces,
) -> npt.NDArray[np.float64]:
    """Returns (M, 4) boxes, x, y, width and height in the scene's pixels, that lie on no face."""
    scores, kept = distinct_boxes(logits, boxes)
    proposed = (scores >= _LOWEST_LOGIT) & (kept[:, 2] >= _LEAST_SIDE_PX)
    kept = kept[proposed][:_LARGEST_COUNT].astype(np.float64)
    x, y, side = ((kept[:, 0] + 0.5) / scale, (kept[:, 1] + 0.5) / scale, kept[:, 2] / scale)
    inside = (x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0])
    found = np.stack([x - side / 2, y - side / 2, side, side], axis=1)[inside]
    return _clear_of(found, faces)


def _clear_of(found: npt.NDArray[np.float64], faces: SceneFaces) -> npt.NDArray[np.float64]:
    """Returns the (M, 4) boxes that overlap little with clear faces, and not at all with ignored ones."""
    true = faces.boxes.astype(np.float64)
    low = np.maximum(found[:, None, :2], true[None, :, :2])
    high = np.minimum(found[:, None, :2] + found[:, None, 2:], true[None, :, :2] + true[None, :, 2:])
    overlap = np.clip(high - low, 0, None).prod(axis=-1)
    areas = found[:, None, 2:].prod(axis=-1) + true[None, :, 2:].prod(axis=-1)
    iou = overlap / (areas - overlap)
    on_face = (iou > _LARGEST_OVERLAP) | ((overlap > 0) & faces.ignore)
    return np.asarray(found[~on_face.any(axis=1)])
