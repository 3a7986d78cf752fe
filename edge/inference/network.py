"""An int8 network that was opened and compared with its contract."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import ModelError
from edge.inference.contract import MODELS_FOLDER, find_model, read_model
from edge.inference.interpreter import open_interpreter
from edge.labels import Task
from edge.types import Gray


class Network:
    """An int8 network: pixels in, integer codes out.

    Attributes:
        contract: What the network reads and outputs; the file was checked against it.
        scale: Real value of one step of the output codes.
        zero_point: Output code of the real value 0.
    """

    def __init__(
        self, path: Path | None, task: Task, threads: int = 1, size_hw: tuple[int, int] | None = None
    ) -> None:
        """Opens a network.

        Args:
            path: The .tflite file or its contract; the other one must lie next to it. None for the network of
                the task that comes with the package.
            task: What the network must do.
            threads: Processor threads.
            size_hw: Height and width of the pictures to be read, for a network that is convolutional
                throughout; None for the size in the contract.

        Raises:
            ModelError: a file is missing or damaged, the two do not belong together, or the task is another
                one.
            MissingDependencyError: no TFLite runtime is installed.
        """
        self._path, self._threads = path or find_model(MODELS_FOLDER, task), threads
        self.contract, self._content = read_model(self._path)
        if self.contract.task != task:
            raise ModelError(
                f"model {self._path}: a network for {self.contract.task}; expected one for {task}"
            )
        self._reads_pixels = self.contract.input_dtype == "uint8"
        self._open(size_hw)

    def resized(self, size_hw: tuple[int, int]) -> Network:
        """Opens the same network for pictures of another size; the file is not read again.

        Args:
            size_hw: Height and width of the pictures to be read.

        Raises:
            ModelError: the network is not convolutional throughout.
        """
        network = copy.copy(self)
        network._open(size_hw)
        return network

    def run(self, pixels: Gray) -> npt.NDArray[Any]:
        """Runs the network.

        Args:
            pixels: (height, width) uint8, of the size that the network was opened for.

        Returns:
            The output codes without the batch's axis, a copy.
        """
        # Flipping the highest bit subtracts 128 modulo 256: pixel 0 becomes -128.
        codes = pixels if self._reads_pixels else (pixels ^ 0x80).view(np.int8)
        interpreter = self._interpreter
        interpreter.set_tensor(self._input_index, codes[np.newaxis, :, :, np.newaxis])
        interpreter.invoke()
        # get_tensor returns a copy: no view into the interpreter's memory outlives a call.
        output: npt.NDArray[Any] = interpreter.get_tensor(self._output_index)[0]
        return output

    def _open(self, size_hw: tuple[int, int] | None) -> None:
        """Opens an interpreter of its own and compares it with the contract."""
        try:
            self._interpreter = open_interpreter(self._content, self._threads)
            read, output = self._checked_tensors()
            self._input_index, self._output_index = int(read["index"]), int(output["index"])
            self.scale, self.zero_point = _quantization("output", output)
            if size_hw is not None:
                self._resize(size_hw)
        except ModelError as error:
            raise ModelError(f"model {self._path.with_suffix('.tflite')}: {error}") from error

    def _resize(self, size_hw: tuple[int, int]) -> None:
        try:
            self._interpreter.resize_tensor_input(self._input_index, [1, *size_hw, 1])
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"it cannot read pictures of {size_hw[1]}x{size_hw[0]} ({error})") from error

    def _checked_tensors(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the input and output tensors, after comparing them with the contract."""
        contract = self.contract
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{len(inputs)} inputs and {len(outputs)} outputs: expected one of each")
        for name, tensor, shape, dtype in (
            ("input", inputs[0], [1, contract.size, contract.size, 1], contract.input_dtype),
            ("output", outputs[0], [1, *contract.output_shape], contract.output_dtype),
        ):
            found_shape, found_dtype = tensor["shape"].tolist(), np.dtype(tensor["dtype"]).name
            if found_shape != shape or found_dtype != dtype:
                raise ModelError(
                    f"its {name} is {found_dtype} {found_shape}, its contract says {dtype} {shape}"
                )
            _quantization(name, tensor)
        scale, zero_point = _quantization("input", inputs[0])
        first = 0 if contract.input_dtype == "uint8" else -128
        low, high = ((code - zero_point) * scale for code in (first, first + 255))
        tolerance = (contract.input_range[1] - contract.input_range[0]) / 255 / 2
        # If the calibration set had no black or no white pixel, the codes of the input are not pixels any
        # more.
        if abs(low - contract.input_range[0]) > tolerance or abs(high - contract.input_range[1]) > tolerance:
            raise ModelError(
                f"its input spans {low:g} to {high:g}, its contract says "
                f"{contract.input_range[0]:g} to {contract.input_range[1]:g}"
            )
        return inputs[0], outputs[0]


def _quantization(name: str, tensor: dict[str, Any]) -> tuple[float, int]:
    """Returns scale and zero point of a tensor: real = (code - zero point) * scale."""
    parameters: dict[str, npt.NDArray[Any]] = tensor["quantization_parameters"]
    scales, zero_points = parameters["scales"], parameters["zero_points"]
    if len(scales) != 1 or not 0 < float(scales[0]) < np.inf:
        raise ModelError(f"its {name} is not quantized")
    return float(scales[0]), int(zero_points[0])
