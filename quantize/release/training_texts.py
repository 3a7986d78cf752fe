"""Texts in a contract that say what a file was made from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quantize.conversion.qat import EPOCHS
from quantize.pruning.steps import read_steps
from quantize.release.float_network import FloatNetwork
from quantize.release.provenance import PROVENANCE, Provenance
from train.models.weights_hash import weights_digest

_COMMAND = "python -m train restore && make quantize OVERWRITE=1"
_OWN_COMMAND = "python -m train fit and python -m quantize run, of a recipe of one's own"


def origin(run: Path, recipe: Mapping[str, Any]) -> str:
    """Returns where a run's first weights came from.

    Args:
        run: the run's folder.
        recipe: its recipe as `run.json` holds it.
    """
    if not (run / "plan.json").exists():
        return recipe["start"] or "random weights"
    plan, steps = json.loads((run / "plan.json").read_text(encoding="utf-8")), read_steps(run / "steps.csv")
    count = len(steps) - 1
    return (
        f"{plan['recipe']['name']}, pruned from {steps[0].parameters:,} to {steps[-1].parameters:,} "
        f"parameters in {count} step{'s' * (count > 1)} by {plan['plan']['criterion']} importance"
    )


def weights_texts(network: FloatNetwork, tuned: Path | None) -> dict[str, str]:
    """Returns the texts that name the weights of a file: "checkpoint", and "fine-tuned" if it was."""
    epochs = f"{EPOCHS} epochs with rounding, towards its own floats"
    return {
        "checkpoint": _describe(network.path),
        **({"fine-tuned": f"{epochs}; {_describe(tuned)}"} if tuned else {}),
    }


def provenance_of(network: FloatNetwork, tuned: Path | None) -> dict[str, Any]:
    """Returns what was installed, how to make the file again, and what `verify` reads."""
    versions = network.settings["versions"].items()
    provenance = Provenance(
        network.path.name,
        network.tta,
        network.offsets,
        tuned.name if tuned is not None else None,
        network.by_noise,
    )
    return {
        "versions": ", ".join(f"{key} {value}" for key, value in versions),
        "command": _OWN_COMMAND if network.is_own else _COMMAND,
        PROVENANCE: provenance.to_dict(),
    }


def _describe(checkpoint: Path) -> str:
    return f"{checkpoint.name}, weights {weights_digest(checkpoint)}"
