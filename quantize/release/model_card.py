"""Writes the model card of a network that reads a face (Mitchell et al. 2019, arXiv:1810.03993)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edge.inference.contract import Contract
from quantize.release.data_terms import data_terms
from quantize.release.markdown import table, wide_table
from quantize.release.provenance import PROVENANCE
from train.evaluation.corruptions import CAMERA_ROWS

_MEANING = {
    "emotion": """The label is the expression that an annotator saw in a picture of a face. It is not what the
person feels, and annotators disagree: FER-2013's label and the majority of the ten annotators of FER+ are the
same for 63 % of the pictures.""",
    "gender": """The label is *apparent* gender: what UTKFace's authors noted for a picture (estimated by a
network, checked by a human), in two values. It is nobody's gender, and does not describe everyone.""",
}
_USE = """Meant for installations, research, statistics and home automation with the knowledge and consent of
those in front of the camera. Not meant for, and in many places not lawful for: identifying people; decisions
about a person (work, school, credit, insurance, police, borders, health). The EU AI Act (Regulation
2024/1689) forbids inferring emotions at work and in education except for medical or safety reasons (article
5), and requires that people be informed (article 50)."""


def model_card(contract: Contract) -> str:
    """Returns the card in Markdown."""
    figures, training = contract.figures, contract.training
    parts = [
        f"# {contract.name}",
        f"Reads {_what(contract)} from a {contract.size}x{contract.size} gray picture of a face.",
        table(
            {
                "labels": ", ".join(contract.labels),
                "input": f"(1, {contract.size}, {contract.size}, 1) {contract.input_dtype}, plain pixels",
                "output": f"(1, {len(contract.labels)}) {contract.output_dtype} {contract.output_kind}",
                "crop": f"square, {contract.framing.margin:g} of the cascade's box "
                f"(OpenCV haarcascade_frontalface_default), moved down by {contract.framing.shift_y:g} of it",
                "temperature": f"{contract.temperature:g}: what logits are divided by before the softmax, "
                "so that a confidence is about the share of correct labels; fitted on the validation split",
                "parameters": f"{contract.parameters:,} weights and biases as stored",
                "file": f"{contract.size_bytes:,} bytes, sha256 `{contract.sha256}`",
            }
        ),
        "## What the labels mean",
        _MEANING[contract.task],
        "## Accuracy",
        *(_results(split, result) for split, result in figures.items() if split in ("val", "test")),
        *_robustness(figures.get("robustness")),
        "## Training",
        table({key: str(value) for key, value in training.items() if key != PROVENANCE}),
        "## Licence of the data",
        data_terms(training),
        "## Use",
        _USE,
        "## Known failures",
        _failures(figures),
    ]
    return "\n\n".join(parts) + "\n"


def _what(contract: Contract) -> str:
    return "one of seven emotions" if contract.task == "emotion" else "apparent gender"


def _results(split: str, result: Mapping[str, Any]) -> str:
    int8 = result["int8"]
    use = "checkpoints were chosen on it" if split == "val" else "used for neither training nor selection"
    text = (
        f"On {int8['split']} ({int8['count']:,} pictures; {use}): accuracy **{int8['accuracy']:.1%}**, "
        f"macro-F1 {int8['macro_f1']:.3f}, in int8 through the device's own code; "
        f"{result['float_accuracy']:.1%} in float, same top label for {result['top1_agreement']:.1%}.\n\n"
        + table({f"recall of {name}": f"{value:.1%}" for name, value in int8["recall"].items()})
    )
    groups = result.get("groups", {})
    if groups:
        text += "\n\nBy group (the set's own annotation):\n\n" + table(
            {name: f"{group['accuracy']:.1%} of {group['count']}" for name, group in groups.items()}
        )
    return text


def _robustness(result: Mapping[str, Any] | None) -> Iterator[str]:
    """Yields the section on corruptions; files of earlier versions have no such figures."""
    if result is None:
        return
    yield "## As a camera sees it"
    yield (
        f"On {result['split']} ({result['count']:,} pictures), in int8 through the device's own code, after "
        "corruptions that cameras cause. Lengths are pixels of a crop of 48 pixels, noise and factors are of "
        f"gray levels. Camera accuracy, the mean of the rows without a star: "
        f"**{result['camera_accuracy']:.1%}**."
    )
    yield wide_table(
        ("corruption", "accuracy", "calibration error"),
        [
            (
                name if name in CAMERA_ROWS else f"{name} \\*",
                f"{row['accuracy']:.1%}",
                f"{row['calibration_error']:.1%}",
            )
            for name, row in result["corruptions"].items()
        ],
    )


def _failures(figures: Mapping[str, Any]) -> str:
    best = figures.get("test", figures["val"])
    recall = best["int8"]["recall"]
    weakest = min(recall, key=recall.__getitem__)
    text = (
        f"Weakest label: {weakest}, {recall[weakest]:.1%} of its pictures are recognised. Faces that are "
        "turned away, in strong side light, partly covered or smaller than about 30 pixels are read worse."
    )
    groups = best.get("groups", {})
    if groups:
        worst = min(groups, key=lambda name: groups[name]["accuracy"])
        text += f" Worst group: {worst}, {groups[worst]['accuracy']:.1%} of {groups[worst]['count']}."
    return text
