"""Chooses the TFLite interpreter: LiteRT, else tflite-runtime, else TensorFlow's own.

The environment variable EMOTINY_RUNTIME (litert, tflite or tensorflow) forces one of them.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import warnings
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError, MissingDependencyError, ModelError
from edge.system import remedies
from edge.system.platform import detect_platform
from edge.system.stdio import without_native_lines

logger = logging.getLogger(__name__)

ENVIRONMENT_VARIABLE = "EMOTINY_RUNTIME"

# In order of preference, with the command that installs each.
_INSTALL = {
    "litert": "pip install ai-edge-litert",
    "tflite": "pip install tflite-runtime 'numpy<2'",
    "tensorflow": "pip install tensorflow",
}
# What LiteRT prints on its own at the first network; it is no news.
_CHATTER = re.compile(rb"INFO: Created TensorFlow Lite .* delegate")


class Interpreter(Protocol):
    """The part of `tf.lite.Interpreter` that is used here; all three packages have it."""

    def allocate_tensors(self) -> None:
        """Allocates memory; must be called once before everything else."""

    def resize_tensor_input(self, input_index: int, tensor_size: list[int]) -> None:
        """Changes the shape of an input; `allocate_tensors` must follow."""

    def get_input_details(self) -> list[dict[str, Any]]:
        """Returns index, shape, dtype and quantization of each input."""

    def get_output_details(self) -> list[dict[str, Any]]:
        """Returns the same for each output."""

    def set_tensor(self, tensor_index: int, value: npt.NDArray[Any]) -> None:
        """Copies a value into an input."""

    def get_tensor(self, tensor_index: int) -> npt.NDArray[Any]:
        """Returns a copy of an output."""

    def invoke(self) -> None:
        """Runs the network."""


def open_interpreter(content: bytes, threads: int = 1, runtime: str = "") -> Interpreter:
    """Opens a network with the first runtime that is installed, and allocates its tensors.

    Args:
        content: Content of a .tflite file whose checksum was verified: a truncated one crashes
            tflite-runtime.
        threads: Processor threads; always passed on, because the defaults of the runtimes differ.
        runtime: Name of the only runtime to try, whatever the environment variable holds; empty for any.

    Raises:
        ConfigError: EMOTINY_RUNTIME is not the name of a runtime.
        MissingDependencyError: no runtime, or not the forced one, can be used here.
        ModelError: the runtime refuses the content.
    """
    make, name = _find_interpreter(runtime or os.environ.get(ENVIRONMENT_VARIABLE, ""))
    try:
        with warnings.catch_warnings():
            # TensorFlow 2.21 warns whoever chooses it that this will be LiteRT's alone.
            warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
            interpreter = make(model_content=content, num_threads=threads)
        with without_native_lines(_CHATTER):
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"the {name} runtime cannot open it: {reason}") from error
    logger.debug("runtime %s, %d thread(s)", name, threads)
    return interpreter


def chosen_runtime() -> str:
    """Returns the name of the runtime that `open_interpreter` uses here.

    Raises:
        ConfigError: EMOTINY_RUNTIME is not the name of a runtime.
        MissingDependencyError: no runtime can be used here.
    """
    return _find_interpreter(os.environ.get(ENVIRONMENT_VARIABLE, ""))[1]


def installed_runtimes() -> tuple[str, ...]:
    """Returns the names of all runtimes that can be used here, the preferred one first."""
    found = []
    for name in _INSTALL:
        try:
            _import_interpreter(name)
        except ImportError:
            continue
        found.append(name)
    return tuple(found)


def _find_interpreter(forced: str) -> tuple[Callable[..., Interpreter], str]:
    """Returns the interpreter class of the runtime to use, and the name of the runtime."""
    if forced and forced not in _INSTALL:
        raise ConfigError(
            f"{ENVIRONMENT_VARIABLE}={forced}: unknown runtime; expected one of {', '.join(_INSTALL)}"
        )
    reasons = []
    for name in (forced,) if forced else tuple(_INSTALL):
        try:
            return _import_interpreter(name), name
        except ImportError as error:
            reasons.append(f"{name}: {error} ({_INSTALL[name]})")
    fix = "" if forced else f"; fix: {remedies.runtime(detect_platform())}"
    raise MissingDependencyError(f"no TFLite runtime can be used; {'; '.join(reasons)}{fix}")


def _import_interpreter(name: str) -> Callable[..., Interpreter]:
    # The wheels of tflite-runtime were built against numpy 1: with numpy 2 they import, then crash in
    # Interpreter().
    if name == "tflite" and int(np.__version__.split(".")[0]) >= 2:
        raise ImportError(f"tflite-runtime cannot work with numpy {np.__version__}")
    module = {"litert": "ai_edge_litert.interpreter", "tflite": "tflite_runtime.interpreter"}.get(name)
    if module is None:
        interpreter: Callable[..., Interpreter] = importlib.import_module("tensorflow").lite.Interpreter
    else:
        interpreter = importlib.import_module(module).Interpreter
    return interpreter
