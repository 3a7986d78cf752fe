"""How a file reads a face: several looks at one crop, and the mean of what the network says of each.

Parameters are scarce, multiplications are not, and looks cost none of the first: Krizhevsky et al. (2012)
averaged over crops and mirror images, too. They lie in the file, so the device knows nothing of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import keras
import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError
from edge.types import Gray
from train.evaluation.predictions import predict


@dataclass(frozen=True)
class TestTimeAugmentation:
    """The looks that a file takes.

    Attributes:
        mirror: each look is taken at the mirror image, too.
        zooms: sides in pixels of the crop's middle parts that are looked at enlarged, beside the whole crop;
            even, as the crop's own.
    """

    __test__: ClassVar[bool] = False  # pytest takes a class called Test... for a test
    mirror: bool = False
    zooms: tuple[int, ...] = ()

    def check(self, size: int) -> None:
        """Refuses zooms that a crop does not have.

        Raises:
            ConfigError: a side is odd, or not between half of the crop's and all of it.
        """
        for zoom in self.zooms:
            if (size - zoom) % 2 or not size / 2 <= zoom < size:
                raise ConfigError(
                    f"a zoom to {zoom} pixels of {size}; expected an even number from {size // 2} to "
                    f"{size - 2}"
                )

    def looks(self, images: Gray) -> list[Gray]:
        """What is looked at: (N, size, size) uint8 each, the crops themselves first."""
        size = images.shape[1]
        self.check(size)
        found = [images]
        for zoom in self.zooms:
            start = (size - zoom) // 2
            parts = images[:, start : start + zoom, start : start + zoom]
            enlarged = [cv2.resize(each, (size, size), interpolation=cv2.INTER_LINEAR) for each in parts]
            found.append(np.array(enlarged, dtype=np.uint8).reshape(images.shape))
        return [*found, *(look[:, :, ::-1] for look in found)] if self.mirror else found

    def predict(self, model: keras.Model, images: Gray) -> npt.NDArray[np.float32]:
        """(N, classes) float32 logits of (N, size, size) uint8 crops: the means over all looks."""
        logits = [predict(model, look[..., np.newaxis]) for look in self.looks(images)]
        return np.asarray(np.mean(logits, axis=0), dtype=np.float32)

    def graph(self, body: keras.Model, pixels: Any) -> Any:
        """The same in TensorFlow, for conversion: (1, size, size, 1) to (1, classes) logits."""
        import tensorflow as tf

        size = int(pixels.shape[1])
        self.check(size)
        looks = [pixels]
        for zoom in self.zooms:
            start = (size - zoom) // 2
            part = pixels[:, start : start + zoom, start : start + zoom]
            looks.append(tf.image.resize(part, (size, size), method="bilinear"))
        if self.mirror:
            looks += [tf.reverse(look, [2]) for look in looks]
        if len(looks) == 1:
            return body(pixels, training=False)
        return tf.reduce_mean(body(tf.concat(looks, axis=0), training=False), axis=0, keepdims=True)

    def __str__(self) -> str:
        looks = ["the crop", *(f"its middle {zoom} pixels" for zoom in self.zooms)]
        text = " and ".join(looks)
        return f"{text}, also mirrored; the mean of all" if self.mirror else text
