"""CK+ in both its forms, intact and damaged."""

import io
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import DataError
from edge.labels import EMOTIONS
from train.data import load_ckplus

FOLDERS = ("anger", "contempt", "disgust", "fear", "happy", "sadness", "surprise")
LABELS = ("angry", "contempt", "disgust", "fear", "happy", "sad", "surprise")
# subject, session, number of frames, code in the label file (None: there is no label file)
SEQUENCES = (
    (5, 1, 6, 3),  # disgust
    (10, 2, 4, 5),  # happy
    (11, 1, 5, None),
    (14, 3, 5, 2),  # contempt
)


def png(value, shape=(48, 48)):
    return cv2.imencode(".png", np.full(shape, value, np.uint8))[1].tobytes()


def kaggle_files(subjects=6):
    """Three frames of each of seven emotions per subject, {path: content}: 126 files for 6 subjects."""
    files = {}
    for subject in range(subjects):
        for session, folder in enumerate(FOLDERS):
            for frame in range(3):
                name = f"S{subject + 10:03}_{session + 1:03}_{frame + 14:08}.png"
                files[f"CK+48/{folder}/{name}"] = png(20 * subject + 3 * session + frame)
    return files


def write_tar(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            item = tarfile.TarInfo(name)
            item.size = len(content)
            archive.addfile(item, io.BytesIO(content))
    return path


def write_folder(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root / "CK+48"


def write_original(root, image, sequences=SEQUENCES):
    """Writes the original's folders; the frames of a sequence differ by one pixel in a corner."""
    for subject, session, frames, code in sequences:
        folder = f"S{subject:03}/{session:03}"
        (root / "cohn-kanade-images" / folder).mkdir(parents=True)
        # The original has empty folders for sequences without a label.
        (root / "Emotion" / folder).mkdir(parents=True)
        for number in range(1, frames + 1):
            frame = image.copy()
            frame[0, 0] = number
            name = f"S{subject:03}_{session:03}_{number:08}"
            cv2.imwrite(str(root / "cohn-kanade-images" / folder / f"{name}.png"), frame)
        if code is not None:
            (root / "Emotion" / folder / f"{name}_emotion.txt").write_text(f"   {code:.7e}\n")
    return root


def test_kaggle_archive_has_contempt_for_neutral_and_the_subject(tmp_path):
    data = load_ckplus(write_tar(tmp_path / "CK+48.tar.gz", kaggle_files()))
    assert data.images.shape == (126, 48, 48)
    assert data.label_names == ("angry", "disgust", "fear", "happy", "sad", "surprise", "contempt")
    assert data.label_names[:6] == EMOTIONS[:6]
    for subject, session, frame in ((0, 0, 0), (3, 1, 2), (5, 6, 1)):
        row = data.ids.index(f"S{subject + 10:03}_{session + 1:03}_{frame + 14:08}")
        assert data.label_names[data.labels[row]] == LABELS[session]
        assert data.attributes["subject"][row] == subject + 10
        assert (data.images[row] == 20 * subject + 3 * session + frame).all()
    assert data.bad_rows == ()
    assert data.boxes is None


def test_kaggle_folder_equals_archive(tmp_path):
    files = kaggle_files()
    archive = load_ckplus(write_tar(tmp_path / "CK+48.tar.gz", dict(reversed(files.items()))))
    folder = load_ckplus(write_folder(tmp_path, files))
    assert folder.fingerprint() == archive.fingerprint()
    assert folder.ids == archive.ids


def test_kaggle_with_the_devices_labels_leaves_contempt_out(tmp_path):
    data = load_ckplus(write_folder(tmp_path, kaggle_files()), labels="neutral")
    assert data.label_names == EMOTIONS
    assert len(data) == 108
    assert data.left_out == {"contempt": 18}
    assert EMOTIONS.index("neutral") not in data.labels


def test_kaggle_is_split_by_subject(tmp_path):
    data = load_ckplus(write_folder(tmp_path, kaggle_files(subjects=12)))
    assert set(data.splits) == {"train", "val"}
    for subject in range(10, 22):
        assert len(set(data.splits[data.attributes["subject"] == subject])) == 1


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("happy/S010_happy_1.png", png(1), "not S<subject>_<session>_<frame>.png"),
        ("happy/S099_001_00000001.png", b"no picture", "cannot be decoded"),
        ("happy/S099_001_00000001.png", b"", "cannot be decoded"),
        ("happy/S099_001_00000001.png", png(1)[:60], "cannot be decoded"),
        ("happy/S099_001_00000001.png", png(1, (48, 47)), "47x48, expected 48x48"),
    ],
)
def test_kaggle_bad_files_are_left_out_and_reported(tmp_path, caplog, name, content, why):
    files = kaggle_files() | {f"CK+48/{name}": content}
    data = load_ckplus(write_tar(tmp_path / "CK+48.tar.gz", files))
    assert len(data) == 126
    assert [(row.where, why in row.why) for row in data.bad_rows] == [(name, True)]
    assert name in caplog.text


