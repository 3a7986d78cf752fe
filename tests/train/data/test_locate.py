"""Datasets are found in a folder, and a missing one is described."""

import pytest

from edge.errors import ConfigError, DataError
from train.data import find_data, find_named


@pytest.mark.parametrize("task", ["emotion", "gender"])
def test_a_missing_dataset_says_what_to_get_and_where_to_put_it(tmp_path, task):
    with pytest.raises(
        DataError, match=r"get .*put it into that folder.*DATA=FOLDER.*--data FOLDER"
    ) as caught:
        find_data(task, str(tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("dataset", "what"),
    [
        ("fer2013", "get FER-2013"),
        ("utkface", "get UTKFace"),
        ("ckplus", "get CK\\+"),
        ("rafd", "get RaFD"),
        ("imdb-wiki", "get IMDB-WIKI"),
    ],
)
def test_the_error_names_the_dataset(tmp_path, dataset, what):
    with pytest.raises(DataError, match=f"no {dataset} data in .*{what}.*put it into that folder") as caught:
        find_named(dataset, str(tmp_path))
    assert str(tmp_path) in str(caught.value)


def test_an_unknown_dataset_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no dataset 'affectnet'; expected one of fer2013, utkface, ckplus"):
        find_named("affectnet", str(tmp_path))


def test_a_path_may_be_the_dataset_itself(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("")
    assert find_data("emotion", str(path)) == path
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "26_1_2_2017.jpg").write_bytes(b"")
    assert find_data("gender", str(tmp_path / "faces")) == tmp_path / "faces"


def test_the_preferred_form_is_found_first(tmp_path):
    for name in ("fer2013.csv", "fer2013.tar.gz"):
        (tmp_path / name).write_text("")
    assert find_data("emotion", str(tmp_path)) == tmp_path / "fer2013.tar.gz"
    assert find_named("fer2013", str(tmp_path)) == tmp_path / "fer2013.tar.gz"
