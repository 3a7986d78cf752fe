import pytest

from edge.types import Box, Scores

FRAME_HW = (100, 200)


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        (Box(10, 20, 30, 40), Box(10, 20, 30, 40)),
        (Box(0, 0, 200, 100), Box(0, 0, 200, 100)),
        (Box(-10, 20, 30, 40), Box(0, 20, 20, 40)),
        (Box(10, -20, 30, 40), Box(10, 0, 30, 20)),
        (Box(190, 20, 30, 40), Box(190, 20, 10, 40)),
        (Box(10, 90, 30, 40), Box(10, 90, 30, 10)),
        (Box(-50, -50, 400, 400), Box(0, 0, 200, 100)),
        (Box(199, 99, 5, 5), Box(199, 99, 1, 1)),
        (Box(5, 5, 1, 1), Box(5, 5, 1, 1)),
        (Box(200, 20, 30, 40), None),
        (Box(10, 100, 30, 40), None),
        (Box(-30, 20, 30, 40), None),
        (Box(10, 20, 0, 40), None),
    ],
)
def test_a_box_is_clipped_to_the_frame(box, clipped):
    assert box.clipped(FRAME_HW) == clipped


@pytest.mark.parametrize(
    ("one", "other", "iou"),
    [
        (Box(0, 0, 10, 10), Box(0, 0, 10, 10), 1),
        (Box(0, 0, 10, 10), Box(5, 0, 10, 10), 50 / 150),
        (Box(0, 0, 10, 10), Box(2, 2, 5, 5), 25 / 100),
        (Box(0, 0, 10, 10), Box(10, 0, 10, 10), 0),
        (Box(0, 0, 10, 10), Box(50, 50, 10, 10), 0),
        (Box(3, 3, 1, 1), Box(3, 3, 1, 1), 1),
    ],
)
def test_overlap_of_two_boxes(one, other, iou):
    assert one.iou(other) == pytest.approx(iou)
    assert other.iou(one) == pytest.approx(iou)


def test_the_label_is_the_one_with_the_highest_score():
    scores = Scores(("a", "b", "c"), (0.2, 0.5, 0.3))
    assert (scores.label, scores.confidence) == ("b", 0.5)
