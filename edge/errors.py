"""Every error that the three packages raise on purpose.

EdgeError                exit 1
├── CameraError          exit 1   a source is absent, damaged, silent or gone (also OSError)
├── ConfigError          exit 2   an option, a file name or a label is wrong (also ValueError)
│   └── MissingDependencyError    a package or file of the system is missing (also ImportError)
├── ModelError           exit 2   a model or its contract is damaged or foreign (also ValueError)
├── DataError            exit 3   a dataset is absent, damaged or foreign (also ValueError)
└── OutputError          exit 4   a result cannot be written (also OSError)

Exit 0 is a normal end (end of the source, --max-frames, SIGINT or SIGTERM). A service manager restarts
after 1 and leaves 2 alone. Every message holds the offending value and what was expected instead.
"""

from __future__ import annotations


class EdgeError(Exception):
    """Base of all errors that a user can cause or meet."""

    exit_code: int = 1


class CameraError(EdgeError, OSError):
    """A camera, stream, video or folder of pictures cannot be opened or stopped delivering."""


class ConfigError(EdgeError, ValueError):
    """An option or setting has a value that cannot work."""

    exit_code = 2


class MissingDependencyError(ConfigError, ImportError):
    """A package or a file of the system is not installed; the message says how to install it."""


class ModelError(EdgeError, ValueError):
    """A model file or its contract is missing, damaged or does not fit the other."""

    exit_code = 2


class DataError(EdgeError, ValueError):
    """A dataset is missing, damaged or not in the form that was expected."""

    exit_code = 3


class OutputError(EdgeError, OSError):
    """A result cannot be written."""

    exit_code = 4
