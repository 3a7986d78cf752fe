"""Runs an int8 .tflite file in a test."""

import numpy as np

from edge.inference.interpreter import open_interpreter


def int8_logits(content, images):
    """Returns the (N, classes) dequantized logits of (N, size, size) uint8 images."""
    interpreter = open_interpreter(content)
    (pixels,), (logits,) = interpreter.get_input_details(), interpreter.get_output_details()
    scale, zero_point = logits["quantization"]
    rows = []
    for image in images:
        interpreter.set_tensor(pixels["index"], image[np.newaxis, ..., np.newaxis])
        interpreter.invoke()
        rows.append((interpreter.get_tensor(logits["index"])[0].astype(float) - zero_point) * scale)
    return np.array(rows)
