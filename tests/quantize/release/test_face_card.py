"""The card of a network that finds faces says what the contract says, and where the network fails."""

from dataclasses import replace

import pytest

from edge.inference.contract import Contract
from edge.inference.preprocess import Framing
from edge.labels import LABELS

pytestmark = pytest.mark.train

from quantize.release.face_card import face_card  # noqa: E402
from quantize.verification.face_fidelity import compare_faces  # noqa: E402
from train.evaluation.face_figures import FaceEvaluation  # noqa: E402

SIZES = {"proposal": 64, "refinement": 32}


@pytest.fixture(scope="module", params=SIZES)
def contract(request, toy_faces):
    """The contract of a network whose outputs are almost the targets."""
    task = request.param
    evaluation = FaceEvaluation.of(task, toy_faces.val, SIZES[task], 40)
    targets = evaluation.crops.targets
    outputs = targets[..., :4].copy() if task == "proposal" else targets[..., :7].copy()
    outputs[..., 0] = 6 * outputs[..., 0] - 3
    outputs.reshape(-1)[::50] += 0.1
    comparison = compare_faces(evaluation, "toy val", outputs, outputs + 0.01, 1.5)
    return Contract(
        name=f"{task}_sepnet_{SIZES[task]}_int8",
        task=task,
        sha256="0" * 64,
        size_bytes=20_000,
        labels=LABELS[task],
        parameters=8_765,
        size=SIZES[task],
        output_kind="detection",
        input_range=(-1.0, 127 / 128),
        framing=Framing(1.0, 0.0),
        temperature=1.5,
        figures={"val": comparison.to_dict()},
        training={"data": "toy scenes", "provenance": {"checkpoint": "best.keras"}},
    )


def test_every_band_every_point_and_every_text_is_there(contract):
    card = face_card(contract)
    int8 = contract.figures["val"]["int8"]
    for name, band in int8["bands"].items():
        shares = ["no face" if each is None else f"{each:.1%}" for each in band["recall"].values()]
        assert f"| {name} | {band['count']:,} | {' | '.join(shares)} |" in card
    recalls, unit = {
        "proposal": ("recall_at_precision", "precision"),
        "refinement": ("recall_at_false_alarms", "false alarms in other crops"),
    }[contract.task]
    assert f"| {unit} | recall | confidence there |" in card
    for point, recall in int8[recalls].items():
        assert f"| {float(point):.1%} | {recall:.1%} | " in card
    for text in (
        "8,765 weights and biases",
        "20,000 bytes",
        "0" * 64,
        "toy scenes",
        "## Licence of the data",
        "1.5: ",
    ):
        assert text in card
    assert "face 0.01" in card
    assert "provenance" not in card
    assert "best.keras" not in card


def test_a_confidence_is_the_sigmoid_of_the_logit_over_the_temperature(contract):
    int8 = contract.figures["val"]["int8"]
    logits, point = {
        "proposal": ("logit_at_precision", "0.8"),
        "refinement": ("logit_at_false_alarms", "0.01"),
    }[contract.task]
    for logit, text in ((1.5, "| 0.73 |"), (0.0, "| 0.50 |")):
        figures = {"val": contract.figures["val"] | {"int8": int8 | {logits: int8[logits] | {point: logit}}}}
        line = next(
            each
            for each in face_card(replace(contract, figures=figures)).splitlines()
            if each.startswith(f"| {float(point):.1%} |")
        )
        assert line.endswith(text)
    figures = {"val": contract.figures["val"] | {"int8": int8 | {logits: int8[logits] | {point: None}}}}
    assert "| never |" in face_card(replace(contract, figures=figures))


def test_the_worst_group_is_named(contract):
    int8 = contract.figures["val"]["int8"]
    bands = {
        name: band | {"recall": dict.fromkeys(band["recall"], 0.9)} for name, band in int8["bands"].items()
    }
    bands["dim with noise"]["recall"] = dict.fromkeys(bands["dim with noise"]["recall"], 0.123)
    bands["roll 25-40"]["recall"] = dict.fromkeys(bands["roll 25-40"]["recall"])  # no such face
    figures = {"val": contract.figures["val"] | {"int8": int8 | {"bands": bands}}}
    assert "Worst group: dim with noise, 12.3% found" in face_card(replace(contract, figures=figures))


def test_groups_of_people_are_listed_where_the_data_has_them(contract):
    assert "by group of people" not in face_card(contract)
    groups = {"UTKFace age 60+": {"count": 1255, "recall": 0.912}}
    figures = {"val": contract.figures["val"] | {"groups": groups}}
    assert "| UTKFace age 60+ | 91.2% of 1,255 |" in face_card(replace(contract, figures=figures))
