"""Crops for the proposal network: faces lie where they are said to lie, and what is in doubt is ignored."""

from dataclasses import replace

import numpy as np
import pytest

from edge.detection.outputs import SIDES_PX
from tests.support.scene_fixtures import lean_of
from train.crops.photometric import AS_IT_IS, Photometry
from train.crops.proposal import ProposalSampler
from train.crops.sampler import draw_crops


def crops_of(sampler, count=60):
    return [sampler.crop(np.random.default_rng((5, index))) for index in range(count)]


@pytest.fixture(scope="module")
def crops(toy_sources):
    return crops_of(ProposalSampler(toy_sources(), AS_IT_IS, 64))


def test_faces_lie_where_they_are_said_to_lie(crops):
    """A drawn face is brighter than all else: its middle is bright, and its surroundings are not."""
    checked = 0
    for crop in crops:
        for x, y, side, _ in crop.faces:
            near = [(x + dx * side, y + dy * side) for dx, dy in ((0, 0), (0.1, 0.05), (-0.1, 0.05))]
            far = [
                (x + 0.75 * side * np.cos(turn), y + 0.75 * side * np.sin(turn))
                for turn in np.arange(8) * np.pi / 4
            ]
            inside = [level_at(crop.image, point) for point in near]
            outside = [level for point in far if (level := level_at(crop.image, point)) is not None]
            if None not in inside and outside:
                assert min(inside) > np.median(outside)
                checked += 1
    assert checked > 20


def level_at(image, point):
    x, y = (int(np.rint(each)) for each in point)
    return int(image[y, x]) if 0 <= x < image.shape[1] and 0 <= y < image.shape[0] else None


def test_faces_have_the_sides_to_find_and_lie_within_the_crop(crops):
    faces = np.concatenate([crop.faces for crop in crops])
    assert len(faces) > 30
    assert faces[:, 2].min() >= SIDES_PX[0] * 0.999
    assert faces[:, 2].max() <= SIDES_PX[1] * 1.001
    assert faces[:, 2].min() < 14
    assert faces[:, 2].max() > 26
    assert (faces[:, :2] >= -0.5).all()
    assert (faces[:, :2] < 63.5).all()
    assert np.abs(faces[:, 3]).max() > 20


def test_some_crops_show_no_face(crops):
    assert 0.1 < np.mean([not len(crop.faces) and not len(crop.ignored) for crop in crops]) < 0.5


def test_ignored_faces_become_circles(toy_sources):
    sources = toy_sources()
    images = sources.images
    doubtful = tuple(
        replace(faces, ignore=np.arange(len(faces.ignore)) >= 0) if number else faces
        for number, faces in enumerate(images.faces)
    )
    # Only the face of the first image is clear; all crops around a face are of it.
    sampler = ProposalSampler(replace(sources, images=replace(images, faces=doubtful)), AS_IT_IS, 64)
    assert len(replace(images, faces=doubtful).clear_faces) == 1
    assert any(len(crop.faces) for crop in crops_of(sampler))
    all_doubtful = tuple(replace(faces, ignore=np.ones_like(faces.ignore)) for faces in images.faces)
    image = replace(images, faces=all_doubtful)
    matrix = np.array([[0.5, 0, 0], [0, 0.5, 0]])
    sampler = ProposalSampler(replace(sources, images=image), AS_IT_IS, 128)
    found, ignored = sampler._faces(0, matrix, 0.5, 0)
    x, y, side, _ = image.faces[0].boxes[0]
    assert len(found) == 0
    np.testing.assert_allclose(
        ignored, [[(x + side / 2 - 0.5) / 2, (y + side / 2 - 0.5) / 2, 0.6 * side / 2 + 6]]
    )
    # As a clear face, one of 80 pixels would be background.
    assert len(sampler._faces(0, np.array([[2.0, 0, -100], [0, 2.0, -100]]), 2.0, 0)[1]) == 1


def test_roll_is_clockwise_in_the_crop(toy_sources, monkeypatch):
    monkeypatch.setattr("train.crops.proposal._angle", lambda _: 30.0)
    rolls, agreeing = set(), []
    for crop in crops_of(ProposalSampler(toy_sources(), AS_IT_IS, 64), 120):
        for x, y, side, roll in crop.faces:
            left, top = round(x - side / 2), round(y - side / 2)
            patch = crop.image[max(top, 0) : top + round(side), max(left, 0) : left + round(side)]
            if side > 24 and left >= 0 and top >= 0 and patch.shape == (round(side),) * 2:
                rolls.add(round(roll))
                agreeing.append(np.sign(roll) == np.sign(lean_of(patch)))
    assert rolls == {-30, 30}  # the latter in mirrored crops
    assert len(agreeing) > 8
    assert np.mean(agreeing) > 0.8


@pytest.mark.parametrize(
    ("scale", "found", "ignored"),
    [(0.5, 1, 0), (0.22, 0, 1), (0.1, 0, 1), (1.0, 0, 1), (1.4, 0, 0)],
    ids=["to find", "nearly large enough", "tiny", "nearly small enough", "large"],
)
def test_the_side_decides_what_a_face_is(toy_sources, scale, found, ignored):
    sampler = ProposalSampler(toy_sources(), AS_IT_IS, 128)
    box = toy_sources().images.faces[0].boxes[0]  # 40 pixels
    centre = box[:2] + box[2:] / 2 - 0.5
    matrix = np.column_stack([np.eye(2) * scale, 64 - centre * scale])
    results = sampler._faces(0, matrix, scale, 0)
    assert [len(each) for each in results] == [found, ignored]


def test_a_crop_depends_on_seed_epoch_and_index_alone(toy_sources):
    sampler = ProposalSampler(toy_sources(), Photometry(), 64)
    images, targets = draw_crops(sampler, 3, 7, range(6))
    later, later_targets = draw_crops(sampler, 3, 7, range(4, 6))
    np.testing.assert_array_equal(images[4:], later)
    np.testing.assert_array_equal(targets[4:], later_targets)
    assert images.dtype == np.uint8
    assert images.shape == (6, 64, 64)
    assert targets.dtype == np.float16
    assert targets.shape == (6, 8, 8, 6)
    for seed, epoch in ((4, 7), (3, 8)):
        assert (draw_crops(sampler, seed, epoch, range(6))[0] != images).any()
