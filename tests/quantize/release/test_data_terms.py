"""The terms of data sets: those that a contract's texts name, and those that are used with them."""

import re
from pathlib import Path

import pytest

from edge.inference.contract import read_model

pytestmark = pytest.mark.train

from quantize.release.data_terms import data_sets, data_terms  # noqa: E402
from quantize.release.face_card import face_card  # noqa: E402
from quantize.release.model_card import model_card  # noqa: E402

ROOT = Path(__file__).parents[3]
MODELS = ROOT / "models"
CONTRACTS = pytest.mark.parametrize("path", sorted(MODELS.glob("*.json")), ids=lambda path: path.stem)


@pytest.mark.parametrize(
    ("training", "names"),
    [
        ({"data": "FER-2013, fingerprint f47f"}, ["FER-2013", "FER+"]),
        ({"data": "UTKFace, fingerprint ceec", "taught by": "gender-teacher"}, ["UTKFace"]),
        ({"data": "UTKFace, fingerprint ceec", "taught by": "gender-expert-2"}, ["UTKFace", "LFW"]),
        ({"data": "CK+, fingerprint 12"}, ["CK+"]),
        ({"data": "scenes, fingerprint 29", "train split": "3,417 pictures"}, ["scenes"]),
        (
            {"data": "scenes, fingerprint 29", "train split": "3,417 pictures; 22,268 portraits"},
            ["UTKFace", "LFW", "scenes"],
        ),
        ({"data": "my own pictures"}, []),
    ],
)
def test_the_sets_are_those_of_the_network_and_of_its_teachers(training, names):
    assert data_sets(training) == names
    terms = data_terms(training)
    assert re.findall(r"^\| (\S+) \|", terms, re.MULTILINE)[1:] == names if names else "not known" in terms


@CONTRACTS
def test_a_shipped_card_is_what_its_contract_gives(path):
    contract = read_model(path)[0]
    write = model_card if contract.task in ("emotion", "gender") else face_card
    card = write(contract)
    assert path.with_suffix(".md").read_text(encoding="utf-8") == card
    terms = card.split("## Licence of the data\n\n")[1].split("\n## ")[0]
    for name in data_sets(contract.training):
        assert f"| {name} | " in terms
    assert "Before any other use, check" in terms


def test_every_set_that_the_page_on_training_names_has_terms():
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    table = page.split("## Datasets")[1].split("\n\n")[2]
    names = re.findall(r"^\| (\S+) \| ", table, re.MULTILINE)[1:]
    assert len(names) > 4
    for name in [*names, "CK+", "RaFD", "IMDB-WIKI"]:
        assert name in data_sets({"data": name})
