"""The threads and the log level of TensorFlow, which must be set before it is imported."""

from __future__ import annotations

import os
import re
from importlib import import_module
from types import ModuleType

from edge.errors import ConfigError
from edge.system.stdio import without_native_lines

THREADS_HELP = "threads of TensorFlow (default: OMP_NUM_THREADS, else 1, with which a run is reproducible)"


# What TensorFlow prints while it is imported, whatever the log level: nothing that helps anybody.
_CHATTER = re.compile(
    rb"WARNING: All log messages before absl|[EWI]\d{4} .*(cuda|port\.cc|cpu_feature|computation_placer)"
)


def import_quietly(name: str) -> ModuleType:
    """Imports a module, and TensorFlow with it, without the lines that TensorFlow's native code prints."""
    with without_native_lines(_CHATTER):
        return import_module(name)


def set_threads(threads: int | None) -> None:
    """Sets the environment variables that TensorFlow reads when it is imported.

    The default is one thread: on networks this small, two runs with one thread each are faster than one run
    with two, and the augmenting process needs a core of its own.

    Args:
        threads: number of threads, 1 or more; None keeps that of the environment, or takes 1.

    Raises:
        ConfigError: the number is below 1.
    """
    # TensorFlow's messages at its start would hide the command's own.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    if threads is not None and threads < 1:
        raise ConfigError(f"--threads {threads}: expected 1 or more")
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        if threads is None:
            os.environ.setdefault(name, "1")
        else:
            os.environ[name] = str(threads)
