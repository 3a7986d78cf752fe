"""FER+'s votes on the rows of FER-2013, intact and damaged."""

import csv
import os
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import DataError
from edge.labels import EMOTIONS
from train.data import Dataset, find_named, load_fer2013
from train.data.ferplus import COLUMNS, find_votes, load_votes, soft_labels, with_votes

DATA = os.environ.get("EMOTINY_DATA", "")


def data(count=20):
    labels = np.arange(count, dtype=np.int64) % 7
    splits = np.where(np.arange(count) % 5 == 4, "val", "train")
    return Dataset("FER-2013", np.zeros((count, 48, 48), np.uint8), labels, EMOTIONS, ("",) * count, splits)


def write_votes(path, rows, columns=COLUMNS, usages=None):
    usages = usages or [{"train": "Training", "val": "PublicTest"}[split] for split in data(len(rows)).splits]
    with path.open("w", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(("Usage", "Image name", *columns))
        writer.writerows((usage, "", *row) for usage, row in zip(usages, rows, strict=True))
    return path


def votes(count=20):
    random = np.random.default_rng(0)
    return random.multinomial(10, np.full(10, 0.1), count)


def test_shares_of_the_votes_row_by_row(tmp_path):
    path = write_votes(tmp_path / "fer2013new.csv", votes())
    np.testing.assert_allclose(load_votes(path, data()), votes() / 10, rtol=1e-6)
    assert find_votes(tmp_path / "fer2013.tar.gz") == path
    assert find_votes(tmp_path / "fer2013" / "fer2013.csv") == path


def test_soft_labels_are_counted_from_the_training_labels():
    training = data(4)
    training = replace(training, labels=np.array([3, 3, 4, 3]))
    shares = np.zeros((4, 10), np.float32)
    shares[[0, 1, 2], 1] = 1  # all votes are for happiness; the labels are happy, happy, sad
    shares[3, 4] = 1
    labels = soft_labels(shares, training)
    np.testing.assert_allclose(labels[0], [0, 0, 0, 2 / 3, 1 / 3, 0, 0], atol=1e-6)
    np.testing.assert_allclose(labels[3], np.eye(7)[3], atol=1e-6)


def test_a_single_vote_counts_little():
    training = replace(data(2), labels=np.array([3, 4]))
    shares = np.zeros((2, 10), np.float32)
    shares[0, :2] = 0.75, 0.25
    shares[1, 1] = 1
    # Squared, the first image's votes weigh 0.9 and 0.1. Label 3 has all of neutral's weight and 0.1 / 1.1 of
    # happiness'.
    np.testing.assert_allclose(
        soft_labels(shares, training)[:, 3], [0.9 + 0.1 * 0.1 / 1.1, 0.1 / 1.1], atol=1e-6
    )


def test_only_training_rows_have_soft_labels(tmp_path):
    write_votes(tmp_path / "fer2013new.csv", votes())
    voted = with_votes(data(), tmp_path / "fer2013.csv")
    assert voted.soft_labels is not None
    np.testing.assert_allclose(
        voted.soft_labels.sum(axis=1), (voted.splits == "train").astype(float), atol=1e-5
    )
    assert voted.part("val").soft_labels is not None


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        (votes(19), COLUMNS, "19 rows for 20"),
        (votes(), (*COLUMNS[:-1], "none"), "no column NF"),
        ([*votes()[:-1], ("x",) * 10], COLUMNS, "cannot be read as FER"),
        ([*votes()[:-1], (0,) * 10], COLUMNS, "a row without votes"),
        ([*votes()[:-1], (-1, *(1,) * 9)], COLUMNS, "negative"),
        ([*votes()[:-1], (1, 2)], COLUMNS, "cannot be read as FER"),
    ],
)
def test_votes_that_do_not_match_the_rows(tmp_path, rows, columns, message):
    path = write_votes(tmp_path / "fer2013new.csv", rows, columns)
    with pytest.raises(DataError, match=message):
        load_votes(path, data())


@pytest.mark.parametrize(
    ("usages", "message"),
    [
        # The right number of each, but in another order.
        (["Training"] * 16 + ["PublicTest"] * 4, "row 5 is of 'Training', FER-2013's of 'PublicTest'"),
        (["PrivateTest"] * 20, "row 1 is of 'PrivateTest', FER-2013's of 'Training'; expected .* same order"),
        ([""] * 20, "row 1 is of ''"),
    ],
)
def test_votes_in_another_order_are_refused(tmp_path, usages, message):
    path = write_votes(tmp_path / "fer2013new.csv", votes(), usages=usages)
    with pytest.raises(DataError, match=message):
        load_votes(path, data())


def test_votes_without_their_splits_are_refused(tmp_path):
    path = write_votes(tmp_path / "fer2013new.csv", votes())
    path.write_text(path.read_text().replace("Usage", "Use", 1))
    with pytest.raises(DataError, match="no column Usage; expected Usage, neutral"):
        load_votes(path, data())


def test_votes_on_a_folder_of_images_are_refused(tmp_path):
    # Even with the right number of rows and splits, no order tells which votes are on which image.
    (tmp_path / "fer2013" / "train").mkdir(parents=True)
    write_votes(tmp_path / "fer2013new.csv", votes())
    with pytest.raises(
        DataError, match=r"expected fer2013\.csv or fer2013\.tar\.gz, or .*RECIPE=mini-xception"
    ):
        with_votes(data(), tmp_path / "fer2013")


@pytest.mark.data
@pytest.mark.skipif(not DATA, reason="EMOTINY_DATA names no folder with datasets")
def test_the_published_votes_match_the_published_rows():
    path = find_named("fer2013", DATA)
    whole = load_fer2013(path)
    voted = with_votes(whole, path)
    assert voted.soft_labels is not None
    rows = np.flatnonzero(voted.splits == "train")
    # The soft labels mostly agree with the labels; in any other order they would not.
    assert (voted.soft_labels[rows].argmax(axis=1) == voted.labels[rows]).mean() > 0.6
    with pytest.raises(DataError, match="row 1 is of 'Training', FER-2013's of 'PublicTest'"):
        with_votes(whole.take(np.arange(len(whole))[::-1]), path)


def test_missing_votes_say_where_to_get_them_and_what_needs_none(tmp_path):
    with pytest.raises(DataError, match=r"no fer2013new\.csv .*microsoft/FERPlus.*RECIPE=mini-xception"):
        find_votes(tmp_path / "fer2013.csv")
