"""FER-2013 in each of its forms, intact and damaged: small datasets in the original's form."""

import csv
import tarfile

import cv2
import numpy as np
import pytest

from edge.errors import DataError
from edge.labels import EMOTIONS
from train.data import load_fer2013

USAGES = ("Training", "Training", "PublicTest", "PrivateTest")


def write_csv(path, rows=280, change=None, header=("emotion", "pixels", "Usage")):
    """Writes a dataset of some rows, half of them for training; `change(number, row)` may spoil rows."""
    random = np.random.default_rng(0)
    with path.open("w", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(header)
        for number in range(rows):
            pixels = " ".join(map(str, random.integers(0, 256, 48 * 48)))
            row = [str(number % 7), pixels, USAGES[number % 4]]
            if change:
                row = change(number, row)
            writer.writerow(row)
    return path


def test_csv_has_images_labels_and_published_splits(tmp_path):
    data = load_fer2013(write_csv(tmp_path / "fer2013.csv"))
    first = np.random.default_rng(0).integers(0, 256, 48 * 48)
    assert data.images.shape == (280, 48, 48)
    assert data.images.dtype == np.uint8
    np.testing.assert_array_equal(data.images[0].ravel(), first)
    assert data.labels.tolist() == [number % 7 for number in range(280)]
    assert data.label_names == EMOTIONS
    assert data.splits[:4].tolist() == ["train", "train", "val", "test"]
    assert data.bad_rows == ()


def test_archive_equals_csv(tmp_path):
    plain = write_csv(tmp_path / "fer2013.csv")
    with tarfile.open(tmp_path / "fer2013.tar.gz", "w:gz") as archive:
        archive.add(plain, "fer2013/fer2013.csv")
    assert load_fer2013(tmp_path / "fer2013.tar.gz").fingerprint() == load_fer2013(plain).fingerprint()


def test_folders_have_the_ids_of_the_same_images(tmp_path):
    data = load_fer2013(write_csv(tmp_path / "fer2013.csv"))
    for number, image in enumerate(data.images):
        split = "test" if data.splits[number] == "test" else "train"
        folder = tmp_path / "set" / split / EMOTIONS[data.labels[number]]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{number}.png"), image)
    folders = load_fer2013(tmp_path / "set")
    assert sorted(folders.ids) == sorted(data.ids)
    # A tenth of the 210 images of train/ is held out for validation, by their pixels.
    assert 5 <= (folders.splits == "val").sum() <= 45
    assert (folders.splits == "test").sum() == 70


def test_images_of_folders_keep_their_split_in_later_versions(tmp_path):
    # Trained networks were validated on these images.
    (tmp_path / "train" / "happy").mkdir(parents=True)
    for level in range(100):
        cv2.imwrite(str(tmp_path / "train" / "happy" / f"{level:03}.png"), np.full((48, 48), level, np.uint8))
    data = load_fer2013(tmp_path)
    assert np.flatnonzero(data.splits == "val").tolist() == [
        24,
        31,
        33,
        34,
        58,
        59,
        68,
        74,
        76,
        78,
        81,
        83,
        84,
        86,
        88,
        95,
        98,
        99,
    ]


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda row: [row[0], "1 2 3", row[2]], "3 pixels, expected 2304"),
        (lambda row: [row[0], row[1].replace(" ", " x", 1), row[2]], "expected whole numbers from 0 to 255"),
        (lambda row: [row[0], "256 " + row[1].split(" ", 1)[1], row[2]], "pixel '256'"),
        (lambda row: [row[0], "-1 " + row[1].split(" ", 1)[1], row[2]], "pixel '-1'"),
        (lambda row: ["7", *row[1:]], "emotion '7', expected 0 to 6"),
        (lambda row: ["", *row[1:]], "emotion ''"),
        (lambda row: [*row[:2], "Test"], "Usage 'Test'"),
        (lambda row: row[:1], "1 columns, expected 3"),
        (lambda row: [], "0 columns"),
        (lambda row: [row[0], row[1] + " 0", row[2]], "2305 pixels, expected 2304"),
        (lambda row: [row[0], "1.5 " + row[1].split(" ", 1)[1], row[2]], "pixel '1.5'"),
        (lambda row: ["-1", *row[1:]], "emotion '-1', expected 0 to 6"),
        (lambda row: [*row[:2], ""], "Usage ''"),
    ],
)
def test_a_bad_row_is_left_out_and_reported_with_its_line(tmp_path, caplog, spoil, why):
    path = write_csv(tmp_path / "fer2013.csv", change=lambda number, row: spoil(row) if number == 9 else row)
    data = load_fer2013(path)
    assert len(data) == 279
    assert [row.where for row in data.bad_rows] == ["line 11"]
    assert why in data.bad_rows[0].why
    assert "line 11" in caplog.text
    assert why in caplog.text


