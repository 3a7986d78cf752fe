"""How many people can be told from the lines of their uncovered faces, next to the pictures themselves.

It is as easy as it can be: CK+'s pictures of a person were taken on one day in one light, the face is always
in the same place, and the classifier (a linear discriminant) has learned from the very lines. What it learns
from shows other emotions than what it is asked about. `pytest -s` prints the shares.
"""

import os

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from edge.aim.outline import outline

DATA = os.environ.get("EMOTINY_DATA", "")
SIDE = 40  # of what the classifier sees of a face, in pixels


def frame_with(face, side, random):
    """Puts a face of `side` pixels into the middle of a gray frame of 640x480 with noise, nearly."""
    gray = np.full((480, 640), 128.0)
    left, top = 320 - side // 2 + random.integers(-3, 4), 240 - side // 2 + random.integers(-3, 4)
    gray[top : top + side, left : left + side] = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    return (gray + random.normal(0, 2, gray.shape)).clip(0, 255).astype(np.uint8)


def seen(gray, side):
    half = round(0.46 * side)
    middle = gray[240 - half : 240 + half, 320 - half : 320 + half]
    return cv2.resize(middle, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float64).ravel()


def seen_lines(gray, side):
    # Blurred, or a line that is a pixel beside another one would have nothing in common with it.
    return seen(cv2.GaussianBlur(outline(gray, []), (0, 0), side / 25), side)


def share_told(known, asked):
    """Returns the share of `asked` that are nearest to the right person; both are [(person, vector)]."""
    people, vectors = np.array([person for person, _ in known]), np.array([each for _, each in known])
    mean = vectors.mean(axis=0)
    _, _, axes = np.linalg.svd(vectors - mean, full_matrices=False)
    axes = axes[:80].T
    reduced = (vectors - mean) @ axes
    centres = {person: reduced[people == person].mean(axis=0) for person in set(people.tolist())}
    within = reduced - np.array([centres[person] for person in people.tolist()])
    scatter = within.T @ within / len(within)
    scatter += (0.1 * np.trace(scatter) / len(scatter) + 1e-6) * np.eye(len(scatter))
    whiten = np.linalg.cholesky(np.linalg.inv(scatter))

    def nearest(vector):
        point = (vector - mean) @ axes
        return min(centres, key=lambda person: np.sum(((point - centres[person]) @ whiten) ** 2))

    return float(np.mean([nearest(vector) == person for person, vector in asked]))


@pytest.mark.data
@pytest.mark.skipif(not DATA, reason="EMOTINY_DATA names no folder with datasets")
def test_few_people_can_be_told_from_uncovered_lines():
    from train.data.ckplus import load_ckplus  # which needs more than a device has
    from train.data.locate import find_named

    dataset = load_ckplus(find_named("ckplus", DATA))
    subjects = dataset.attributes["subject"].tolist()
    random = np.random.default_rng(0)
    rows: dict[int, dict[int, list[int]]] = {}
    for row, (person, label) in enumerate(zip(subjects, dataset.labels.tolist(), strict=True)):
        rows.setdefault(person, {}).setdefault(label, []).append(row)
    rows = {person: labels for person, labels in rows.items() if len(labels) > 1}
    assert len(rows) > 60
    shares = {}
    for side in (60, 100, 160):
        for name, look in (("picture", seen), ("lines", seen_lines)):
            known: list[tuple[int, npt.NDArray[np.float64]]] = []
            asked: list[tuple[int, npt.NDArray[np.float64]]] = []
            for person, labels in rows.items():
                first, *others = sorted(labels)
                for label, into, count in ((first, asked, 1), *((other, known, 2) for other in others)):
                    for row in labels[label][:count]:
                        into.append((person, look(frame_with(dataset.images[row], side, random), side)))
            shares[name, side] = share_told(known, asked)
            print(f"{name}, face of {side} of 640 pixels: {shares[name, side]:.0%} of {len(rows)} people")
    assert min(shares["picture", side] for side in (60, 100, 160)) > 0.7
    assert shares["lines", 60] < 0.3
    assert shares["lines", 100] < 0.4
