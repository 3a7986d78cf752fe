"""Reads the files that `emotiny bench --json` writes, for the plots of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from edge.errors import ConfigError
from edge.files import os_error_reason

_Parsed = TypeVar("_Parsed")
# The version of the file that these plots read; the bench writes it.
_VERSION = 1


def read_bench_file(path: Path, parse: Callable[[dict[str, Any]], _Parsed]) -> _Parsed:
    """Reads a file of results.

    Args:
        path: The file.
        parse: Receives the content, and raises one of the errors of a missing or mistyped value.

    Raises:
        ConfigError: The file cannot be read, is of another version, or `parse` raised an error.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["version"]
        if version == _VERSION:
            return parse(content)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {os_error_reason(error)}") from error
    except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise ConfigError(f"{path}: no results of `bench --json`") from error
    raise ConfigError(f"{path}: results of version {version}; expected {_VERSION}")
