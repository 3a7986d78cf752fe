"""What crops are taken from."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import DataError


def test_a_split_has_its_own_sources(toy_faces):
    assert toy_faces.part("train") is toy_faces.train
    assert toy_faces.part("val") is toy_faces.val
    assert len(toy_faces) == 36
    with pytest.raises(DataError, match="toy scenes: no test rows; expected train or val"):
        toy_faces.part("test")


def test_hashes_change_with_what_they_stand_for(toy_faces):
    swapped = replace(toy_faces, train=toy_faces.val, val=toy_faces.train)
    assert swapped.fingerprint() != toy_faces.fingerprint()
    digests = toy_faces.digests()
    assert set(digests) == {"hard negatives, train", "hard negatives, val"}
    moved = replace(toy_faces.train, hard_negatives=toy_faces.train.hard_negatives + 1)
    after = replace(toy_faces, train=moved).digests()
    assert after["hard negatives, train"] != digests["hard negatives, train"]
    assert after["hard negatives, val"] == digests["hard negatives, val"]
    without = replace(toy_faces.train, hard_negatives=np.zeros((0, 5), np.int32))
    assert replace(toy_faces, train=without, val=without).digests() == {}
