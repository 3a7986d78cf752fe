"""The one place where the TFLite interpreter is chosen: LiteRT, else tflite-runtime, else TensorFlow's own.

The environment variable EMOTINY_RUNTIME (litert, tflite or tensorflow) forces one of them.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError, MissingDependencyError, ModelError
from edge.system import remedies
from edge.system.platform import detect_platform

logger = logging.getLogger(__name__)

ENVIRONMENT_VARIABLE = "EMOTINY_RUNTIME"

# In the order of preference, with what a person installs to get each.
_INSTALL = {
    "litert": "pip install ai-edge-litert",
    "tflite": "pip install tflite-runtime 'numpy<2'",
    "tensorflow": "pip install tensorflow",
}


class Interpreter(Protocol):
    """The part of `tf.lite.Interpreter` that is used here; all three packages have it."""

    def allocate_tensors(self) -> None:
        """Makes room; once, before all else."""

    def get_input_details(self) -> list[dict[str, Any]]:
        """Index, shape, dtype and quantisation of each input."""

    def get_output_details(self) -> list[dict[str, Any]]:
        """The same of each output."""

    def set_tensor(self, tensor_index: int, value: npt.NDArray[Any]) -> None:
        """Copies an input in."""

    def get_tensor(self, tensor_index: int) -> npt.NDArray[Any]:
        """A copy of an output."""

    def invoke(self) -> None:
        """Runs the network."""


def open_interpreter(content: bytes, threads: int = 1, runtime: str = "") -> Interpreter:
    """An interpreter of the first runtime that is installed, its tensors allocated.

    Args:
        content: a .tflite file whose checksum was verified: a truncated one crashes tflite-runtime.
        threads: processor threads; always passed on, since the runtimes' own defaults differ.
        runtime: this one and no other, whatever the environment says.

    Raises:
        ConfigError: EMOTINY_RUNTIME names no runtime.
        MissingDependencyError: no runtime, or not the forced one, can be used here.
        ModelError: the runtime refuses the content.
    """
    make, name = _find_interpreter(runtime or os.environ.get(ENVIRONMENT_VARIABLE, ""))
    try:
        interpreter = make(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"the {name} runtime cannot open it: {reason}") from error
    logger.debug("runtime %s, %d thread(s)", name, threads)
    return interpreter


def chosen_runtime() -> str:
    """The name of the runtime that `open_interpreter` takes here.

    Raises:
        ConfigError: EMOTINY_RUNTIME names no runtime.
        MissingDependencyError: no runtime can be used here.
    """
    return _find_interpreter(os.environ.get(ENVIRONMENT_VARIABLE, ""))[1]


def installed_runtimes() -> tuple[str, ...]:
    """The names of all runtimes that can be used here, the preferred one first."""
    found = []
    for name in _INSTALL:
        try:
            _import_interpreter(name)
        except ImportError:
            continue
        found.append(name)
    return tuple(found)


def _find_interpreter(forced: str) -> tuple[Callable[..., Interpreter], str]:
    """The class of the runtime to use, and the runtime's name."""
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
    way = "" if forced else f"; fix: {remedies.runtime(detect_platform())}"
    raise MissingDependencyError(f"no TFLite runtime can be used; {'; '.join(reasons)}{way}")


def _import_interpreter(name: str) -> Callable[..., Interpreter]:
    # Its wheels were built against numpy 1: with numpy 2 it imports, then dies in Interpreter().
    if name == "tflite" and int(np.__version__.split(".")[0]) >= 2:
        raise ImportError(f"tflite-runtime cannot work with numpy {np.__version__}")
    module = {"litert": "ai_edge_litert.interpreter", "tflite": "tflite_runtime.interpreter"}.get(name)
    if module is None:
        found: Callable[..., Interpreter] = importlib.import_module("tensorflow").lite.Interpreter
    else:
        found = importlib.import_module(module).Interpreter
    return found
