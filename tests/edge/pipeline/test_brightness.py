"""How light the pictures are, and what is said of it."""

import logging

import numpy as np
import pytest

from edge.pipeline.brightness import BrightnessMonitor

ROOM = np.full((480, 640), 102, np.uint8)
# Black of a computer, and of video.
BLACKS = [np.full((480, 640), level, np.uint8) for level in (0, 16)]


def shown(light, gray, seconds, at_s):
    """Shows a picture 15 times a second."""
    for number in range(15 * seconds):
        light.update(gray, at_s + number / 15)
    return at_s + seconds


def test_the_level_is_the_mean_measured_once_a_second():
    light = BrightnessMonitor()
    ramp = np.tile(np.linspace(0, 255, 640, dtype=np.uint8), (480, 1))
    assert light.update(ramp, 0.0) == pytest.approx(0.5, abs=0.02)
    assert light.update(BLACKS[1], 0.9) == pytest.approx(0.5, abs=0.02)
    assert light.update(BLACKS[1], 1.0) == pytest.approx(16 / 255)
    assert BrightnessMonitor().update(np.zeros((1, 1), np.uint8), 0.0) == 0.0


@pytest.mark.parametrize("black", BLACKS, ids=["0", "16"])
def test_black_pictures_are_said_once_and_so_is_their_end(black, caplog):
    caplog.set_level(logging.INFO)
    light = BrightnessMonitor()
    now_s = shown(light, ROOM, 5, 0.0)
    now_s = shown(light, black, 8, now_s)  # somebody passes close by
    now_s = shown(light, ROOM, 5, now_s)
    assert caplog.records == []
    now_s = shown(light, black, 60, now_s)
    now_s = shown(light, ROOM, 60, now_s)
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert said == [
        ("WARNING", "the pictures are black: is the lens covered, or is it night?"),
        ("INFO", "the pictures are bright again"),
    ]
