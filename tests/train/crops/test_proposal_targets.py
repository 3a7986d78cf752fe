"""What the proposal network should return, and what its output means."""

import numpy as np
import pytest

from edge.detection.outputs import STRIDE_PX
from train.crops.proposal_targets import COUNTS, DX, DY, HEAT, SIZE, WEIGHT, decode_maps, encode_faces

NONE = np.zeros((0, 3), np.float32)


def test_a_face_has_one_centre_and_its_box_is_encoded_around_it():
    target = encode_faces([(30.0, 19.5, 18.0)], NONE, 8)
    assert target.shape == (8, 8, 6)
    # Cell (2, 3) covers the pixels 24 to 31 and 16 to 23, with its centre at (27.5, 19.5).
    assert np.argwhere(target[..., WEIGHT] == 1).tolist() == [[2, 3]]
    np.testing.assert_allclose(target[2, 3], [1, 2.5 / 8, 0, 0, 1, 1])
    np.testing.assert_allclose(target[2, 4, [DX, DY, WEIGHT]], [-5.5 / 8, 0, 0.3], rtol=1e-6)
    assert target[2, 4, HEAT] == pytest.approx(np.exp(-(5.5**2) / (2 * 4**2)))
    assert target[6:, :, WEIGHT].sum() == 0


@pytest.mark.parametrize(
    "face", [(0.0, 0.0, 9.5), (63.4, 63.4, 36.0), (7.5, 8.4, 14.0), (31.6, 40.0, 20.0), (-0.4, 12.0, 12.0)]
)
def test_decoding_returns_what_was_encoded(face):
    target = encode_faces([face], NONE, 8)
    logits, boxes = decode_maps(target[None, ..., : SIZE + 1])
    learned = target[..., WEIGHT] > 0
    np.testing.assert_allclose(boxes[0][learned], np.tile(face, (int(learned.sum()), 1)), atol=1e-4)
    assert logits[0].max() == 1
    row, column = np.unravel_index(logits[0].argmax(), (8, 8))
    assert abs(column * STRIDE_PX + 3.5 - face[0]) <= 4
    assert abs(row * STRIDE_PX + 3.5 - face[1]) <= 4


def test_of_two_faces_each_cell_learns_the_nearer_one():
    target = encode_faces([(20.0, 20.0, 16.0), (44.0, 20.0, 30.0)], NONE, 8)
    assert np.argwhere(target[..., WEIGHT] == 1).tolist() == [[2, 2], [2, 5]]
    assert target[2, 2, DX] > 0  # 20.0 lies right of the cell's centre, 19.5
    _, boxes = decode_maps(target[None, ..., : SIZE + 1])
    np.testing.assert_allclose(boxes[0, 2, 3], (20, 20, 16), rtol=1e-5)  # its centre is at 27.5
    np.testing.assert_allclose(boxes[0, 2, 4], (44, 20, 30), rtol=1e-5)  # at 35.5
    # Both would reach the cell at 27.5; the order of the faces does not matter.
    for faces in ([(24, 20, 16), (34, 20, 16)], [(34, 20, 16), (24, 20, 16)]):
        _, boxes = decode_maps(encode_faces(faces, NONE, 8)[None, ..., : SIZE + 1])
        np.testing.assert_allclose(boxes[0, 2, 3], (24, 20, 16), rtol=1e-5)


def test_ignored_circles_do_not_count_except_in_a_face_s_own_cell():
    target = encode_faces([(20.0, 20.0, 16.0)], [(28.0, 20.0, 12.0)], 8)
    assert target[2, 3, COUNTS] == 0
    assert target[2, 2, COUNTS] == 1
    assert target[2, 2, HEAT] == 1
    assert target[6, 6, COUNTS] == 1


def test_a_crop_without_faces_is_all_background():
    target = encode_faces(np.zeros((0, 4), np.float32), NONE, 4)
    assert (target == [0, 0, 0, 0, 0, 1]).all()
