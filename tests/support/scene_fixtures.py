"""Fixtures of scenes: drawn faces on plain and striped backgrounds, as small as tests need."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

FACE_SIDE = 40


def drawn_face(image, x, y, side):
    """Draws a bright ellipse with two eyes and a mouth whose box has its corner at (x, y)."""
    centre = (round(x + side / 2 - 0.5), round(y + side / 2 - 0.5))
    bright, dark = (220,), (30,)
    cv2.ellipse(image, centre, (round(side * 0.38), round(side * 0.48)), 0, 0, 360, bright, -1)
    for eye in (-0.17, 0.17):
        place = (round(centre[0] + eye * side), round(centre[1] - 0.1 * side))
        cv2.circle(image, place, round(side * 0.07), dark, -1)
    left, right = (round(centre[0] + end * side) for end in (-0.15, 0.15))
    mouth = round(centre[1] + 0.22 * side)
    cv2.line(image, (left, mouth), (right, mouth), dark, max(1, round(side * 0.06)))


def lean_of(image):
    """Returns a number that is positive if the bright face's upper end lies right of its lower end."""
    y, x = np.argwhere(image > 170).T
    return -np.mean((x - x.mean()) * (y - y.mean()))


def toy_scene(number, split, kind="face"):
    """Returns a scene of 160x120; a face of 40 pixels lies in it if its kind is "face"."""
    from train.data.scenes import Scene, SceneFaces

    random = np.random.default_rng(number)
    image = np.full((120, 160), 90, np.uint8)
    image[:, :: 2 + number % 7] += 25
    boxes = np.zeros((0, 4), np.float32)
    if kind == "face":
        x, y = (int(each) for each in random.integers(10, 70, 2))
        drawn_face(image, x, y, FACE_SIDE)
        boxes = np.array([[x, y, FACE_SIDE, FACE_SIDE]], np.float32)
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    count = len(boxes)
    faces = SceneFaces(
        boxes, np.zeros(count, np.float32), np.full(count, 0.2, np.float32), np.zeros(count, np.bool_)
    )
    return Scene(f"{kind}/{number}.jpg", split, "toy", kind, faces, encoded)


def scenes_csv(scenes):
    """Returns the table of toy scenes, as it lies next to their images."""
    rows = ["file,split,source,kind,x,y,w,h,face_x,face_y,face_w,face_h,score,roll,yaw,ignore,haar"]
    for scene in scenes:
        boxes = [",".join(f"{value:g}" for value in box) for box in scene.faces.boxes]
        first = f"{scene.file},{scene.split},toy,{scene.kind}"
        rows.append(f"{first},{boxes[0]},,,,,0.9,-3,0.2,0,0" if boxes else f"{first},,,,,,,,,,,,,0")
    return "\n".join(rows).encode()


@pytest.fixture(scope="session")
def toy_sources(tmp_path_factory):
    """A function that returns the sources of a split: faces, plain images, and one false alarm."""
    from train.crops.sources import CropSources
    from train.data.scene_images import decode_scenes

    cache = tmp_path_factory.mktemp("scenes")

    def make(split="train"):
        first = 0 if split == "train" else 100
        scenes = [toy_scene(first + number, split) for number in range(12)]
        scenes += [toy_scene(first + 50 + number, split, "none") for number in range(6)]
        images = decode_scenes(scenes, cache)
        return CropSources(images, np.array([[12, 30, 20, 30, 30]], np.int32))

    return make


@pytest.fixture(scope="session")
def toy_faces(toy_sources):
    """Sources of both splits."""
    from train.crops.sources import FaceData

    return FaceData("toy scenes", toy_sources("train"), toy_sources("val"))


@pytest.fixture(scope="session")
def proposal_recipe():
    """A recipe for a proposal network of a few hundred parameters."""
    from train.models.spec import ProposalSpec, Stage
    from train.recipes.face_recipe import FaceRecipe

    spec = ProposalSpec(stem=4, stages=(Stage(8, 1), Stage(8, 2)), size=64)
    return FaceRecipe(
        "tiny-proposal",
        "proposal",
        spec,
        epochs=3,
        crops=96,
        validation_crops=24,
        batch_size=16,
        learning_rate=1e-2,
    )


@pytest.fixture(scope="session")
def refinement_recipe(proposal_recipe):
    """A recipe for a refinement network of a few hundred parameters."""
    from train.models.spec import NetSpec, Stage
    from train.recipes.face_recipe import LossWeights

    return replace(
        proposal_recipe,
        name="tiny-refinement",
        task="refinement",
        spec=NetSpec(stem=4, stages=(Stage(8, 2), Stage(8, 1)), head=6, classes=7, size=32),
        losses=LossWeights(face=2, box=0.5, roll=0.3, yaw=0.2),
        hard_negatives=True,
        validation_crops=40,
    )


@pytest.fixture(scope="session")
def face_run(toy_faces, proposal_recipe, tmp_path_factory):
    """The folder of a finished run of the proposal recipe; tests that change it must copy it."""
    from train.training.fit import fit

    folder = tmp_path_factory.mktemp("proposal") / "run"
    fit(proposal_recipe, toy_faces, folder)
    return folder
