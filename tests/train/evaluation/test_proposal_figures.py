"""Figures of proposal networks, from outputs that are known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from train.crops.proposal_targets import COUNTS, HEAT, SIZE, WEIGHT, encode_faces
from train.crops.validation import ProposalValidation, proposal_validation
from train.evaluation.proposal_figures import proposal_figures


@pytest.fixture(scope="module")
def crops(toy_sources):
    return proposal_validation(toy_sources("val"), 64, 40)


def perfect(crops):
    """Returns what a network without errors returns: the targets, with sure logits."""
    outputs = crops.targets[..., : SIZE + 1].copy()
    outputs[..., HEAT] = np.where(crops.targets[..., WEIGHT] == 1, 8.0, -8.0)
    return outputs


def returning(outputs):
    """Returns a network with constant outputs."""
    return lambda _: outputs


def validation(faces, ignored=(), size=64):
    """Returns a validation of one crop."""
    faces = np.array(faces, np.float32).reshape(-1, 4)
    ignored = np.array(ignored, np.float32).reshape(-1, 3)
    target = encode_faces(faces, ignored, size // 8)
    images = np.zeros((1, size, size), np.uint8)
    return ProposalValidation(images, target[None], (faces,), (ignored,), np.array([False]))


def test_a_network_without_errors_finds_all_faces(crops):
    figures = proposal_figures(lambda images: perfect(crops), crops)
    assert figures.faces == sum(len(faces) for faces in crops.faces)
    recall, score = figures.curve.at_precision(0.95)
    assert recall > 0.95  # of two faces in one cell, one is lost
    assert score == 8
    assert figures.centre_error < 0.01
    assert figures.side_error < 0.01
    assert all(band.recall["0.95"] in (None, 1) or band.recall["0.95"] > 0.9 for band in figures.bands)


def test_a_network_that_knows_nothing_finds_none(crops):
    random = np.random.default_rng(0)
    outputs = random.normal(0, 1, (40, 8, 8, 4)).astype(np.float32)
    assert proposal_figures(lambda _: outputs, crops).curve.average_precision < 0.1


def test_the_images_are_what_the_network_is_given(crops):
    def run(images):
        np.testing.assert_array_equal(images, crops.images)
        return perfect(crops)

    proposal_figures(run, crops)


def test_false_alarms_lower_precision_and_moved_boxes_find_nothing():
    crops = validation([(20, 20, 16, 0)])
    outputs = perfect(crops)
    outputs[0, 6, 6, HEAT] = 9  # more sure than the face
    curve = proposal_figures(lambda _: outputs, crops).curve
    np.testing.assert_allclose(curve.precision[:2], [0, 0.5])  # scores 9 and 8
    moved = perfect(crops)
    moved[..., 1] += 1  # by 8 pixels of the face's 16: the overlap is a third
    figures = proposal_figures(lambda _: moved, crops)
    assert figures.curve.average_precision == 0
    assert figures.centre_error == 1
    near = perfect(crops)
    near[..., 1] += 0.25
    figures = proposal_figures(lambda _: near, crops)
    assert figures.curve.at_precision(0.5)[0] == 1
    assert figures.centre_error == pytest.approx(2 / 16, rel=1e-3)
    larger = perfect(crops)
    larger[..., 3] += 2 * np.log(1.2)
    assert proposal_figures(lambda _: larger, crops).side_error == pytest.approx(np.log(1.2), rel=1e-3)


def test_boxes_on_ignored_faces_are_neither_right_nor_wrong():
    crops = validation([(20, 20, 16, 0)], [(51.5, 51.5, 10)])
    assert crops.targets[0, 6, 6, COUNTS] == 0
    outputs = perfect(crops)
    outputs[0, 6, 6, HEAT] = 9
    assert proposal_figures(lambda _: outputs, crops).curve.precision[0] == 1


def test_a_second_box_on_a_face_is_suppressed():
    crops = validation([(20, 20, 20, 0)])
    outputs = perfect(crops)
    outputs[0, 2, 4] = [7, -2, 0, 2 * np.log(20 / 18)]  # (19.5, 19.5), two cells to the right
    figures = proposal_figures(lambda _: outputs, crops)
    assert (figures.curve.scores > 0).sum() == 1


def test_of_two_boxes_on_one_face_the_less_sure_one_is_a_false_alarm():
    crops = validation([(20, 20, 20, 0)])
    outputs = np.full((1, 8, 8, 4), -8, np.float32)
    # At 13.5 and 25.5: each overlaps with the face by a half, and with the other by a quarter.
    outputs[0, 2, 1] = [5, 2 / 8, 0.5 / 8, 2 * np.log(20 / 18)]
    outputs[0, 2, 3] = [6, -2 / 8, 0.5 / 8, 2 * np.log(20 / 18)]
    figures = proposal_figures(lambda _: outputs, crops)
    assert figures.curve.scores[:2].tolist() == [6, 5]
    assert figures.curve.precision[:2].tolist() == [1, 0.5]


def test_figures_by_light_are_those_of_the_light_s_crops(crops):
    outputs = perfect(crops)
    outputs[crops.dim, ..., HEAT] *= -1
    figures = proposal_figures(lambda _: outputs, crops)
    by_light = {name: curve.average_precision for name, curve in figures.curves_by_light.items()}
    assert by_light["light as it is"] > 0.95
    assert by_light["dim with noise"] < 0.2


def test_the_figures_fit_into_a_json_file(crops):
    for outputs in (perfect(crops), np.full((40, 8, 8, 4), -3, np.float32)):
        figures = proposal_figures(returning(outputs), crops)
        text = json.dumps(figures.to_dict(), allow_nan=False)
        assert json.loads(text)["count"] == 40
    none = replace(crops, faces=tuple(faces[:0] for faces in crops.faces))
    json.dumps(proposal_figures(returning(perfect(crops)), none).to_dict(), allow_nan=False)
