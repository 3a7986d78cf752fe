"""Boxes that were taken for faces: distinct ones, and no image counts too much."""

import numpy as np
import pytest

from train.crops.false_alarms import FalseAlarms


def test_boxes_that_are_nearly_the_same_are_kept_once():
    boxes = np.array(
        [(0, 10, 10, 20, 20), (0, 12, 11, 20, 20), (0, 60, 10, 20, 20), (1, 12, 11, 20, 20)], np.int32
    )
    assert len(FalseAlarms(boxes)) == 3


def test_an_image_with_many_boxes_is_drawn_by_the_root_of_their_number():
    apart = [(7, 100 * number, 0, 20, 20) for number in range(25)]
    alarms = FalseAlarms(np.array([(3, 5, 5, 20, 20), *apart], np.int32))
    random = np.random.default_rng(0)
    images = [alarms.draw(random)[0] for _ in range(3000)]
    assert set(images) == {3, 7}
    assert images.count(7) / images.count(3) == pytest.approx(5, rel=0.15)


def test_no_box_is_no_alarm():
    assert len(FalseAlarms(np.zeros((0, 5), np.int32))) == 0