def test_many_bad_rows_are_refused(tmp_path):
    path = write_csv(
        tmp_path / "fer2013.csv", change=lambda number, row: ["9", *row[1:]] if number < 3 else row
    )
    with pytest.raises(DataError, match=r"3 of 280 rows are bad, more than 1%.*line 2: emotion '9'"):
        load_fer2013(path)


def test_a_missing_column_is_named(tmp_path):
    path = write_csv(tmp_path / "fer2013.csv", header=("emotion", "pixel", "Usage"))
    with pytest.raises(DataError, match="no column pixels; expected emotion, pixels, Usage"):
        load_fer2013(path)


def test_truncated_archive(tmp_path):
    plain = write_csv(tmp_path / "fer2013.csv")
    whole = tmp_path / "fer2013.tar.gz"
    with tarfile.open(whole, "w:gz") as archive:
        archive.add(plain, "fer2013/fer2013.csv")
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(DataError, match="damaged or truncated archive"):
        load_fer2013(whole)


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"\x1f\x8b" + bytes(20)])
def test_not_an_archive(tmp_path, content):
    path = tmp_path / "fer2013.tar.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged or truncated archive"):
        load_fer2013(path)


def test_archive_without_the_csv(tmp_path):
    (tmp_path / "other.txt").write_text("x")
    with tarfile.open(tmp_path / "fer2013.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "other.txt", "other.txt")
    with pytest.raises(DataError, match=r"holds no fer2013\.csv"):
        load_fer2013(tmp_path / "fer2013.tar.gz")


def test_folders_with_an_unknown_label_and_a_damaged_image(tmp_path):
    folder = tmp_path / "train" / "happy"
    folder.mkdir(parents=True)
    for number in range(120):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 48), number, np.uint8))
    (folder / "broken.png").write_bytes(b"no picture")
    data = load_fer2013(tmp_path)
    assert len(data) == 120
    assert "broken.png" in data.bad_rows[0].where
    (tmp_path / "train" / "bored").mkdir()
    with pytest.raises(DataError, match="bored: not an emotion; expected one of angry"):
        load_fer2013(tmp_path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (cv2.imencode(".png", np.zeros((48, 47), np.uint8))[1].tobytes(), "47x48, expected 48x48"),
        (cv2.imencode(".png", np.eye(48, dtype=np.uint8))[1].tobytes()[:70], "cannot be decoded"),
        (b"", "cannot be decoded"),
        # A header that claims 60000x60000 pixels.
        (
            bytes.fromhex(
                "89504e470d0a1a0a0000000d494844520000ea600000ea600800000000a5b92a9e"
                "000000044944415478787878a7725c6c"
            ),
            "cannot be decoded",
        ),
    ],
)
def test_folders_with_an_image_that_cannot_be_used(tmp_path, content, why):
    folder = tmp_path / "train" / "happy"
    folder.mkdir(parents=True)
    for number in range(120):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 48), number, np.uint8))
    (folder / "wrong.png").write_bytes(content)
    data = load_fer2013(tmp_path)
    assert len(data) == 120
    assert why in data.bad_rows[0].why


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no column emotion, pixels, Usage"),
        (b"emotion,pixels,Usage\n", "no usable row"),
        (b"emotion,pixels,Usage\n\xff\xfe", "cannot be read as FER-2013"),
        (b"\x00\x01\x02", "fer2013.csv: "),
    ],
)
def test_a_file_that_is_empty_or_not_csv(tmp_path, content, message):
    (tmp_path / "fer2013.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_fer2013(tmp_path / "fer2013.csv")


def test_empty_folder(tmp_path):
    (tmp_path / "train" / "happy").mkdir(parents=True)
    with pytest.raises(DataError, match="no usable row"):
        load_fer2013(tmp_path)
