"""IMDB-WIKI, intact and damaged: the nested struct of the original's .mat file, with plain images."""

import datetime

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from edge.errors import DataError
from train.data import load_imdb_wiki
from train.data.imdb_wiki import ages_in

NAN = float("nan")
GOOD = {
    "dob": datetime.date(1960, 3, 1),
    "photo_taken": 2010,
    "gender": 0.0,
    "face_score": 3.5,
    "second_face_score": NAN,
    "name": "Ann A",
    "celeb_id": 1,
}


def datenum(day):
    """The number of a day in MATLAB: 1 January of the year 0 is 1, and 1 January 2000 is 730486."""
    return day.toordinal() + 366


def cells(values):
    row = np.empty((1, len(values)), dtype=object)
    row[0, :] = values
    return row


def write(folder, entries, part="imdb", change=None, **options):
    """Writes an entry and an image per change to `GOOD`; `change(struct)` may spoil the struct."""
    folder.mkdir(exist_ok=True)
    entries = [GOOD | entry for entry in entries]
    for number, entry in enumerate(entries):
        entry.setdefault("full_path", f"{number % 100:02}/nm{number:07}_rm1_1960-3-1_2010.jpg")
        (folder / entry["full_path"]).parent.mkdir(parents=True, exist_ok=True)
        content = entry.get("content", jpg(number % 200, (120, 100)))
        if content is not None:
            (folder / entry["full_path"]).write_bytes(content)

    def row(name, kind):
        return np.array([[entry[name] for entry in entries]], dtype=kind)

    struct = {
        "dob": np.array([[datenum(entry["dob"]) for entry in entries]], np.int32),
        "photo_taken": row("photo_taken", np.uint16),
        "full_path": cells([entry["full_path"] for entry in entries]),
        "gender": row("gender", np.float64),
        "name": cells([entry["name"] for entry in entries]),
        "face_location": cells([np.array([[1.0, 1.0, 90.0, 90.0]])] * len(entries)),
        "face_score": row("face_score", np.float64),
        "second_face_score": row("second_face_score", np.float64),
    }
    if part == "imdb":
        struct["celeb_names"] = cells(["Ann A", "Bob B"])
        struct["celeb_id"] = row("celeb_id", np.float64)
    if change:
        change(struct)
    savemat(folder / f"{part}.mat", {part: struct}, **options)
    return folder


def jpg(value, shape):
    return cv2.imencode(".jpg", np.full((*shape, 3), value, np.uint8))[1].tobytes()


def test_entries_have_the_devices_gender_the_age_and_the_subject(tmp_path):
    entries = [{}, {"gender": 1.0, "celeb_id": 2, "dob": datetime.date(1980, 7, 2)}]
    data = load_imdb_wiki(write(tmp_path / "imdb_crop", entries))
    assert data.name == "IMDB"
    assert data.label_names == ("male", "female")
    assert data.labels.tolist() == [1, 0]
    assert data.attributes["age"].tolist() == [50, 29]
    assert data.attributes["subject"].tolist() == [1, 2]
    assert data.ids == ("00/nm0000000_rm1_1960-3-1_2010.jpg", "01/nm0000001_rm1_1960-3-1_2010.jpg")
    assert data.images.shape == (2, 96, 96)
    assert data.images[:, 40, 40].tolist() == [0, 1]
    assert data.left_out == {}


