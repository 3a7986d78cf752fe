"""What a proposal network takes for faces, but is none."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from edge.errors import ConfigError, DataError

pytestmark = pytest.mark.train

from train.crops.photometric import AS_IT_IS  # noqa: E402
from train.crops.refinement import RefinementSampler  # noqa: E402
from train.models.sepnet import build  # noqa: E402
from train.training import hard_mining  # noqa: E402
from train.training.epochs import Checkpoints  # noqa: E402
from train.training.fit import fit  # noqa: E402
from train.training.hard_mining import mined_negatives  # noqa: E402


@pytest.fixture(scope="module")
def bright_finder(proposal_recipe, tmp_path_factory):
    """The checkpoint of a network that takes everything bright for a face of 18 pixels."""
    inputs = keras.Input((64, 64, 1), name="pixels")
    body_inputs = keras.Input((64, 64, 1))
    mean = keras.layers.AveragePooling2D(8, name="mean")(body_inputs)
    maps = keras.layers.Conv2D(4, 1, name="maps")
    body = keras.Model(body_inputs, maps(mean), name="body")
    kernel = np.zeros((1, 1, 1, 4), np.float32)
    kernel[..., 0] = 20
    maps.set_weights([kernel, np.array([-6, 0, 0, 0], np.float32)])
    scaled = keras.layers.Rescaling(1 / 128, -1.0, name="scale")(inputs)
    path = tmp_path_factory.mktemp("miner") / "best.keras"
    keras.Model(inputs, body(scaled)).save(path)
    return path


@pytest.fixture
def spotted(toy_sources, tmp_path):
    """The toy scenes with a bright spot of 20 pixels at (100, 90) in each image without faces."""
    from train.data.mapped_array import MappedArray

    images = toy_sources().images
    pixels = np.array(images.pixels.array)
    for index in images.face_free:
        start = int(images.shapes[:index].prod(axis=1).sum())
        picture = pixels[start : start + 120 * 160].reshape(120, 160)
        picture[90:110, 100:120] = 255
    stored = MappedArray.store(tmp_path / "pixels.npy", pixels)
    return replace(images, pixels=stored, fingerprint="spotted")


def test_boxes_lie_on_what_only_looks_like_a_face(spotted, bright_finder, tmp_path, monkeypatch):
    monkeypatch.setattr(hard_mining, "_SCALES", (1.0,))
    boxes = mined_negatives(spotted, bright_finder, tmp_path)
    on_spot = [box for box in boxes if box[0] in spotted.face_free]
    assert {int(box[0]) for box in on_spot} == set(spotted.face_free)
    for _, x, y, width, height in on_spot:
        assert (width, height) == (18, 18)
        assert abs(x + 9 - 110) < 12
        assert abs(y + 9 - 100) < 12
    # The drawn faces are bright, too, but no box overlaps with one by more than a fifth.
    for index, x, y, side, _ in boxes:
        for face_x, face_y, face_side, _ in spotted.faces[index].boxes:
            inner = [max(0, min(a + side, b + face_side) - max(a, b)) for a, b in ((x, face_x), (y, face_y))]
            overlap = inner[0] * inner[1]
            assert overlap / (side**2 + face_side**2 - overlap) < 0.21


def test_larger_boxes_are_found_in_reduced_copies(spotted, bright_finder, tmp_path, monkeypatch):
    monkeypatch.setattr(hard_mining, "_SCALES", (0.5,))
    boxes = mined_negatives(spotted, bright_finder, tmp_path)
    on_spot = [box for box in boxes if box[0] in spotted.face_free]
    assert on_spot
    for _, x, y, width, _ in on_spot:
        assert width == 36
        assert abs(x + 18 - 110) < 24
        assert abs(y + 18 - 100) < 24


def test_ignored_faces_are_not_mined(spotted, bright_finder, tmp_path, monkeypatch):
    monkeypatch.setattr(hard_mining, "_SCALES", (1.0,))
    faces = tuple(replace(each, ignore=np.ones_like(each.ignore)) for each in spotted.faces)
    boxes = mined_negatives(replace(spotted, faces=faces), bright_finder, tmp_path)
    for index, x, y, side, _ in boxes:
        for face_x, face_y, face_side, _ in faces[index].boxes:
            assert (
                max(abs(x + side / 2 - face_x - face_side / 2), abs(y + side / 2 - face_y - face_side / 2))
                >= (side + face_side) / 2 - 2
            )


def test_the_search_is_kept_for_a_network_and_its_images(spotted, bright_finder, tmp_path, monkeypatch):
    monkeypatch.setattr(hard_mining, "_SCALES", (0.5,))
    boxes = mined_negatives(spotted, bright_finder, tmp_path)
    (file,) = tmp_path.glob("mined-*.npy")
    np.save(file, boxes[:1])
    assert len(mined_negatives(spotted, bright_finder, tmp_path)) == 1
    mined_negatives(replace(spotted, fingerprint="other"), bright_finder, tmp_path)
    assert len(list(tmp_path.glob("mined-*.npy"))) == 2


def test_another_kind_of_network_is_refused(spotted, refinement_recipe, tmp_path):
    build(refinement_recipe.spec).save(tmp_path / "best.keras")
    with pytest.raises(DataError, match=r"best\.keras: no proposal network"):
        mined_negatives(spotted, tmp_path / "best.keras", tmp_path)
    with pytest.raises(DataError, match=r"none\.keras: not a checkpoint"):
        mined_negatives(spotted, tmp_path / "none.keras", tmp_path)
    assert not list(tmp_path.glob("mined-*"))


def test_boxes_that_were_mined_another_way_are_not_used(spotted, bright_finder, tmp_path, monkeypatch):
    before = mined_negatives(spotted, bright_finder, tmp_path)
    monkeypatch.setattr(hard_mining, "_LEAST_SIDE_PX", 60.0)
    assert len(mined_negatives(spotted, bright_finder, tmp_path)) < len(before)
    assert len(list(tmp_path.glob("mined-*.npy"))) == 2


def test_boxes_smaller_than_the_device_judges_are_not_mined(spotted, bright_finder, tmp_path, monkeypatch):
    monkeypatch.setattr(hard_mining, "_SCALES", (1.0,))
    assert len(mined_negatives(spotted, bright_finder, tmp_path))
    monkeypatch.setattr(hard_mining, "_LEAST_SIDE_PX", 18.5)  # the network says 18 of everything
    assert len(mined_negatives(spotted, bright_finder, tmp_path)) == 0


def test_mined_boxes_are_among_the_counter_examples(toy_sources):
    sources = replace(
        toy_sources(),
        hard_negatives=np.zeros((0, 5), np.int32),
        mined=np.array([[13, 80, 60, 30, 30]], np.int32),
    )
    sampler = RefinementSampler(sources, AS_IT_IS, 32)
    places = [sampler._no_face(np.random.default_rng((9, index))) for index in range(150)]
    near = [
        place.index == 13 and abs(place.x - 94.5) < 5 and abs(place.y - 74.5) < 5 and place.side < 40
        for place in places
    ]
    assert 0.35 < np.mean(near) < 0.8


def test_a_run_learns_from_what_its_miner_finds(toy_faces, refinement_recipe, face_run, tmp_path):
    recipe = replace(refinement_recipe, epochs=1, miner="tiny-proposal")
    with pytest.raises(DataError, match="needs counter-examples from tiny-proposal, which is not trained"):
        fit(recipe, toy_faces, tmp_path / "run")
    checkpoints = Checkpoints(teachers={"tiny-proposal": face_run / "best.keras"}, cache=tmp_path / "cache")
    fit(recipe, toy_faces, tmp_path / "run", checkpoints)
    assert len(list((tmp_path / "cache").glob("mined-*"))) == 1
    assert "tiny-proposal" in (tmp_path / "run" / "run.json").read_text()


def constant_judge(path, *outputs):
    """The checkpoint of a refinement network that always returns the same."""
    inputs = keras.Input((32, 32, 1))
    dense = keras.layers.Dense(7, kernel_initializer="zeros")
    model = keras.Model(inputs, dense(keras.layers.Flatten()(inputs)))
    dense.bias.assign(np.array([*outputs, 0, 4, 0], np.float32))
    model.save(path)
    return path


def test_only_what_the_judge_takes_for_a_face_is_kept_and_where_it_moves_it(
    spotted, bright_finder, tmp_path, monkeypatch
):
    monkeypatch.setattr(hard_mining, "_SCALES", (1.0,))
    proposed = mined_negatives(spotted, bright_finder, tmp_path)
    doubtful = constant_judge(tmp_path / "doubtful.keras", -5, 0, 0, 0)
    assert len(mined_negatives(spotted, bright_finder, tmp_path, doubtful)) == 0
    # A quarter of the side to the right and twice as large.
    sure = constant_judge(tmp_path / "sure.keras", 3, 2, 0, 8 * np.log(2))
    judged = mined_negatives(spotted, bright_finder, tmp_path, sure)
    on_spot = {tuple(box) for box in judged.tolist() if box[0] in spotted.face_free}
    for index, x, y, side, _ in proposed.tolist():
        if index in spotted.face_free:
            assert (index, x, y, side, side) in on_spot
            centre_x, centre_y = x + side * 0.75, y + side / 2
            assert any(
                box[0] == index
                and abs(box[1] + side - centre_x) <= 1
                and abs(box[2] + side - centre_y) <= 1
                and box[3] == 2 * side
                for box in on_spot
            )


def test_a_recipe_with_a_judge_needs_a_miner(refinement_recipe):
    with pytest.raises(ConfigError, match="judge toy without a miner"):
        replace(refinement_recipe, miner=None, judge="toy")
