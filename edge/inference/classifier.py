"""Networks that read a face: an int8 file with its contract is a `Classifier`, two are a `FaceReader`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.errors import ModelError
from edge.inference.contract import MODELS_FOLDER, Contract, find_model, read_model
from edge.inference.interpreter import open_interpreter
from edge.inference.preprocess import crop_face
from edge.labels import Task
from edge.types import Box, Gray, Scores


class Classifier:
    """One network. Everything but its few scores stays in integers.

    Attributes:
        contract: What the network reads and outputs; the file was checked against it.
    """

    def __init__(self, path: Path, task: Task, threads: int = 1) -> None:
        """Opens a network.

        Args:
            path: The .tflite file or its contract; the other one must lie next to it.
            task: What the network must classify.
            threads: Processor threads.

        Raises:
            ModelError: a file is missing or damaged, the two do not belong together, or the task is another
                one.
            MissingDependencyError: no TFLite runtime is installed.
        """
        self.contract, content = read_model(path)
        if self.contract.task != task:
            raise ModelError(f"model {path}: it reads {self.contract.task}, wanted is one that reads {task}")
        try:
            self._interpreter = open_interpreter(content, threads)
            self._input, self._output = self._checked_tensors()
        except ModelError as error:
            raise ModelError(f"model {path.with_suffix('.tflite')}: {error}") from error
        self._scale, self._zero_point = _quantization("output", self._output)

    def classify(self, crop: Gray) -> Scores:
        """Classifies one face.

        Args:
            crop: (size, size) uint8, as `crop_face` returns it.

        Returns:
            A score for each label.
        """
        # Flipping the highest bit subtracts 128 modulo 256: pixel 0 becomes -128.
        pixels = crop if self.contract.input_dtype == "uint8" else (crop ^ 0x80).view(np.int8)
        self._interpreter.set_tensor(self._input["index"], pixels[np.newaxis, :, :, np.newaxis])
        self._interpreter.invoke()
        # get_tensor returns a copy: no view into the interpreter's memory outlives a call.
        codes = self._interpreter.get_tensor(self._output["index"])[0].tolist()
        # So few numbers are faster without numpy.
        if self.contract.output_kind == "logits":
            most, factor = max(codes), self._scale / self.contract.temperature
            values = [math.exp((code - most) * factor) for code in codes]
        else:
            # Rounded scores may not sum to exactly 1; if all are zero, no label is more likely than another.
            values = [max((code - self._zero_point) * self._scale, 0.0) + 1e-9 for code in codes]
        total = sum(values)
        return Scores(self.contract.labels, tuple(value / total for value in values))

    def _checked_tensors(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Returns the input and output tensors, after comparing them with the contract."""
        contract = self.contract
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{len(inputs)} inputs and {len(outputs)} outputs: expected one of each")
        for name, tensor, shape, dtype in (
            ("input", inputs[0], [1, contract.size, contract.size, 1], contract.input_dtype),
            ("output", outputs[0], [1, len(contract.labels)], contract.output_dtype),
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


class FaceReader:
    """Reads emotion and apparent gender of a face.

    Example:
        >>> import numpy as np
        >>> gray = np.full((48, 48), 128, np.uint8)
        >>> emotion, gender = FaceReader.shipped().read_face(gray, Box(0, 0, 48, 48))
        >>> gender.labels, round(sum(gender.values), 6)
        (('male', 'female'), 1.0)

    Attributes:
        emotion: Network for emotions.
        gender: Network for apparent gender.
    """

    def __init__(self, emotion: Classifier, gender: Classifier) -> None:
        self.emotion = emotion
        self.gender = gender
        self._one_crop = _crop_parameters(emotion.contract) == _crop_parameters(gender.contract)

    @classmethod
    def open(cls, emotion: Path | None = None, gender: Path | None = None, threads: int = 1) -> FaceReader:
        """Opens a network for each task.

        Args:
            emotion: .tflite file or contract of the network for emotions; None for the shipped one.
            gender: the same for apparent gender.
            threads: processor threads of each network.

        Raises:
            ModelError: a file is missing, damaged or not what its contract describes.
            MissingDependencyError: no TFLite runtime is installed.
        """

        def network(path: Path | None, task: Task) -> Classifier:
            return Classifier(path or find_model(MODELS_FOLDER, task), task, threads)

        return cls(network(emotion, "emotion"), network(gender, "gender"))

    @classmethod
    def shipped(cls) -> FaceReader:
        """Opens the networks that come with the package.

        Raises:
            ModelError: a file is missing or damaged.
            MissingDependencyError: no TFLite runtime is installed.
        """
        return cls.open()

    def read_face(self, gray: Gray, box: Box) -> tuple[Scores, Scores]:
        """Classifies one face.

        Args:
            gray: (H, W) uint8.
            box: the face, clipped to the frame.

        Returns:
            The scores of its emotion and of its apparent gender.
        """
        crop = _crop(gray, box, self.emotion.contract)
        emotion = self.emotion.classify(crop)
        if not self._one_crop:
            crop = _crop(gray, box, self.gender.contract)
        return emotion, self.gender.classify(crop)


def _crop_parameters(contract: Contract) -> tuple[object, ...]:
    return contract.size, contract.framing


def _crop(gray: Gray, box: Box, contract: Contract) -> Gray:
    return crop_face(gray, box, contract.size, contract.framing)


def _quantization(name: str, tensor: dict[str, Any]) -> tuple[float, int]:
    """Returns scale and zero point of a tensor: real = (code - zero point) * scale."""
    parameters: dict[str, npt.NDArray[Any]] = tensor["quantization_parameters"]
    scales, zero_points = parameters["scales"], parameters["zero_points"]
    if len(scales) != 1 or not 0 < float(scales[0]) < np.inf:
        raise ModelError(f"its {name} is not quantized")
    return float(scales[0]), int(zero_points[0])
