"""Command lines and files with settings."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.cli.parser import parser


def arguments(*words: object) -> argparse.Namespace:
    """Returns a parsed command line of `run` with these words."""
    parsed: argparse.Namespace = parser().parse_args(["run", *map(str, words)])
    return parsed


def write(folder: Path, text: str, name: str = "config.toml") -> Path:
    """Writes a settings file into a folder, which is created if necessary, and returns its path."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
