"""Writes the model card of a network that finds faces (Mitchell et al. 2019, arXiv:1810.03993)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from edge.detection.outputs import CROP_MARGIN, SIDES_PX, STRIDE_PX
from edge.inference.contract import Contract
from quantize.release.data_terms import data_terms
from quantize.release.markdown import table, wide_table
from quantize.release.provenance import PROVENANCE

_SUMMARIES = {
    "proposal": f"""Looks over a gray picture and marks where faces may be, for each cell of
{STRIDE_PX}x{STRIDE_PX} pixels. It finds faces of {SIDES_PX[0]:g} to {SIDES_PX[1]:g} pixels; larger ones are
found in a reduced copy of the picture. It is made to miss little: the refinement network looks at what it
proposes.""",
    "refinement": f"""Looks at a gray crop of {CROP_MARGIN:g} times the side of a box, and says whether it
shows a face, where exactly the face lies, and how the head is turned. It judges what the proposal network or
the cascade proposes, and follows faces from frame to frame.""",
}
_OUTPUTS = {
    "proposal": """"face" is a logit: its sigmoid is the heat of CenterNet's loss, 1 at a face's centre. The
others are the face's centre relative to the cell's, and the logarithm of its side, in the units of
`edge/detection/outputs.py`. A cell counts where none of its neighbours is higher.""",
    "refinement": """"face" is a logit: its sigmoid, at the temperature above, is the probability of a face
