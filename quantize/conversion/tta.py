"""Test-time augmentation: a network sees several views of one crop, and its logits are averaged.

Parameters are scarce, multiplications are not, and views cost no parameters. Krizhevsky et al. (2012)
averaged over crops and mirror images, too. The views are part of the .tflite file, so the device does not
know of them.
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
    """The views of a crop that a file evaluates. The whole crop is always one of them.

    Attributes:
        mirror: whether each view is evaluated mirrored, too.
        zooms: sides in pixels of centred squares that are enlarged to the size of the crop; even if the size
            of the crop is even.
    """

    __test__: ClassVar[bool] = False  # pytest would collect a class called Test...
    mirror: bool = False
    zooms: tuple[int, ...] = ()

    def check(self, size: int) -> None:
        """Refuses zooms that a crop of `size` x `size` pixels cannot have.

        Raises:
            ConfigError: the margin around a zoom is no whole number of pixels, or a side is not at least half
                of the crop's and less than all of it.
        """
        for zoom in self.zooms:
            if (size - zoom) % 2 or not size / 2 <= zoom < size:
                raise ConfigError(
                    f"a zoom to {zoom} pixels of {size}; expected an even number from {size // 2} to "
                    f"{size - 2}"
                )

    def views(self, images: Gray) -> list[Gray]:
        """Returns the views of (N, size, size) uint8 crops, each of the same shape, the crops first."""
        size = images.shape[1]
        self.check(size)
        views = [images]
        for zoom in self.zooms:
            start = (size - zoom) // 2
            parts = images[:, start : start + zoom, start : start + zoom]
            enlarged = [cv2.resize(each, (size, size), interpolation=cv2.INTER_LINEAR) for each in parts]
            views.append(np.array(enlarged, dtype=np.uint8).reshape(images.shape))
        return [*views, *(view[:, :, ::-1] for view in views)] if self.mirror else views

    def predict(self, model: keras.Model, images: Gray) -> npt.NDArray[np.float32]:
        """Returns the (N, classes) float32 logits of (N, size, size) uint8 crops, averaged over the views."""
        logits = [predict(model, view[..., np.newaxis]) for view in self.views(images)]
        return np.asarray(np.mean(logits, axis=0), dtype=np.float32)

    def graph(self, body: keras.Model, pixels: Any) -> Any:
        """Does the same with TensorFlow operations, for conversion.

        Args:
            body: the network without its input scaling.
            pixels: (1, size, size, 1) tensor, scaled.

        Returns:
            (1, classes) tensor of logits.
        """
        import tensorflow as tf

        size = int(pixels.shape[1])
        self.check(size)
        views = [pixels]
        for zoom in self.zooms:
            start = (size - zoom) // 2
            part = pixels[:, start : start + zoom, start : start + zoom]
            views.append(tf.image.resize(part, (size, size), method="bilinear"))
        if self.mirror:
            views += [tf.reverse(view, [2]) for view in views]
        if len(views) == 1:
            return body(pixels, training=False)
        return tf.reduce_mean(body(tf.concat(views, axis=0), training=False), axis=0, keepdims=True)

    def __str__(self) -> str:
        text = " and ".join(["the crop", *(f"its middle {zoom} pixels" for zoom in self.zooms)])
        return f"{text}, also mirrored; the mean of all" if self.mirror else text
