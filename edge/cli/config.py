"""`config`: prints the settings in force, or writes a file of all settings."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from edge.errors import OutputError
from edge.settings.loader import collect
from edge.settings.settings import Settings, build, values_of
from edge.settings.template import render_toml
from edge.system.stdio import write_text

_HEAD = "# Settings of emotiny. Lines that are commented out show the defaults."
# Each machine decides these for itself, so they stay open in a file that may be copied to the next machine.
_MACHINE_KEYS = ("mqtt.device", "detector.threads")


def run(arguments: argparse.Namespace, _: object) -> int:
    """Prints the settings in force as a TOML file with their origins, or writes a new file of the defaults.

    Raises:
        ConfigError: a setting cannot be used.
        OutputError: the file exists or cannot be written.
    """
    if arguments.write is not None:
        _write_defaults(arguments.write)
        return 0
    raw = collect(arguments, os.environ)
    settings = build(raw.values, raw.origins)
    write_text(sys.stdout, "\n".join([*render_toml(values_of(settings), raw.origins), ""]))
    return 0


def _write_defaults(path: Path) -> None:
    values = values_of(Settings()) | dict.fromkeys(_MACHINE_KEYS)
    text = "\n".join([_HEAD, *render_toml(values), ""])
    try:
        file = path.open("x", encoding="utf-8")
        try:
            with file:
                file.write(text)
        except OSError:  # half a file would pass for settings, and be in the way of the next try
            path.unlink()
            raise
    except FileExistsError as error:
        raise OutputError(f"{path} exists; remove it or name another file") from error
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
