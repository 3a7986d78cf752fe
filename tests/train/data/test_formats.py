"""Every form of every dataset is identified by its files; the error of others lists what is supported."""

import csv
import io
import tarfile
import zipfile

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from edge.errors import DataError
from train.data import find_named, identify, load_named, load_path

PNG = cv2.imencode(".png", np.full((48, 48), 90, np.uint8))[1].tobytes()
JPG = cv2.imencode(".jpg", np.full((60, 60), 90, np.uint8))[1].tobytes()
LFW = "1_AJ_Cook_0001.jpg"
UTK = "26_1_2_20170116174525125.jpg.chip.jpg"
CK = "CK+48/happy/S011_006_00000011.png"


def put(path, content=b""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def fer_csv(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(("emotion", "pixels", "Usage"))
        writer.writerow((3, " ".join(["90"] * 2304), "Training"))
    return path


def tar(path, name, content, mode="w:gz"):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        item = tarfile.TarInfo(name)
        item.size = len(content)
        archive.addfile(item, io.BytesIO(content))
    return path


def imdb(folder):
    put(folder / "01" / "a.jpg", JPG)
    path = np.empty((1, 1), dtype=object)
    name = np.empty((1, 1), dtype=object)
    path[0, 0], name[0, 0] = "01/a.jpg", "Ann"
    numbers = {"dob": 720000, "photo_taken": 2010, "gender": 1, "face_score": 2, "second_face_score": np.nan}
    struct = {key: np.array([[value]], dtype=float) for key, value in numbers.items()}
    savemat(folder / "wiki.mat", {"wiki": struct | {"full_path": path, "name": name}})
    return folder


def fer_tar(root):
    return tar(root / "fer2013.tar.gz", "fer2013/fer2013.csv", fer_csv(root / "x" / "a.csv").read_bytes())


FORMS = {
    "fer-csv": ("fer2013", lambda root: fer_csv(root / "fer2013.csv")),
    "fer-csv-renamed": ("fer2013", lambda root: fer_csv(root / "mine.csv")),
    "fer-archive": ("fer2013", fer_tar),
    "fer-folders": ("fer2013", lambda root: put(root / "f/train/happy/1.png", PNG).parents[2]),
    "fer-folder-of-csv": ("fer2013", lambda root: fer_csv(root / "a/fer2013.csv").parent),
    "fer-folder-of-renamed-csv": ("fer2013", lambda root: fer_csv(root / "a/faces.csv").parent),
    "ck-archive": ("ckplus", lambda root: tar(root / "mine.tgz", CK, PNG)),
    "ck-folder": ("ckplus", lambda root: put(root / "a" / CK, PNG).parents[1]),
    "ck-folder-above": ("ckplus", lambda root: put(root / "a" / CK, PNG).parents[2]),
    "utk-archive": ("utkface", lambda root: tar(root / "u.tar", f"UTKFace/{UTK}", JPG, "w")),
    "utk-folder": ("utkface", lambda root: put(root / "u" / UTK, JPG).parent),
    "utk-folder-above": ("utkface", lambda root: put(root / "u/UTKFace" / UTK, JPG).parents[1]),
    "lfw-archive": ("lfw", lambda root: tar(root / "l.tar", f"lfw/{LFW}", JPG, "w")),
    "lfw-folder": ("lfw", lambda root: put(root / "l" / LFW, JPG).parent),
    "imdb-mat": ("imdb-wiki", lambda root: imdb(root / "wiki_crop") / "wiki.mat"),
    "imdb-folder": ("imdb-wiki", lambda root: imdb(root / "renamed")),
    "imdb-folder-above": ("imdb-wiki", lambda root: imdb(root / "a" / "wiki_crop").parent),
}


@pytest.mark.parametrize(("dataset", "make"), FORMS.values(), ids=FORMS)
def test_every_form_is_recognised_and_read(tmp_path, dataset, make):
    path = make(tmp_path)
    assert identify(path) == dataset
    assert len(load_path(path)) == 1


def test_whole_scenes_are_recognised_and_read(tmp_path, scene):
    content = cv2.imencode(".png", scene("happy"))[1].tobytes()
    for frame in (1, 2):
        put(tmp_path / f"ck/cohn-kanade-images/S005/001/S005_001_{frame:08}.png", content)
    put(tmp_path / "ck/Emotion/S005/001/S005_001_00000002_emotion.txt", b"   5.0000000e+00\n")
    put(tmp_path / "rafd/pictures/Rafd090_01_Caucasian_female_happy_frontal.jpg", content)
    for path in ("ck", "ck/cohn-kanade-images"):
        assert identify(tmp_path / path) == "ckplus"
        assert load_path(tmp_path / path).label_names[6] == "neutral"
    for path in ("rafd", "rafd/pictures"):
        assert identify(tmp_path / path) == "rafd"
        assert len(load_path(tmp_path / path)) == 1


def test_datasets_are_found_by_their_usual_names_in_a_folder(tmp_path, scene):
    fer_tar(tmp_path)
    tar(tmp_path / "CK+48.tar.gz", CK, PNG)
    put(tmp_path / "UTKFace" / UTK, JPG)
    imdb(tmp_path / "wiki_crop")
    face = cv2.imencode(".jpg", scene("happy"))[1].tobytes()
    put(tmp_path / "RaFD" / "Rafd090_01_Caucasian_female_happy_frontal.jpg", face)
    names = {
        name: load_named(name, str(tmp_path)).name
        for name in ("fer2013", "utkface", "ckplus", "rafd", "imdb-wiki")
    }
    assert names == {
        "fer2013": "FER-2013",
        "utkface": "UTKFace",
        "ckplus": "CK+48",
        "rafd": "RaFD",
        "imdb-wiki": "WIKI",
    }
    with pytest.raises(DataError, match="holds several datasets; name one of") as caught:
        identify(tmp_path)
    for part in ("fer2013.tar.gz (fer2013)", "CK+48.tar.gz (ckplus)", "wiki_crop (imdb-wiki)", "RaFD (rafd)"):
        assert part in str(caught.value)


def test_of_two_forms_of_a_dataset_the_preferred_one_is_read(tmp_path):
    fer_csv(tmp_path / "a.csv")
    fer_tar(tmp_path)
    assert load_path(tmp_path).name == "FER-2013"
    assert find_named("fer2013", str(tmp_path)) == tmp_path / "fer2013.tar.gz"


@pytest.mark.parametrize("name", ["fer2013.tar.gz", "CK+48.tar.gz", "UTKFace.tar.gz"])
def test_a_damaged_file_of_a_usual_name_is_reported_as_damaged(tmp_path, name):
    path = put(tmp_path / name, b"\x1f\x8b no archive")
    for given in (path, tmp_path):
        with pytest.raises(DataError, match="damaged or truncated archive"):
            load_path(given)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"x,y\n1,2\n", "not recognised as a dataset; expected fer2013"),
        ("fer2013new.csv", b"Usage,Image name,neutral\n", "not recognised as a dataset; expected"),
        ("a.tar.gz", b"", r"not recognised as a dataset \(a damaged archive\)"),
        ("a.tar", b"no archive", r"\(a damaged archive\)"),
        ("a.txt", b"\xff\xfe", "not recognised"),
        ("a.csv", b"\xff\xfe\x00" * 3000, "not recognised"),
        ("a.jpg", JPG, "not recognised"),
    ],
)
def test_the_error_of_an_unknown_file_lists_the_supported_forms(tmp_path, name, content, message):
    path = put(tmp_path / name, content)
    for given in (path, tmp_path):
        with pytest.raises(DataError, match=message if given == path else "not recognised") as caught:
            identify(given)
        for dataset in ("fer2013", "ckplus", "rafd", "imdb-wiki", "utkface"):
            assert f"{dataset} (" in str(caught.value)


def test_a_zip_archive_must_be_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("train/happy/1.png", PNG)
    with pytest.raises(DataError, match="a zip archive: unpack it and name its folder"):
        identify(tmp_path / "archive.zip")


def test_a_missing_path_and_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match="no such file or folder; expected fer2013"):
        identify(tmp_path / "none")
    with pytest.raises(DataError, match="not recognised as a dataset; expected fer2013"):
        load_path(tmp_path)