where as many crops show one as do not. The others are the face's centre relative to the crop's, the logarithm
of its side, sine and cosine of the head's roll, and the yaw without its sign (0 frontal, 1 profile), in the
units of `edge/detection/outputs.py`; they mean something only where there is a face.""",
}
_POINTS = {
    "proposal": ("recall_at_precision", "logit_at_precision", "precision"),
    "refinement": ("recall_at_false_alarms", "logit_at_false_alarms", "false alarms in other crops"),
}
_ERRORS = {
    "centre": "distance of the centres, in sides of the face or box",
    "log_side": "difference of the sides' logarithms",
    "roll_deg": "roll, degrees",
    "yaw": "yaw, 0 to 1",
}
_TRUTH = """The pictures are public ones of people, groups, streets and meetings, and of rooms, shops,
streets, animals and things without any face. Their boxes were made by another network (YuNet), have the size
that the Haar cascade would draw, and share that network's blind spots: it hardly sees tilted heads, so
pictures were turned for training and for these figures. Half of the crops are as they are, half are made dim
and noisy. The people in these pictures are not annotated, so errors by age, sex or ethnicity are known for
portraits at most, not for people who are far off, turned or in the dark."""
_USE = """Meant for finding out whether and where somebody looks at an installation, and for counting faces,
with the knowledge and consent of those in front of the camera. Not meant for, and unfit for: recognising who
somebody is; watching people without their knowledge; anything that safety depends on, since a missed face is
no proof that nobody is there."""


def face_card(contract: Contract) -> str:
    """Returns the card in Markdown."""
    validation = contract.figures["val"]
    shape = "x".join(map(str, contract.output_shape))
    further_sizes = "; other multiples of 8 after resizing the input" if contract.task == "proposal" else ""
    parts = [
        f"# {contract.name}",
        _SUMMARIES[contract.task],
        table(
            {
                "outputs": ", ".join(contract.labels),
                "input": f"(1, {contract.size}, {contract.size}, 1) {contract.input_dtype}, pixels with the "
                f"contrast that `edge.inference.preprocess` gives them{further_sizes}",
                "output": f"1x{shape} {contract.output_dtype}",
                "temperature": f"{contract.temperature:g}: what the logit is divided by before the sigmoid",
                "parameters": f"{contract.parameters:,} weights and biases as stored",
                "file": f"{contract.size_bytes:,} bytes, sha256 `{contract.sha256}`",
            }
        ),
        "## What the outputs mean",
        _OUTPUTS[contract.task],
        "## Accuracy",
        *_results(contract, validation),
        *_groups(validation),
        _TRUTH,
        "## Training",
        table({key: str(value) for key, value in contract.training.items() if key != PROVENANCE}),
        "## Use",
        _USE,
        "## Licence of the data",
        data_terms(contract.training),
        "## Known failures",
        _failures(contract, validation["int8"]),
    ]
    return "\n\n".join(parts) + "\n"


def _results(contract: Contract, result: Mapping[str, Any]) -> list[str]:
    int8 = result["int8"]
    before = ", ".join(f"{name.replace('_', ' ')} {each:.1%}" for name, each in result["float"].items())
    recalls, logits, unit = _POINTS[contract.task]
    points = list(int8[recalls])
    rows = [
        [f"{float(point):.1%}", f"{int8[recalls][point]:.1%}", _confidence(int8[logits][point], contract)]
        for point in points
    ]
    bands = [
        [name, f"{band['count']:,}", *(_share(band["recall"][point]) for point in points)]
        for name, band in int8["bands"].items()
    ]
    differences = ", ".join(f"{name} {value:g}" for name, value in result["mean_differences"].items())
    text = (
        f"On {int8['split']} ({int8['count']:,} crops with {int8['faces']:,} faces; the checkpoint was "
        f"chosen on it): {_overall(int8)}, in int8 through the device's own code. In float: {before}. Equal "
        f"decisions: {result['decision_agreement']:.1%}. Mean absolute differences between int8 and float: "
        f"{differences}."
    )
    if "calibration_error" in result:
        text += f" Calibration error of the confidence: {result['calibration_error']:.3f}."
    errors = int8["box_error" if contract.task == "proposal" else "errors"]
    return [
        text,
        wide_table([unit, "recall", "confidence there"], rows),
        "Recall of groups of faces:",
        wide_table(["faces", "count", *(f"at {float(point):.1%}" for point in points)], bands),
        "Median errors of the faces that are found:",
        table({_ERRORS[name]: f"{value:g}" for name, value in errors.items()}),
    ]


def _groups(result: Mapping[str, Any]) -> list[str]:
    if "groups" not in result:
        return []
    rows = {name: f"{group['recall']:.1%} of {group['count']:,}" for name, group in result["groups"].items()}
    return [
        "Upright portraits that are taken for faces, at the first of the thresholds above, by group of "
        "people (the set's own annotation):",
        table(rows),
    ]


def _overall(int8: Mapping[str, Any]) -> str:
    if "auc" in int8:
        return (
            f"mean recall at 0.1 to 10 % false alarms **{int8['log_average_recall']:.1%}**, area under the "
            f"curve {int8['auc']:.4f}"
        )
    by_light = (f"{name} {value:.1%}" for name, value in int8["average_precision_by_light"].items())
    return f"average precision **{int8['average_precision']:.1%}** ({', '.join(by_light)})"


def _confidence(logit: float | None, contract: Contract) -> str:
    return "never" if logit is None else f"{1 / (1 + math.exp(-logit / contract.temperature)):.2f}"


def _share(value: float | None) -> str:
    return "no face" if value is None else f"{value:.1%}"


def _failures(contract: Contract, int8: Mapping[str, Any]) -> str:
    point = list(int8[_POINTS[contract.task][0]])[-1]
    shares = {
        name: band["recall"][point]
        for name, band in int8["bands"].items()
        if band["recall"][point] is not None
    }
    text = (
        "Faces that are turned to profile, upside down, largely covered, or seen against strong light are "
        "missed more often; backs of heads, animals' faces, dolls, masks and pictures of faces may be taken "
        "for faces."
    )
    if shares:
        worst = min(shares, key=lambda name: shares[name])
        text = f"Worst group: {worst}, {shares[worst]:.1%} found at the strictest threshold above. {text}"
    return text