def test_kaggle_with_many_bad_files_is_refused(tmp_path):
    files = kaggle_files() | {f"CK+48/fear/S099_001_{number:08}.png": b"x" for number in range(2)}
    with pytest.raises(DataError, match=r"2 of 128 rows are bad, more than 1%.*cannot be decoded"):
        load_ckplus(write_folder(tmp_path, files))


def test_kaggle_folder_of_an_unknown_emotion_is_refused(tmp_path):
    files = kaggle_files() | {"CK+48/bored/S010_001_00000001.png": png(1)}
    with pytest.raises(DataError, match=r"bored/S010_001_00000001\.png lies in no folder of anger, contempt"):
        load_ckplus(write_folder(tmp_path, files))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_kaggle_truncated_archive(tmp_path, share):
    path = write_tar(tmp_path / "CK+48.tar.gz", kaggle_files())
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(DataError, match="damaged or truncated archive"):
        load_ckplus(path)


def test_empty_folder(tmp_path):
    with pytest.raises(DataError, match=f"CK\\+48 in {tmp_path}: no usable row"):
        load_ckplus(tmp_path)


def test_original_has_the_label_at_the_peak_and_neutral_at_the_first_frame(tmp_path, scene):
    data = load_ckplus(write_original(tmp_path, scene("happy")))
    assert data.name == "CK+"
    assert data.label_names == EMOTIONS
    assert dict(zip(data.ids, (EMOTIONS[label] for label in data.labels), strict=True)) == {
        "S005_001_00000001": "neutral",
        "S005_001_00000004": "disgust",
        "S005_001_00000005": "disgust",
        "S005_001_00000006": "disgust",
        "S010_002_00000001": "neutral",
        "S010_002_00000002": "happy",
        "S010_002_00000003": "happy",
        "S010_002_00000004": "happy",
        "S014_003_00000001": "neutral",
    }
    assert data.left_out == {"contempt": 3, "sequence without a label": 1}
    assert data.bad_rows == ()
    assert data.attributes["subject"].tolist() == [5] * 4 + [10] * 4 + [14]


def test_original_has_squares_around_the_face_and_the_box_in_them(tmp_path, scene):
    data = load_ckplus(write_original(tmp_path, scene("happy"), SEQUENCES[:1]))
    assert data.images.shape == (4, 96, 96)
    # The box has 96 / 1.6 = 60 pixels and lies in the middle.
    assert data.boxes is not None
    assert data.boxes.tolist() == [[18, 18, 60, 60]] * 4
    # The square's corner shows the background, the box the face.
    assert data.images[0, 0, 0] == 128
    assert data.images[0, 18:78, 18:78].std() > 20


def test_original_keeps_contempt_where_it_is_asked_for(tmp_path, scene):
    data = load_ckplus(write_original(tmp_path, scene("happy")), labels="contempt")
    assert data.label_names[6] == "contempt"
    assert [name for name, label in zip(data.ids, data.labels, strict=True) if label == 6] == [
        "S014_003_00000003",
        "S014_003_00000004",
        "S014_003_00000005",
    ]
    assert data.left_out == {"neutral": 3, "sequence without a label": 1}


def test_original_is_found_by_its_folder_of_images(tmp_path, scene, monkeypatch):
    root = write_original(tmp_path / "CK+", scene("happy"), SEQUENCES[:1])
    whole = load_ckplus(root)
    assert load_ckplus(root / "cohn-kanade-images").fingerprint() == whole.fingerprint()
    monkeypatch.chdir(root / "cohn-kanade-images")
    assert load_ckplus(Path()).fingerprint() == whole.fingerprint()


