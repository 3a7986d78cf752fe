"""What differs between the kinds of networks that are released."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge.inference.contract import Contract, OutputKind
from edge.types import Gray
from quantize.release.float_network import FloatNetwork
from quantize.verification.fidelity import Fidelity
from train.augment import CropSpec
from train.data import Split


class Release(Protocol):
    """The data of a task, and how networks of its kind are calibrated, evaluated and described.

    Attributes:
        output_kind: what the networks return.
        splits: splits that an int8 file is compared with its parent on; it is chosen on the first.
    """

    output_kind: OutputKind
    splits: tuple[Split, ...]

    def crop(self, settings: Mapping[str, Any]) -> CropSpec:
        """Returns size and framing of a network's crops, from the settings of its run."""
        ...

    def adjusted(self, network: FloatNetwork) -> FloatNetwork:
        """Returns the network as it is converted; a recipe may ask for other logits. Changes its model."""
        ...

    def calibration(self, network: FloatNetwork) -> Gray:
        """Returns the (N, size, size) uint8 training images that the activations' ranges are measured on."""
        ...

    def training_images(self, network: FloatNetwork) -> Gray:
        """Returns the (N, size, size) uint8 images of the training split, for fine-tuning."""
        ...

    def divergence(self, targets: Any, outputs: Any) -> Any:
        """Returns how far outputs are from those that fine-tuning aims at, see `qat.Divergence`."""
        ...

    def images(self, network: FloatNetwork, split: Split) -> Gray:
        """Returns the (N, size, size) uint8 images that `compare` uses."""
        ...

    def measure(self, network: FloatNetwork, file: Path) -> tuple[float, float]:
        """Evaluates an int8 file with a temperature of 1 on the first split.

        Args:
            network: what the file was made from.
            file: the .tflite file, next to its contract.

        Returns:
            The temperature that suits the file, and the score by which the best file is chosen, 0 to 1.
        """
        ...

    def compare(self, network: FloatNetwork, file: Path, split: Split) -> Fidelity:
        """Compares an int8 file, by the code that runs on the device, with the network it was made from."""
        ...

    def further_figures(self, network: FloatNetwork, file: Path) -> dict[str, Any]:
        """Returns figures of a finished int8 file that its contract holds beside the results of `compare`."""
        ...

    def plot(self, fidelity: Any, contract: Contract, split: Split, run: Path) -> None:
        """Plots a result of `compare` into the folder of the run."""
        ...

    def further_checks(self, contract: Contract, content: bytes) -> Iterator[str]:
        """Checks what only networks of this kind must do, and yields a line for each check.

        Raises:
            ModelError: the file does not do it.
        """
        ...

    def decide(self, contract: Contract, content: bytes, codes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Returns what each of N images is taken for, (N, ...), from the file's integer outputs (N, ...)."""
        ...

    def training(self, network: FloatNetwork, tuned: Path | None) -> dict[str, Any]:
        """Returns how and from what a file was made, in texts for people and once for `verify`.

        Args:
            network: what the file was made from.
            tuned: the fine-tuned network; None if it was not fine-tuned.
        """
        ...

    def card(self, contract: Contract) -> str:
        """Returns the model card in Markdown."""
        ...
