"""Crops for the refinement network: the target is where the face lies, and other crops show none."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.scene_fixtures import lean_of
from train.crops.photometric import AS_IT_IS, Photometry
from train.crops.refinement import (
    DX,
    DY,
    FACE,
    ROLL_COS,
    ROLL_SIN,
    SIZE,
    YAW,
    YAW_KNOWN,
    RefinementSampler,
)
from train.crops.sampler import draw_crops
from train.data.mapped_array import MappedArray
from train.data.portraits import Portraits


@pytest.fixture
def sampler(toy_sources):
    return RefinementSampler(toy_sources(), AS_IT_IS, 32)


def faces_of(sampler, count=60):
    return [sampler.face(np.random.default_rng((5, index))) for index in range(count)]


def test_the_target_is_where_the_face_lies(sampler):
    """The drawn face is bright: its centre of mass is its centre, and its area grows with its side."""
    errors, sides, areas = [], [], []
    for crop in faces_of(sampler):
        dx, dy, size = crop.target[[DX, DY, SIZE]] / 8
        # The box has 32 / 1.25 pixels.
        x, y = 15.5 + 25.6 * dx, 15.5 + 25.6 * dy
        bright = np.argwhere(crop.image > 170)
        errors.append(np.abs(bright.mean(axis=0) - (y, x)).max())
        sides.append(np.exp(size))
        areas.append(len(bright))
    assert np.mean(np.array(errors) < 3) > 0.85  # faces that reach beyond the crop have another centre
    assert np.corrcoef(np.square(sides), areas)[0, 1] > 0.8
    assert 0.7 < min(sides) < 0.85
    assert 1.2 < max(sides) < 1.4


def test_roll_is_the_angle_between_the_eyes(sampler):
    """The eyes of a drawn face lie side by side; the line through them turns with the crop."""
    rolls = [crop.roll for crop in faces_of(sampler)]
    assert min(rolls) < -25
    assert max(rolls) > 25
    for crop in faces_of(sampler, 30):
        sine, cosine = crop.target[[ROLL_SIN, ROLL_COS]] / 4
        assert np.degrees(np.arctan2(sine, cosine)) == pytest.approx(crop.roll, abs=1e-3)
    # An ellipse that is taller than wide: its long axis leans to the right where the head turns clockwise.
    leaning = [(crop.roll, lean_of(crop.image)) for crop in faces_of(sampler) if abs(crop.roll) > 15]
    agreeing = [np.sign(roll) == np.sign(lean) for roll, lean in leaning]
    assert np.mean(agreeing) > 0.8


def test_annotated_roll_is_enlarged_and_yaw_has_no_sign(toy_sources):
    sources = toy_sources()
    turned = tuple(
        replace(faces, roll=np.full_like(faces.roll, 20), yaw=np.full_like(faces.yaw, -0.5))
        for faces in sources.images.faces
    )
    other = RefinementSampler(replace(sources, images=replace(sources.images, faces=turned)), AS_IT_IS, 32)
    for index in range(10):
        before, after = (
            each.face(np.random.default_rng(index))
            for each in (RefinementSampler(sources, AS_IT_IS, 32), other)
        )
        assert abs(after.roll - before.roll) == pytest.approx(30, abs=1e-3)
        assert after.target[[YAW, YAW_KNOWN]].tolist() == [2, 1]


def test_portraits_have_no_known_yaw(toy_sources, tmp_path):
    bright = np.full((4, 96, 96), 255, np.uint8)
    mapped = MappedArray.store(tmp_path / "p.npy", bright)
    sources = replace(toy_sources(), portraits=(Portraits(mapped, (47.5, 40.0), 90.0, "x"),))
    crops = faces_of(RefinementSampler(sources, AS_IT_IS, 32), 100)
    unknown = [crop for crop in crops if not crop.target[YAW_KNOWN]]
    assert 0.1 < len(unknown) / len(crops) < 0.4
    assert all(crop.side == 90 for crop in unknown)
    assert all(np.ptp(crop.image) == 0 for crop in unknown)


def test_other_crops_show_no_face(sampler):
    crops = [sampler.no_face(np.random.default_rng((6, index))) for index in range(80)]
    assert all((crop.target == 0).all() for crop in crops)
    # A whole drawn face has a bright middle with dark eyes; none of these has as much of it.
    assert np.mean([crop.image[8:24, 8:24].std() < 70 for crop in crops]) > 0.8


def test_boxes_of_other_crops_hardly_overlap_with_faces(sampler, toy_sources):
    images = toy_sources().images
    for index in range(200):
        place = sampler._no_face(np.random.default_rng((8, index)))
        for x, y, side, _ in images.faces[place.index].boxes:
            left, top = place.x + 0.5 - place.side / 2, place.y + 0.5 - place.side / 2
            width = min(x + side, left + place.side) - max(x, left)
            height = min(y + side, top + place.side) - max(y, top)
            overlap = max(width, 0) * max(height, 0)
            assert overlap / (side**2 + place.side**2 - overlap) <= 0.2201


def test_ignored_faces_are_no_counter_examples(toy_sources):
    sources = toy_sources()
    doubtful = tuple(replace(faces, ignore=np.ones_like(faces.ignore)) for faces in sources.images.faces)
    with_one = (sources.images.faces[0], *doubtful[1:])
    images = replace(sources.images, faces=with_one)
    sampler = RefinementSampler(replace(sources, images=images), AS_IT_IS, 32)
    for index in range(200):
        place = sampler._no_face(np.random.default_rng((8, index)))
        for x, y, side, _ in images.faces[place.index].boxes if place.index else ():
            apart = max(abs(x + side / 2 - 0.5 - place.x), abs(y + side / 2 - 0.5 - place.y))
            assert apart >= (side + place.side) / 2 - 1e-6


def test_false_alarms_are_among_the_counter_examples(toy_sources):
    images = toy_sources().images
    with_alarm = RefinementSampler(toy_sources(), AS_IT_IS, 32)
    without = RefinementSampler(
        replace(toy_sources(), hard_negatives=np.zeros((0, 5), np.int32)), AS_IT_IS, 32
    )
    near = [
        [
            place.index == 12 and abs(place.x - 44.5) < 5 and abs(place.y - 34.5) < 5 and place.side < 40
            for place in (sampler._no_face(np.random.default_rng((9, index))) for index in range(150))
        ]
        for sampler in (with_alarm, without)
    ]
    assert images.face_free[0] == 12
    assert 0.12 < np.mean(near[0]) < 0.32
    assert np.mean(near[1]) < 0.05


def test_half_of_the_training_crops_show_a_face(toy_sources):
    sampler = RefinementSampler(toy_sources(), Photometry(), 32)
    images, targets = draw_crops(sampler, 1, 0, range(200))
    assert images.shape == (200, 32, 32)
    assert 0.4 < targets[:, FACE].mean() < 0.6
    again, _ = draw_crops(sampler, 1, 0, range(100, 110))
    np.testing.assert_array_equal(images[100:110], again)
