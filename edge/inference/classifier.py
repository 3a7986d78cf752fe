"""Networks that read a face: an int8 file with its contract is a `Classifier`, two are a `FaceReader`."""

from __future__ import annotations

import math
from pathlib import Path

from edge.inference.contract import Contract
from edge.inference.network import Network
from edge.inference.preprocess import crop_face
from edge.labels import Task
from edge.types import Box, Gray, Scores


class Classifier:
    """One network that classifies faces. Everything but its few scores stays in integers.

    Attributes:
        contract: What the network reads and outputs; the file was checked against it.
    """

    def __init__(self, path: Path | None, task: Task, threads: int = 1) -> None:
        """Opens a network.

        Args:
            path: The .tflite file or its contract; the other one must lie next to it. None for the network
                that comes with the package.
            task: What the network must classify.
            threads: Processor threads.

        Raises:
            ModelError: a file is missing or damaged, the two do not belong together, or the task is another
                one.
            MissingDependencyError: no TFLite runtime is installed.
        """
        self._network = Network.open(path, task, threads)
        self.contract = self._network.contract

    def classify(self, crop: Gray) -> Scores:
        """Classifies one face.

        Args:
            crop: (size, size) uint8, as `crop_face` returns it.

        Returns:
            A score for each label.
        """
        network, contract = self._network, self.contract
        codes = network.run(crop).tolist()
        # So few numbers are faster without numpy.
        if contract.output_kind == "logits":
            most, factor = max(codes), network.scale / contract.temperature
            values = [math.exp((code - most) * factor) for code in codes]
        else:
            # Rounded scores may not sum to exactly 1; if all are zero, no label is more likely than another.
            values = [max((code - network.zero_point) * network.scale, 0.0) + 1e-9 for code in codes]
        total = sum(values)
        return Scores(contract.labels, tuple(value / total for value in values))


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
        return cls(Classifier(emotion, "emotion", threads), Classifier(gender, "gender", threads))

    @classmethod
    def shipped(cls) -> FaceReader:
        """Opens the networks that come with the package.

        Raises:
            ModelError: a file is missing or damaged.
            MissingDependencyError: no TFLite runtime is installed.
        """
        return cls.open()

    def read_face(self, gray: Gray, box: Box, roll_deg: float = 0.0) -> tuple[Scores, Scores]:
        """Classifies one face.

        Args:
            gray: (H, W) uint8.
            box: square around the face, whose centre lies in the frame.
            roll_deg: turn of the head, clockwise in degrees.

        Returns:
            The scores of its emotion and of its apparent gender.
        """
        crop = _crop(gray, box, self.emotion.contract, roll_deg)
        emotion = self.emotion.classify(crop)
        if not self._one_crop:
            crop = _crop(gray, box, self.gender.contract, roll_deg)
        return emotion, self.gender.classify(crop)


def _crop_parameters(contract: Contract) -> tuple[object, ...]:
    return contract.size, contract.framing


def _crop(gray: Gray, box: Box, contract: Contract, roll_deg: float) -> Gray:
    return crop_face(gray, box, contract.size, contract.framing, roll_deg)
