"""The demo's faces: what all faces of one label have in common. They are computed; nobody's photograph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from edge.errors import DataError
from edge.inference.classifier import Classifier
from edge.inference.contract import MODELS_FOLDER, find_model
from edge.inference.preprocess import normalize_contrast
from edge.labels import GENDERS
from edge.types import Gray
from train.data import Dataset

_Floats: TypeAlias = npt.NDArray[np.float64]

# Averages are weak expressions, and blurred pictures, which the networks take for smiles. So what tells a
# label and a gender from the others counts twice, and most of the detail that averaging took is given back.
_DETAIL = 0.7
_SAMPLE = 400  # pictures that tell how much detail a photograph has
_MOST = 6.0  # what is amplified more is noise


def average_faces(data: Dataset, genders: npt.NDArray[np.int_]) -> dict[str, Gray]:
    """A face of each label and apparent gender, made of averages over the training pictures.

    A face is the mean of a label's and gender's pictures and, once more, what the label's mean and what the
    gender's mean have beyond that of all; left and right are made alike. Hundreds of pictures go into each,
    mostly thousands, so no person can be made out in it.

    Args:
        data: with a "train" split, (N, H, W) uint8.
        genders: (N,) of that split, as places in `edge.labels.GENDERS`.

    Returns:
        {"label-gender": (H, W) uint8}.

    Raises:
        DataError: a label has no picture of one of the genders.
    """
    training = data.part("train")
    means = _means(training, genders)
    amplitudes = _photographs(training.images)
    of_all = means.mean(axis=(0, 1))
    faces = {}
    for label, name in enumerate(training.label_names):
        for gender, gender_name in enumerate(GENDERS):
            beyond = means[label].mean(axis=0) + means[:, gender].mean(axis=0) - 2 * of_all
            face = means[label, gender] + beyond
            faces[f"{name}-{gender_name}"] = _stretched(_detailed(face, amplitudes))
    return faces


def classify_genders(images: Gray) -> npt.NDArray[np.int_]:
    """What the shipped network reads in pictures that have no label of apparent gender.

    Args:
        images: (N, H, W).

    Returns:
        (N,), places in `edge.labels.GENDERS`.
    """
    classifier = Classifier(find_model(MODELS_FOLDER, "gender"), "gender")
    size = classifier.contract.size
    said = (
        classifier.classify(
            normalize_contrast(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA))
        ).label
        for image in tqdm(images, desc="apparent gender", unit="face")
    )
    return np.array([GENDERS.index(label) for label in said])


def _means(training: Dataset, genders: npt.NDArray[np.int_]) -> _Floats:
    """(labels, genders, H, W): of pictures of equal brightness and contrast."""
    pictures = training.images.astype(np.float32)
    pictures -= pictures.mean(axis=(1, 2), keepdims=True)
    pictures /= pictures.std(axis=(1, 2), keepdims=True) + 1e-3
    means = []
    for label, name in enumerate(training.label_names):
        for gender, gender_name in enumerate(GENDERS):
            rows = (training.labels == label) & (genders == gender)
            if not rows.any():
                raise DataError(f"no training picture of {name} is read as {gender_name}; give more pictures")
            mean = pictures[rows].mean(axis=0, dtype=np.float64)
            means.append((mean + mean[:, ::-1]) / 2)
    return np.reshape(means, (len(training.label_names), len(GENDERS), *pictures.shape[1:]))


def _photographs(images: Gray) -> _Floats:
    """How strong each spatial frequency is in a photograph, as `_amplitudes` gives it."""
    step = max(1, len(images) // _SAMPLE)
    found = [_amplitudes(np.fft.fft2(_padded(image.astype(np.float64)))) for image in images[::step]]
    return np.asarray(np.mean(found, axis=0), dtype=np.float64)


def _detailed(face: _Floats, wanted: _Floats) -> _Floats:
    """The face with its amplitudes brought towards those of photographs; phases, where its shape is, stay."""
    spectrum = np.fft.fft2(_padded(face))
    held = _amplitudes(spectrum)
    # The coarsest shape stays as strong as it is.
    wanted = wanted * held[1:4].sum() / wanted[1:4].sum()
    gain = np.clip((wanted / np.maximum(held, 1e-9)) ** _DETAIL, 1 / _MOST, _MOST)
    height, width = face.shape
    return np.asarray(np.fft.ifft2(spectrum * gain[_rings(spectrum.shape)]).real[:height, :width])


def _amplitudes(spectrum: npt.NDArray[np.complex128]) -> _Floats:
    """Mean amplitude of every ring of spatial frequencies, the lowest first."""
    rings = _rings(spectrum.shape).ravel()
    return np.asarray(np.bincount(rings, np.abs(spectrum).ravel()) / np.bincount(rings))


def _rings(shape: Sequence[int]) -> npt.NDArray[np.int_]:
    frequencies = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None, :])
    return np.asarray(frequencies * shape[0], dtype=np.int_)


def _padded(picture: _Floats) -> _Floats:
    """Mirrored at its edges, which would else be strong frequencies that no face has."""
    height, width = picture.shape
    return np.pad(picture, ((0, height), (0, width)), mode="symmetric")


def _stretched(face: _Floats) -> Gray:
    low, high = np.percentile(face, [0.5, 99.5])
    return np.asarray(np.rint(np.clip((face - low) / (high - low), 0, 1) * 255), dtype=np.uint8)