def test_ages_are_full_years_on_the_first_of_july():
    born = [(1960, 6, 30), (1960, 7, 1), (1960, 7, 2), (2010, 7, 1), (2010, 7, 2), (1959, 12, 31)]
    dob = np.array([datenum(datetime.date(*day)) for day in born], dtype=np.float64)
    assert ages_in(np.full(6, 2010.0), dob).tolist() == [50, 50, 49, 0, -1, 50]
    assert datenum(datetime.date(2000, 1, 1)) == 730486
    unknown = ages_in(np.array([NAN, 2010.0, 2010.0]), np.array([dob[0], NAN, 0.0]))
    assert np.isnan(unknown).tolist() == [True, True, False]
    assert unknown[2] > 2000


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"face_score": float("-inf")}, "no face"),
        ({"face_score": NAN}, "no face"),
        ({"face_score": 0.99}, "face score below 1"),
        ({"second_face_score": 1.2}, "second face"),
        ({"gender": NAN}, "gender unknown"),
        ({"photo_taken": 1959}, "age not from 0 to 100"),
        ({"dob": datetime.date(1909, 6, 30)}, "age not from 0 to 100"),
        ({"content": None}, "file missing"),
        ({"content": b"no picture"}, "cannot be decoded"),
        ({"content": jpg(1, (300, 300))[:600]}, "cannot be decoded"),
        ({"content": jpg(1, (1, 1))}, "too small or too long"),
        ({"content": jpg(1, (31, 40))}, "too small or too long"),
        ({"content": jpg(1, (50, 101))}, "too small or too long"),
    ],
)
def test_known_noise_is_left_out_and_counted(tmp_path, caplog, entry, reason):
    caplog.set_level("INFO")
    data = load_imdb_wiki(write(tmp_path / "imdb_crop", [{}, entry, {}]))
    assert len(data) == 2
    assert data.left_out == {reason: 1}
    assert data.bad_rows == ()
    assert f"{reason} 1" in caplog.text


@pytest.mark.parametrize(
    "entry",
    [
        {"face_score": 1.0},
        {"photo_taken": 1960},
        {"dob": datetime.date(1909, 7, 2)},
        {"content": jpg(1, (32, 32))},
        {"content": jpg(1, (50, 100))},
    ],
)
def test_the_limits_themselves_are_used(tmp_path, entry):
    assert len(load_imdb_wiki(write(tmp_path / "imdb_crop", [{}, entry]))) == 2


def test_an_image_is_cropped_to_its_centre_square(tmp_path):
    image = np.zeros((96, 160), np.uint8)
    image[:, 32:80], image[:, 80:128] = 100, 200
    content = cv2.imencode(".png", image)[1].tobytes()
    data = load_imdb_wiki(write(tmp_path / "imdb_crop", [{"content": content}]))
    np.testing.assert_array_equal(data.images[0], image[:, 32:128])


def test_wiki_is_split_by_name_and_nobody_appears_in_two_splits(tmp_path):
    entries = [{"name": f"Person {number % 40}"} for number in range(120)]
    entries += [{"name": "", "full_path": "99/7_1.jpg"}, {"name": "", "full_path": "99/8_1.jpg"}]
    data = load_imdb_wiki(write(tmp_path / "wiki_crop", entries, "wiki", do_compression=True))
    subjects = data.attributes["subject"]
    assert data.name == "WIKI"
    assert len(set(subjects.tolist())) == 42
    assert subjects[0] == subjects[40] == subjects[80]
    for subject in set(subjects.tolist()):
        assert len(set(data.splits[subjects == subject])) == 1
    assert set(data.splits) == {"train", "val", "test"}
    # A subject keeps its number and split, whatever other rows there are.
    few = load_imdb_wiki(write(tmp_path / "few", entries[5:7], "wiki"))
    assert few.attributes["subject"].tolist() == subjects[5:7].tolist()
    assert few.splits.tolist() == data.splits[5:7].tolist()


def test_file_and_folder_are_the_same(tmp_path):
    folder = write(tmp_path / "imdb_crop", [{}, {}])
    assert load_imdb_wiki(folder).fingerprint() == load_imdb_wiki(folder / "imdb.mat").fingerprint()


@pytest.mark.parametrize("field", ["face_score", "dob", "full_path", "second_face_score", "name"])
def test_a_missing_field_is_named(tmp_path, field):
    folder = write(tmp_path / "imdb_crop", [{}, {}], change=lambda struct: struct.pop(field))
    with pytest.raises(DataError, match=rf"imdb\.mat: no field {field}; expected dob, photo_taken"):
        load_imdb_wiki(folder)