def test_original_counts_images_without_a_face(tmp_path, scene):
    root = write_original(tmp_path, scene("happy"), SEQUENCES[:2])
    wall = np.full((490, 640), 128, np.uint8)
    cv2.imwrite(str(root / "cohn-kanade-images/S005/001/S005_001_00000005.png"), wall)
    data = load_ckplus(root)
    assert len(data) == 7
    assert data.left_out == {"no face found": 1}


def test_original_without_any_face_is_refused(tmp_path):
    root = write_original(tmp_path, np.full((490, 640), 128, np.uint8), SEQUENCES[:1])
    with pytest.raises(DataError, match=r"left out: no face found 4\): no usable row"):
        load_ckplus(root)


def spoil_label(text):
    return lambda root: (root / "Emotion/S005/001/S005_001_00000006_emotion.txt").write_bytes(text)


def spoil_image(root):
    (root / "cohn-kanade-images/S005/001/S005_001_00000006.png").write_bytes(b"no picture")


def spoil_name(root):
    folder = root / "cohn-kanade-images/S005/001"
    (folder / "S005_001_00000006.png").rename(folder / "peak.png")


def spoil_sequence(root):
    for frame in range(2, 7):
        (root / f"cohn-kanade-images/S005/001/S005_001_{frame:08}.png").unlink()


def double_label(root):
    (root / "Emotion/S005/001/S005_001_00000003_emotion.txt").write_text("1.0")


@pytest.mark.parametrize(
    ("spoil", "where", "why", "lost_rows"),
    [
        (spoil_label(b"   8.0000000e+00\n"), "S005/001/S005_001_00000006_emotion.txt", "'8.0000000e+00'", 4),
        (spoil_label(b"-1"), "S005/001/S005_001_00000006_emotion.txt", "whole number from 0 to 7", 4),
        (spoil_label(b"2.5"), "S005/001/S005_001_00000006_emotion.txt", "whole number from 0 to 7", 4),
        (spoil_label(b"nan"), "S005/001/S005_001_00000006_emotion.txt", "label 'nan'", 4),
        (spoil_label(b""), "S005/001/S005_001_00000006_emotion.txt", "label ''", 4),
        (spoil_label(b"\xff\xfe"), "S005/001/S005_001_00000006_emotion.txt", "whole number", 4),
        (double_label, "S005/001/S005_001_00000003_emotion.txt", "2 label files for one sequence", 4),
        (spoil_image, "S005_001_00000006.png", "cannot be decoded", 1),
        (spoil_name, "peak.png", "not S<subject>_<session>_<frame>.png", 1),
        (spoil_sequence, "S005/001", "1 pictures, expected some from neutral to the peak", 4),
    ],
)
def test_original_bad_rows_are_reported(tmp_path, scene, spoil, where, why, lost_rows):
    root = write_original(tmp_path, scene("happy"), SEQUENCES[:2])
    spoil(root)
    with pytest.raises(DataError, match=f"1 of {9 - lost_rows} rows are bad, more than 1%") as caught:
        load_ckplus(root)
    assert f"{where}: " in str(caught.value)
    assert why in str(caught.value)


def test_original_is_used_without_one_bad_row_of_many(tmp_path, caplog, scene):
    sequences = [(subject, 1, 4, subject % 2 + 4) for subject in range(1, 27)]
    root = write_original(tmp_path, scene("happy"), sequences)
    (root / "Emotion/S007/001/S007_001_00000004_emotion.txt").write_text("9.0")
    data = load_ckplus(root)
    assert len(data) == 100
    assert 7 not in data.attributes["subject"]
    assert [row.where for row in data.bad_rows] == ["S007/001/S007_001_00000004_emotion.txt"]
    assert "label '9.0'" in caplog.text
    assert set(data.splits) == {"train", "val"}


def test_original_without_its_labels_names_their_archive(tmp_path, scene):
    root = write_original(tmp_path, scene("happy"), SEQUENCES[:1])
    (root / "Emotion").rename(root / "Landmarks")
    with pytest.raises(DataError, match=r"no folder Emotion next to it.*Emotion_labels\.zip"):
        load_ckplus(root)
