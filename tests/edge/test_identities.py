from edge.identity import Identities
from edge.types import Box

LEFT, RIGHT = Box(0, 0, 100, 100), Box(300, 0, 100, 100)


def moved(box, x, y=0):
    return Box(box.x + x, box.y + y, box.width, box.height)


def test_a_face_that_moves_a_little_keeps_its_number():
    identities = Identities()
    for step in range(20):
        assert identities.assign([moved(LEFT, 10 * step)], step / 10) == [1]


def test_the_order_of_the_boxes_does_not_matter():
    identities = Identities()
    assert identities.assign([LEFT, RIGHT], 0.0) == [1, 2]
    assert identities.assign([RIGHT, LEFT], 0.1) == [2, 1]


def test_a_jump_is_somebody_else():
    identities = Identities()
    assert identities.assign([LEFT], 0.0) == [1]
    assert identities.assign([RIGHT], 0.1) == [2]


def test_the_better_overlap_wins_and_the_other_is_new():
    identities = Identities()
    identities.assign([LEFT], 0.0)
    assert identities.assign([moved(LEFT, 40), moved(LEFT, 5)], 0.1) == [2, 1]


def test_two_close_faces_are_not_exchanged():
    identities = Identities()
    one, other = LEFT, moved(LEFT, 60)
    assert identities.assign([one, other], 0.0) == [1, 2]
    assert identities.assign([moved(other, -20), moved(one, -5)], 0.1) == [2, 1]


def test_a_face_missed_for_up_to_a_second_is_remembered():
    identities = Identities()
    assert identities.assign([LEFT], 0.0) == [1]
    assert identities.assign([], 0.5) == []
    assert identities.assign([LEFT], 1.0) == [1]


def test_after_a_second_it_is_forgotten_and_its_number_never_comes_back():
    identities = Identities()
    assert identities.assign([LEFT], 0.0) == [1]
    assert identities.assign([], 0.6) == []
    assert identities.assign([LEFT], 1.1) == [2]
    assert identities.assign([LEFT, RIGHT], 9.0) == [3, 4]
