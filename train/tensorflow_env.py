"""The threads and the log level of TensorFlow, which must be set before it is imported."""

from __future__ import annotations

import os

from edge.errors import ConfigError

THREADS_HELP = "threads of TensorFlow (default: OMP_NUM_THREADS, else 1, with which a run is reproducible)"


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
