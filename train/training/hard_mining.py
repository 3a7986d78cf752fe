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
from tqdm import tqdm

from edge.detection.outputs import STRIDE_PX
from edge.errors import DataError
from edge.inference.preprocess import normalize_contrast
from edge.types import Gray
from train.crops.proposal_targets import decode_maps
from train.data.mapped_array import MappedArray
from train.data.scene_images import SceneImages
from train.data.scenes import SceneFaces
from train.evaluation.proposal_figures import distinct_boxes
from train.models.weights_hash import weights_digest

logger = logging.getLogger(__name__)

_SCALES = (1.0, 0.5, 0.25)  # faces of 9.5 to 144 pixels
_LOWEST_LOGIT = -2.5
_LARGEST_COUNT = 12  # boxes of a scene at one scale
_LARGEST_OVERLAP = 0.2  # with a face; what overlaps more is not clearly wrong
_BATCH = 8


def mined_negatives(images: SceneImages, checkpoint: Path, cache: Path) -> npt.NDArray[np.int32]:
    """Returns the boxes that a proposal network proposes where there is no face.

    Args:
        images: the scenes.
        checkpoint: the network's checkpoint.
        cache: folder in which the boxes are kept: the search takes minutes.

    Returns:
        (M, 5) int32: index of the image, x, y, width and height in its pixels.

    Raises:
        DataError: the checkpoint is missing, or of another kind of network.
        OutputError: the file cannot be written.
    """
    file = cache / f"mined-{images.fingerprint}-{weights_digest(checkpoint)[:16]}.npy"
    if not file.exists():
        network = keras.models.load_model(checkpoint, compile=False)
        if len(network.output_shape) != 4:
            raise DataError(f"{checkpoint}: no proposal network, its output is {network.output_shape}")
        boxes = [box for scale in _SCALES for box in _search(network, images, scale)]
        MappedArray.store(file, np.array(boxes, np.int32).reshape(-1, 5))
    return np.array(MappedArray(file).array)


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
    for start in tqdm(starts, desc=f"mining at scale {scale:g}", unit="batch", mininterval=2.0, leave=False):
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
    kept = kept[scores >= _LOWEST_LOGIT][:_LARGEST_COUNT].astype(np.float64)
    x, y, side = ((kept[:, 0] + 0.5) / scale, (kept[:, 1] + 0.5) / scale, kept[:, 2] / scale)
    inside = (x >= 0) & (y >= 0) & (x < shape[1]) & (y < shape[0])
    found = np.stack([x - side / 2, y - side / 2, side, side], axis=1)[inside]
    true = faces.boxes.astype(np.float64)
    low = np.maximum(found[:, None, :2], true[None, :, :2])
    high = np.minimum(found[:, None, :2] + found[:, None, 2:], true[None, :, :2] + true[None, :, 2:])
    overlap = np.clip(high - low, 0, None).prod(axis=-1)
    areas = found[:, None, 2:].prod(axis=-1) + true[None, :, 2:].prod(axis=-1)
    iou = overlap / (areas - overlap)
    on_face = (iou > _LARGEST_OVERLAP) | ((overlap > 0) & faces.ignore)
    return np.asarray(found[~on_face.any(axis=1)])