@pytest.mark.parametrize("field", ["gender", "full_path", "celeb_id"])
def test_fields_of_different_lengths(tmp_path, field):
    def shorten(struct):
        struct[field] = struct[field][:, :1]

    with pytest.raises(DataError, match=rf"fields of different lengths.*'{field}': 1"):
        load_imdb_wiki(write(tmp_path / "imdb_crop", [{}, {}], change=shorten))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gender", cells(["f", "m"])),
        ("full_path", np.ones((1, 2))),
        ("full_path", cells([np.ones((1, 2)), "a.jpg"])),
        ("celeb_id", np.full((1, 2), NAN)),
    ],
)
def test_field_of_the_wrong_type(tmp_path, field, value):
    def spoil(struct):
        struct[field] = value

    with pytest.raises(DataError, match="a field of the wrong type"):
        load_imdb_wiki(write(tmp_path / "imdb_crop", [{}, {}], change=spoil))


def test_label_out_of_range_is_a_bad_row(tmp_path, caplog):
    data = load_imdb_wiki(write(tmp_path / "imdb_crop", [{}] * 7 + [{"gender": 2.0}] + [{}] * 100))
    assert len(data) == 107
    assert [(row.where, row.why) for row in data.bad_rows] == [("entry 8", "gender 2, expected 0, 1 or NaN")]
    with pytest.raises(DataError, match="2 of 3 rows are bad, more than 1%"):
        load_imdb_wiki(write(tmp_path / "other", [{"gender": 2.0}, {}, {"gender": -1.0}]))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 0.95])
def test_truncated_mat(tmp_path, share, compressed):
    folder = write(tmp_path / "imdb_crop", [{}] * 20, do_compression=compressed)
    whole = (folder / "imdb.mat").read_bytes()
    (folder / "imdb.mat").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DataError, match="a damaged or truncated MATLAB file"):
        load_imdb_wiki(folder)


def test_files_that_are_not_the_dataset(tmp_path):
    (tmp_path / "imdb.mat").write_bytes(b"no MATLAB file at all, but longer than a header is " * 5)
    with pytest.raises(DataError, match="a damaged or truncated MATLAB file"):
        load_imdb_wiki(tmp_path)
    savemat(tmp_path / "imdb.mat", {"wiki": {"dob": 1.0}})
    with pytest.raises(DataError, match="holds no struct 'imdb'"):
        load_imdb_wiki(tmp_path)
    savemat(tmp_path / "imdb.mat", {"imdb": np.ones(3)})
    with pytest.raises(DataError, match="holds no struct 'imdb'"):
        load_imdb_wiki(tmp_path)
    # Version 7.3 is HDF5 after a header like that of the other versions.
    header = b"MATLAB 7.3 MAT-file".ljust(124, b" ") + b"\x00\x02IM"
    (tmp_path / "imdb.mat").write_bytes(header + bytes(400))
    with pytest.raises(DataError, match="not a MATLAB file up to version 7"):
        load_imdb_wiki(tmp_path)


def test_empty_folder_and_wrong_file(tmp_path):
    with pytest.raises(DataError, match=r"no imdb\.mat or wiki\.mat in it"):
        load_imdb_wiki(tmp_path)
    (tmp_path / "other.mat").write_bytes(b"")
    with pytest.raises(DataError, match=r"expected imdb\.mat or wiki\.mat"):
        load_imdb_wiki(tmp_path / "other.mat")


def test_reasons_are_named_where_no_row_is_usable(tmp_path):
    entries = [{"gender": NAN}, {"gender": NAN}, {"content": None}]
    with pytest.raises(DataError, match="left out: gender unknown 2, file missing 1\\): no usable row"):
        load_imdb_wiki(write(tmp_path / "imdb_crop", entries))
