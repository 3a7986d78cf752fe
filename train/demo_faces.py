"""Computes the demo's faces as averages of many images, so that none of them shows a real person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import DataError
from edge.inference.classifier import Classifier
from edge.inference.contract import MODELS_FOLDER, find_model
from edge.inference.preprocess import normalize_face
from edge.labels import GENDERS
from edge.types import Gray
from train.data import Dataset
from train.progress import tracked

_Floats: TypeAlias = npt.NDArray[np.float64]

# Averages have weak expressions and are blurred, which the networks take for smiles. So the difference of a
# label and a gender from the others counts twice, and most of the detail that averaging removes is restored.
_DETAIL = 0.7
_SAMPLE_SIZE = 400  # images in which the detail of a photograph is measured
_MAX_GAIN = 6.0  # beyond it, noise is amplified


def average_faces(data: Dataset, genders: npt.NDArray[np.int_]) -> dict[str, Gray]:
    """Computes a face of each label and apparent gender from averages over the training images.

    A face is the mean of the images of a label and gender, plus the differences of the label's mean and of
    the gender's mean from the mean of all; it is made symmetric. Hundreds of images, mostly thousands, go
    into each face, so that nobody can be recognized in it.

    Where annotators voted, an image counts by the square root of its label's share of the votes: a face that
    most of them take for another expression would make the mean say less, while with the share itself the
    rare labels would be means of too few faces.

    Args:
        data: a dataset with a "train" split of N rows, with votes if it has them.
        genders: (N,) genders of these rows, index into `edge.labels.GENDERS`.

    Returns:
        {"label-gender": (H, W) uint8}.

    Raises:
        DataError: a label has no image of one of the genders.
    """
    training = data.part("train")
    means = _means(training, genders)
    amplitudes = _photograph_amplitudes(training.images)
    mean_of_all = means.mean(axis=(0, 1))
    faces = {}
    for label, name in enumerate(training.label_names):
        for gender, gender_name in enumerate(GENDERS):
            difference = means[label].mean(axis=0) + means[:, gender].mean(axis=0) - 2 * mean_of_all
            face = means[label, gender] + difference
            faces[f"{name}-{gender_name}"] = _stretched(_with_detail(face, amplitudes))
    return faces


def classify_genders(images: Gray) -> npt.NDArray[np.int_]:
    """Classifies apparent gender with the shipped network, for a dataset that does not annotate it.

    Args:
        images: (N, H, W) uint8.

    Returns:
        (N,) index into `edge.labels.GENDERS`.
    """
    classifier = Classifier(find_model(MODELS_FOLDER, "gender"), "gender")
    size = classifier.contract.size
    labels = (
        classifier.classify(
            normalize_face(cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA))
        ).label
        for image in tracked(images, "apparent gender", "faces")
    )
    return np.array([GENDERS.index(label) for label in labels])


def _means(training: Dataset, genders: npt.NDArray[np.int_]) -> _Floats:
    """Returns the mean images, (labels, genders, H, W), after brightness and contrast are made equal."""
    images = training.images.astype(np.float32)
    images -= images.mean(axis=(1, 2), keepdims=True)
    images /= images.std(axis=(1, 2), keepdims=True) + 1e-3
    votes, means = training.soft_labels, []
    for label, name in enumerate(training.label_names):
        for gender, gender_name in enumerate(GENDERS):
            rows = (training.labels == label) & (genders == gender)
            weights = np.ones(rows.sum()) if votes is None else np.sqrt(votes[rows, label])
            if not weights.sum():
                raise DataError(
                    f"no training picture of {name} is read as {gender_name}; expected at least one: use a "
                    "larger dataset"
                )
            mean = np.average(images[rows], axis=0, weights=weights)
            means.append((mean + mean[:, ::-1]) / 2)
    return np.reshape(means, (len(training.label_names), len(GENDERS), *images.shape[1:]))


def _photograph_amplitudes(images: Gray) -> _Floats:
    """Returns the mean over photographs of what `_amplitudes` returns."""
    step = max(1, len(images) // _SAMPLE_SIZE)
    amplitudes = [_amplitudes(np.fft.fft2(_padded(image.astype(np.float64)))) for image in images[::step]]
    return np.asarray(np.mean(amplitudes, axis=0), dtype=np.float64)


def _with_detail(face: _Floats, target: _Floats) -> _Floats:
    """Moves a face's amplitudes towards those of photographs; the phases, which make its shape, stay."""
    spectrum = np.fft.fft2(_padded(face))
    amplitudes = _amplitudes(spectrum)
    # The coarsest shape keeps its strength.
    target = target * amplitudes[1:4].sum() / target[1:4].sum()
    gain = np.clip((target / np.maximum(amplitudes, 1e-9)) ** _DETAIL, 1 / _MAX_GAIN, _MAX_GAIN)
    height, width = face.shape
    return np.asarray(np.fft.ifft2(spectrum * gain[_rings(spectrum.shape)]).real[:height, :width])


def _amplitudes(spectrum: npt.NDArray[np.complex128]) -> _Floats:
    """Returns the mean amplitude of each ring of spatial frequencies, the lowest first."""
    rings = _rings(spectrum.shape).ravel()
    return np.asarray(np.bincount(rings, np.abs(spectrum).ravel()) / np.bincount(rings))


def _rings(shape: Sequence[int]) -> npt.NDArray[np.int_]:
    frequencies = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None, :])
    return np.asarray(frequencies * shape[0], dtype=np.int_)


def _padded(image: _Floats) -> _Floats:
    """Mirrors an image at its edges, which would otherwise add strong frequencies that no face has."""
    height, width = image.shape
    return np.pad(image, ((0, height), (0, width)), mode="symmetric")


def _stretched(face: _Floats) -> Gray:
    low, high = np.percentile(face, [0.5, 99.5])
    return np.asarray(np.rint(np.clip((face - low) / (high - low), 0, 1) * 255), dtype=np.uint8)
