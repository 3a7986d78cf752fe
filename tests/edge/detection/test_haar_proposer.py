"""What is the cascade's alone; what every proposer must do is tested in test_proposers.py."""

import statistics

import numpy as np
import pytest

from edge.detection.haar import find_cascade
from edge.detection.haar_proposer import HaarProposer
from edge.errors import ConfigError
from edge.labels import EMOTIONS
from tests.support.faces import scene


def test_it_is_named_after_its_cascade(tmp_path):
    assert HaarProposer().name == str(find_cascade())
    copy = tmp_path / "mine.xml"
    copy.write_bytes(find_cascade().read_bytes())
    assert HaarProposer(copy).name == str(copy)


def test_what_is_no_cascade_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.xml: cannot be read: No such file"):
        HaarProposer(tmp_path / "none.xml")
    damaged = tmp_path / "damaged.xml"
    damaged.write_text("hello")
    with pytest.raises(ConfigError, match=r"damaged\.xml: not a cascade"):
        HaarProposer(damaged)


def test_more_hits_are_more_confidence():
    """A face of the size of the cascade's window is hit less often than one that several windows fit."""
    proposer = HaarProposer()

    def confidence(emotion, side):
        gray = scene((emotion, 100, 100, side), size_wh=(320, 240))
        found = [each for part in proposer.plan((240, 320)) for each in proposer.propose(gray, part)]
        return max((each.confidence for each in found), default=0.0)

    small, large = (statistics.median(confidence(each, side) for each in EMOTIONS) for side in (24, 60))
    assert small < large
    assert large > 0.9


def test_faces_below_the_smallest_are_not_proposed():
    gray = scene(("happy", 100, 100, 40), ("happy", 300, 150, 200))
    proposer = HaarProposer(smallest_px=120)
    found = [each for part in proposer.plan((480, 640)) for each in proposer.propose(gray, part)]
    assert found
    assert all(each.side >= 110 for each in found)


def test_a_face_in_the_dark_is_proposed():
    gray = (scene(("happy", 100, 60, 100), size_wh=(320, 240), noise=0) * 0.1 + 5).astype(np.uint8)
    proposer = HaarProposer()
    found = [each for part in proposer.plan((240, 320)) for each in proposer.propose(gray, part)]
    assert any(abs(each.x - 150) < 15 and abs(each.y - 110) < 15 for each in found)
