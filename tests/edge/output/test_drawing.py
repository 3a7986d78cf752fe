import numpy as np
import pytest

from edge.output.drawing import draw_faces
from edge.types import Box

BOX = Box(100, 100, 60, 60)


def test_a_box_and_a_label_next_to_it_are_drawn(frame_and_report):
    frame, report = frame_and_report(0, BOX)
    image = draw_faces(frame.gray, report.faces)
    assert image.shape == (240, 320, 3)
    assert image.dtype == np.uint8
    changed = (image != 90).any(axis=2)
    assert not changed[102:158, 102:158].any()  # the face itself stays visible
    assert changed[100, 100:160].all()
    assert changed[100:160, 100].all()
    assert changed[:100].sum() > 1000


@pytest.mark.parametrize(
    "box", [Box(0, 0, 60, 60), Box(260, 0, 60, 60), Box(0, 180, 60, 60), Box(260, 180, 60, 60)]
)
def test_a_label_is_never_cut_off_at_an_edge(frame_and_report, box):
    def label_pixels(box):
        frame, report = frame_and_report(0, box)
        changed = (draw_faces(frame.gray, report.faces) != 90).any(axis=2)
        changed[box.y : box.y + box.height, box.x : box.x + box.width] = False
        return changed.sum()

    assert label_pixels(box) == label_pixels(BOX)


@pytest.mark.parametrize("wh", [(1, 1), (16, 16), (64, 48), (120, 640), (640, 20), (1920, 1080)])
def test_frames_of_any_size_can_be_drawn_on(frame_and_report, wh):
    frame, report = frame_and_report(0, Box(0, 0, *wh), size_wh=wh)
    assert draw_faces(frame.gray, report.faces).shape == (wh[1], wh[0], 3)


def test_a_label_does_not_cover_another_one(frame_and_report):
    frame, report = frame_and_report(0, BOX, Box(165, 100, 60, 60))
    alone = draw_faces(frame.gray, report.faces[:1])[:100]
    together = draw_faces(frame.gray, report.faces)[:100]
    label = (alone != 90).any(axis=2)
    assert label.sum() > 1000
    np.testing.assert_array_equal(together[label], alone[label])
