"""Recall by size, roll and light."""

import numpy as np

from train.evaluation.bands import ScoredFaces, face_bands

FACES = ScoredFaces(
    score=np.array([3.0, 1.0, -np.inf, 2.0]),
    side=np.array([10.0, 14.0, 30.0, 50.0]),
    roll=np.array([0.0, -12.0, 30.0, 10.0]),
    dim=np.array([False, True, True, False]),
)


def test_each_face_counts_in_the_bands_that_it_belongs_to():
    bands = {
        band.name: band
        for band in face_bands(FACES, ((9.5, 14), (14, 36), (36, np.inf)), {"low": 0.5, "high": 2})
    }
    assert {name: band.count for name, band in bands.items()} == {
        "side 9.5-14": 1,
        "side 14-36": 2,
        "side 36+": 1,
        "roll 0-10": 1,
        "roll 10-25": 2,
        "roll 25-40": 1,
        "light as it is": 2,
        "dim with noise": 2,
    }
    assert bands["side 14-36"].recall == {"low": 0.5, "high": 0}
    assert bands["roll 10-25"].recall == {"low": 1, "high": 0.5}
    assert bands["light as it is"].recall == {"low": 1, "high": 1}


def test_a_band_without_faces_has_no_recall():
    (band, *_) = face_bands(FACES, ((100, 200),), {"low": 0.5})
    assert (band.count, band.recall) == (0, {"low": None})
    assert band.to_dict() == {"count": 0, "recall": {"low": None}}
