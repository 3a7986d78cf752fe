"""How many threads TensorFlow has, and how much it says: decided before it is imported."""

from __future__ import annotations

import os

from edge.errors import ConfigError

THREADS_HELP = "of TensorFlow (OMP_NUM_THREADS, else 1, with which a run is the same again bit for bit)"


def set_threads(threads: int | None) -> None:
    """Sets what TensorFlow reads from the environment.

    Two runs of one thread beat one run of two on networks this small, and the augmenting process wants a
    core of its own: one thread is the default.

    Args:
        threads: 1 or more; None leaves what the environment says, or takes 1.

    Raises:
        ConfigError: fewer than 1.
    """
    # Its start-up chatter would bury what a person has to read.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    if threads is not None and threads < 1:
        raise ConfigError(f"--threads {threads}: expected 1 or more")
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        if threads is None:
            os.environ.setdefault(name, "1")
        else:
            os.environ[name] = str(threads)
