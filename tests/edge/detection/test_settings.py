"""How the detector searches: values that contradict each other are refused."""

from pathlib import Path

import pytest

from edge.detection.settings import DetectorSettings
from edge.errors import ConfigError


def test_a_cascade_is_for_the_detector_that_uses_it():
    assert DetectorSettings("haar", cascade=Path("mine.xml")).cascade == Path("mine.xml")
    with pytest.raises(ConfigError, match=r"cascade mine\.xml: used by --detector haar only"):
        DetectorSettings(cascade=Path("mine.xml"))


@pytest.mark.parametrize("side", [15, 1001])
def test_the_smallest_face_has_limits(side):
    with pytest.raises(ConfigError, match=f"smallest face {side}: must be 16 to 1000"):
        DetectorSettings(min_face=side)
