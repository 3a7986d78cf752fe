"""Measures the accuracy of any trained run after conversion to int8, for comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from edge.inference.interpreter import open_interpreter
from edge.types import Gray
from quantize.conversion.calibration_set import draw_images
from quantize.conversion.converter import to_int8
from quantize.tflite.inspect import read_contents
from train.augment import plain_images
from train.data import Dataset
from train.progress import tracked
from train.runs.lookup import crop_spec_of, load_checkpoint, read_settings

_CALIBRATION_IMAGES = 210  # of all labels together


def measure_run(run: Path, data: Dataset) -> dict[str, Any]:
    """Converts a run's best checkpoint and measures its accuracy on the validation split.

    Args:
        run: folder of a finished run; `int8.json` is written into it.
        data: its dataset, boxes located.

    Returns:
        {"accuracy", "count", "parameters", "bytes"}, or {"error"} if TFLite cannot convert the network to
        int8.

    Raises:
        DataError: the run has no settings or no checkpoint.
    """
    crop, model = crop_spec_of(read_settings(run)), load_checkpoint(run)
    rows = data.part("val")
    crops = plain_images(rows, crop)
    try:
        content = to_int8(model, draw_images(data, crop, _CALIBRATION_IMAGES // len(data.label_names)))
    except RuntimeError as error:  # TFLite's converter raises it for an operator without an int8 form
        result: dict[str, Any] = {"error": str(error).strip().splitlines()[0][:200]}
    else:
        contents = read_contents(content)
        predicted = _predict(content, crops).argmax(axis=1)
        result = {
            "accuracy": round(float((predicted == rows.labels).mean()), 4),
            "count": len(rows),
            "parameters": contents.parameters,
            "bytes": contents.size_bytes,
        }
    keras.backend.clear_session()
    (run / "int8.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def _predict(content: bytes, crops: Gray) -> npt.NDArray[np.int64]:
    """Returns (N, C) quantized logits. All share one scale, so their order is that of the logits."""
    interpreter = open_interpreter(content)
    pixels, logits = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    rows = []
    for crop in tracked(crops, "int8", "faces"):
        interpreter.set_tensor(pixels, crop[np.newaxis, ..., np.newaxis])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(logits)[0].astype(np.int64))
    return np.array(rows)
