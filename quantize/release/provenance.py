"""What an int8 file was made of, as its contract records it.

`python -m quantize verify` builds the float network again from these values and compares the file with it.
They are recorded because another version of the package may convert the same run in another way.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.errors import ModelError
from edge.inference.contract import Contract
from quantize.conversion.tta import TestTimeAugmentation

# Key in the contract's `training`; the texts next to it are for people.
PROVENANCE = "provenance"
TUNED = "tuned.keras"
_KINDS: Mapping[str, tuple[type, ...]] = {
    "checkpoint": (str,),
    "fine_tuned": (str, type(None)),
    "logit_offsets": (list,),
    "mirror": (bool,),
    "zooms": (list,),
}
# Not in older contracts, whose files were made with the default.
_LATER_KINDS: Mapping[str, tuple[type, ...]] = {"by_noise": (bool,)}
# Texts of `training.reads` in contracts without provenance, the newer one first.
_READS = re.compile(
    r"the crop(?P<zooms>( and its middle \d+ pixels)*)(?P<mirror>, also mirrored; the mean of all)?"
)
_READS_MIRRORED = "the crop and its mirror image, the mean of both"


@dataclass(frozen=True)
class Provenance:
    """What an int8 file was made of.

    Attributes:
        checkpoint: name of the checkpoint in the run's folder.
        tta: views of a crop that the file evaluates.
        logit_offsets: numbers that were added to the logit of each label; empty if there were none.
        fine_tuned: name of the fine-tuned network in the run's folder; None if it was not fine-tuned.
        by_noise: how channels were equalized, see `quantize.conversion.equalization`.
    """

    checkpoint: str
    tta: TestTimeAugmentation
    logit_offsets: tuple[float, ...] = ()
    fine_tuned: str | None = None
    by_noise: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Returns the values as the contract holds them."""
        return {
            "checkpoint": self.checkpoint,
            "by_noise": self.by_noise,
            "fine_tuned": self.fine_tuned,
            "logit_offsets": list(self.logit_offsets),
            "mirror": self.tta.mirror,
            "zooms": list(self.tta.zooms),
        }


def read_provenance(contract: Contract) -> Provenance:
    """Reads what a file was made of from its contract.

    Raises:
        ModelError: the contract does not say it.
    """
    content = contract.training.get(PROVENANCE)
    return _from_texts(contract) if content is None else _from_dict(contract, content)


def _from_dict(contract: Contract, content: Any) -> Provenance:
    classes, kinds = len(contract.labels), {**_KINDS, **_LATER_KINDS}
    if (
        not isinstance(content, dict)
        or not _KINDS.keys() <= content.keys() <= kinds.keys()
        or not all(type(value) in kinds[key] for key, value in content.items())
        or not all(type(offset) in (int, float) for offset in content["logit_offsets"])
        or len(content["logit_offsets"]) not in (0, classes)
        or not all(type(zoom) is int for zoom in content["zooms"])
    ):
        raise ModelError(
            f"{contract.name}: its contract's training.{PROVENANCE} is {content!r}; expected "
            f"{', '.join(_KINDS)}, with no or {classes} offsets"
        )
    return Provenance(
        content["checkpoint"],
        TestTimeAugmentation(content["mirror"], tuple(content["zooms"])),
        tuple(map(float, content["logit_offsets"])),
        content["fine_tuned"],
        content.get("by_noise", False),
    )


def _from_texts(contract: Contract) -> Provenance:
    """Reads a contract that was written before it had provenance: the values stand in its texts."""
    training = contract.training
    checkpoint, offsets = training.get("checkpoint"), training.get("offsets of the logits", "none")
    if not isinstance(checkpoint, str):
        raise ModelError(
            f"{contract.name}: its contract names no training.checkpoint; expected one, such as "
            "'best.keras', that lies in the run's folder (--run)"
        )
    return Provenance(
        checkpoint.split(",")[0],
        _tta_from_text(contract, training.get("reads", "the crop")),
        () if offsets == "none" else tuple(map(float, offsets.split(", "))),
        TUNED if "fine-tuned" in training else None,
    )


def _tta_from_text(contract: Contract, text: str) -> TestTimeAugmentation:
    if text == _READS_MIRRORED:
        return TestTimeAugmentation(mirror=True)
    match = _READS.fullmatch(text)
    if not match:
        raise ModelError(
            f"{contract.name}: its contract's training.reads is {text!r}; expected 'the crop' and more"
        )
    zooms = tuple(map(int, re.findall(r"\d+", match["zooms"])))
    return TestTimeAugmentation(match["mirror"] is not None, zooms)
