"""The model card says what the contract says, and where the network fails."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge.inference.contract import read_model

pytestmark = pytest.mark.train

from quantize.release.model_card import model_card  # noqa: E402
from quantize.release.provenance import PROVENANCE  # noqa: E402

MODELS = Path(__file__).parents[3] / "models"


@pytest.fixture(params=["emotion", "gender"])
def contract(request):
    return read_model(MODELS / f"{request.param}_sepnet_48_int8.json")[0]


def test_every_label_every_group_and_every_text_is_there(contract):
    card = model_card(contract)
    for label, recall in contract.figures["val"]["int8"]["recall"].items():
        assert f"| recall of {label} | {recall:.1%} |" in card
    for name, group in contract.figures["val"].get("groups", {}).items():
        assert f"| {name} | {group['accuracy']:.1%} of {group['count']} |" in card
    for key, value in contract.training.items():
        assert (f"| {key} | {value} |" in card) == (key != PROVENANCE)  # that is for programs
    assert f"{contract.parameters:,} weights and biases" in card


def test_the_weakest_label_and_the_worst_group_are_named(contract):
    failures = model_card(contract).split("## Known failures")[1]
    figures = contract.figures.get("test", contract.figures["val"])
    recall = figures["int8"]["recall"]
    assert f"Weakest label: {min(recall, key=recall.get)}, {min(recall.values()):.1%}" in failures
    if "groups" in figures:
        assert f"{min(group['accuracy'] for group in figures['groups'].values()):.1%} of" in failures


def test_figures_on_corruptions_are_listed_where_there_are_some(contract):
    figures = {
        "split": "FER-2013 val",
        "count": 3579,
        "camera_accuracy": 0.5961,
        "corruptions": {
            "clean": {"accuracy": 0.6521, "calibration_error": 0.027},
            "16 px": {"accuracy": 0.3581, "calibration_error": 0.139},
        },
    }
    card = model_card(replace(contract, figures=contract.figures | {"robustness": figures}))
    assert "the mean of the rows without a star: **59.6%**" in card
    assert "| clean | 65.2% | 2.7% |" in card
    assert "| 16 px \\* | 35.8% | 13.9% |" in card
    without = {name: each for name, each in contract.figures.items() if name != "robustness"}
    assert "As a camera sees it" not in model_card(replace(contract, figures=without))
