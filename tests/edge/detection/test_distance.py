import pytest

from edge.detection.distance import metres


def test_metres_of_a_common_lens():
    assert metres(48, 640, 62.0) == pytest.approx(2.1, abs=0.02)
    assert metres(24, 640, 62.0) == pytest.approx(4.2, abs=0.04)
