"""An int8 network that was opened and compared with its contract."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import ModelError
from edge.inference.contract import MODELS_FOLDER, Contract, find_model, read_model
from edge.inference.interpreter import open_interpreter
from edge.inference.trial import ModelFile, require_trial
from edge.labels import FACE_TASKS, Task
from edge.types import Gray

# From the least to the greatest output of a network that finds faces. Sizes and confidences are exponential
# functions of it, which overflow beyond this. Those of the package span 13 and 15.
_MOST_FACE_SPAN = 64.0
# From a picture, (height, width), to a batch of one picture with one channel.
_AS_BATCH = np.s_[np.newaxis, :, :, np.newaxis]


class Network:
    """An int8 network: pixels in, integer codes out.

    Attributes:
        path: Its file, for messages.
        contract: What the network reads and outputs; the file was checked against it.
        scale: Real value of one step of the output codes.
        zero_point: Output code of the real value 0.
    """

    def __init__(
        self,
        path: Path,
        contract: Contract,
        content: bytes,
        threads: int = 1,
        size_hw: tuple[int, int] | None = None,
    ) -> None:
        """Opens a network that this process may open: one that was tried, see `open`.

        Args:
            path: Where the network was read, for messages.
            contract: Its contract.
            content: Content of the .tflite file.
            threads: Processor threads.
            size_hw: Height and width of the pictures to be read, for a network that is convolutional
                throughout; None for the size in the contract.

        Raises:
            ModelError: the network is not what its contract describes, or cannot be opened.
            MissingDependencyError: no TFLite runtime is installed.
        """
        self.path, self.contract = path.with_suffix(".tflite"), contract
        self._content, self._threads = content, threads
        self._reads_pixels = contract.input_dtype == "uint8"
        self._open(size_hw)

    @classmethod
    def open(
        cls, path: Path | None, task: Task, threads: int = 1, size_hw: tuple[int, int] | None = None
    ) -> Network:
        """Reads a network, and opens it once it has passed a trial in a process of its own.

        Args:
            path: The .tflite file or its contract; the other one must lie next to it. None for the network of
                the task that comes with the package.
            task: What the network must do.
            threads: Processor threads.
            size_hw: Size of the pictures to be read; None for the one in the contract.

        Raises:
            ModelError: a file is missing or damaged, the two do not belong together, or the task is another
                one.
            MissingDependencyError: no TFLite runtime is installed.
        """
        model = read_network(path, task)
        require_trial([model])
        return cls(model.path, model.contract, model.content, threads, size_hw)

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

        Raises:
            ModelError: the runtime refuses to run the network.
        """
        # Flipping the highest bit subtracts 128 modulo 256: pixel 0 becomes -128.
        codes = pixels if self._reads_pixels else (pixels ^ 0x80).view(np.int8)
        interpreter = self._interpreter
        interpreter.set_tensor(self._input_index, codes[_AS_BATCH])
        try:
            interpreter.invoke()
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ModelError(f"model {self.path}: it cannot be run: {reason}") from error
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
            raise ModelError(f"model {self.path}: {error}") from error

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
        span = 255 * _quantization("output", outputs[0])[0]
        if contract.task in FACE_TASKS and span > _MOST_FACE_SPAN:
            raise ModelError(f"its outputs span {span:g}, expected at most {_MOST_FACE_SPAN:g}")
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
    limits = np.iinfo(tensor["dtype"])
    if len(zero_points) != 1 or not limits.min <= int(zero_points[0]) <= limits.max:
        raise ModelError(
            f"its {name} has a zero point of {zero_points.tolist()}, expected one {limits.dtype}"
        )
    return float(scales[0]), int(zero_points[0])


def read_network(path: Path | None, task: Task) -> ModelFile:
    """Reads a network and its contract, without opening it.

    Args:
        path: The .tflite file or its contract; None for the network of the task that comes with the package.
        task: What the network must do.

    Raises:
        ModelError: a file is missing or damaged, the two do not belong together, or the task is another one.
    """
    path = path or find_model(MODELS_FOLDER, task)
    contract, content = read_model(path)
    if contract.task != task:
        raise ModelError(f"model {path}: a network for {contract.task}; expected one for {task}")
    return ModelFile(path.with_suffix(".tflite"), contract, content)
