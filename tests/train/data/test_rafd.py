"""RaFD, intact and damaged: files named as in the original, with the demo's faces."""

import cv2
import numpy as np
import pytest

from edge.errors import ConfigError, DataError
from edge.labels import EMOTIONS
from train.data import load_rafd

EXPRESSIONS = {
    "angry": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "happy": "happy",
    "neutral": "neutral",
    "sad": "sad",
    "surprised": "surprise",
}


def write(folder, image, names):
    folder.mkdir(exist_ok=True)
    content = cv2.imencode(".jpg", image)[1].tobytes()
    for name in names:
        (folder / name).write_bytes(content)
    return folder


def names(subjects=(1, 2), angles=("090",), expressions=(*EXPRESSIONS, "contemptuous")):
    return [
        f"Rafd{angle}_{subject:02}_Caucasian_{'female' if subject % 2 else 'male'}_{expression}_frontal.jpg"
        for angle in angles
        for subject in subjects
        for expression in expressions
    ]


def test_file_names_hold_emotion_subject_and_gender(tmp_path, scene):
    data = load_rafd(write(tmp_path / "RaFD", scene("happy"), names()))
    assert data.label_names == EMOTIONS
    assert len(data) == 14
    for expression, emotion in EXPRESSIONS.items():
        row = data.ids.index(f"Rafd090_01_Caucasian_female_{expression}_frontal")
        assert EMOTIONS[data.labels[row]] == emotion
        assert (data.attributes["subject"][row], data.attributes["gender"][row]) == (1, 1)
    row = data.ids.index("Rafd090_02_Caucasian_male_sad_frontal")
    assert (data.attributes["subject"][row], data.attributes["gender"][row]) == (2, 0)
    assert data.left_out == {"contempt": 2}


def test_images_are_squares_around_the_face(tmp_path, scene):
    data = load_rafd(write(tmp_path / "RaFD", scene("happy"), names(subjects=(1,))))
    assert data.images.shape == (7, 96, 96)
    assert data.boxes is not None
    assert data.boxes.tolist() == [[18, 18, 60, 60]] * 7


def test_only_the_wanted_angles_are_read(tmp_path, scene):
    folder = write(tmp_path / "RaFD", scene("happy"), names(angles=("000", "045", "090", "135", "180")))
    assert load_rafd(folder).left_out == {"other angle": 64, "contempt": 2}
    three = load_rafd(folder, angles=(45, 90, 135))
    assert len(three) == 42
    assert {name[4:7] for name in three.ids} == {"045", "090", "135"}


@pytest.mark.parametrize("angles", [(), (60,), (90, 1)])
def test_an_unknown_angle_is_refused(tmp_path, angles):
    with pytest.raises(ConfigError, match="expected some of 0, 45, 90, 135, 180"):
        load_rafd(tmp_path, angles)


def test_nobody_appears_in_two_splits(tmp_path, scene):
    data = load_rafd(write(tmp_path / "RaFD", scene("happy"), names(range(1, 13), expressions=("happy",))))
    again = load_rafd(write(tmp_path / "two", scene("sad"), names(range(1, 13), expressions=("sad",))))
    split = dict(zip(data.attributes["subject"].tolist(), data.splits.tolist(), strict=True))
    assert split == dict(zip(again.attributes["subject"].tolist(), again.splits.tolist(), strict=True))
    assert set(split.values()) == {"train", "val"}


def test_images_without_a_face_are_counted(tmp_path, scene):
    folder = write(tmp_path / "RaFD", scene("happy"), names(subjects=(1,)))
    write(folder, np.full((490, 640), 128, np.uint8), names(subjects=(3,), expressions=("sad", "happy")))
    data = load_rafd(folder)
    assert len(data) == 7
    assert data.left_out == {"no face found": 2, "contempt": 1}


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("Rafd091_01_Caucasian_female_happy_frontal.jpg", None, "not Rafd<angle>_"),
        ("Rafd090_01_Caucasian_female_bored_frontal.jpg", None, "with known values"),
        ("Rafd090_01_Caucasian_unknown_happy_frontal.jpg", None, "with known values"),
        ("Rafd090_01_Caucasian_female_happy_up.jpg", None, "with known values"),
        ("Rafd090_xx_Caucasian_female_happy_frontal.jpg", None, "with known values"),
        ("Rafd090_01_female_happy_frontal.jpg", None, "with known values"),
        ("Rafd090_03_Kid_male_happy_frontal.jpg", b"no picture", "cannot be decoded"),
        ("Rafd090_03_Kid_male_happy_frontal.jpg", b"", "cannot be decoded"),
    ],
)
def test_a_bad_file_is_reported(tmp_path, scene, name, content, why):
    folder = write(tmp_path / "RaFD", scene("happy"), names(subjects=(1,)))
    (folder / name).write_bytes((folder / names()[0]).read_bytes() if content is None else content)
    with pytest.raises(DataError, match="1 of 8 rows are bad, more than 1%") as caught:
        load_rafd(folder)
    assert f"{name}: " in str(caught.value)
    assert why in str(caught.value)


def test_a_bad_file_among_many_is_left_out(tmp_path, caplog, scene):
    folder = write(tmp_path / "RaFD", scene("happy"), names(range(1, 16), expressions=tuple(EXPRESSIONS)))
    (folder / "face.jpg").write_bytes(b"no picture")
    data = load_rafd(folder)
    assert len(data) == 105
    assert [row.where for row in data.bad_rows] == ["face.jpg"]
    assert "face.jpg: not Rafd<angle>_" in caplog.text


def test_empty_folder(tmp_path):
    with pytest.raises(DataError, match="no usable row"):
        load_rafd(tmp_path)


def test_an_archive_must_be_unpacked(tmp_path):
    (tmp_path / "RaFD.tar").write_bytes(b"x")
    with pytest.raises(DataError, match=r"not a folder; expected the one with RaFD's Rafd\*\.jpg, unpacked"):
        load_rafd(tmp_path / "RaFD.tar")
