"""`workers`: runs `fit` as several workers on this machine."""

from __future__ import annotations

import argparse
import sys

from edge.errors import ConfigError
from train.cli.parser import parser
from train.distributed.launcher import launch


def run(arguments: argparse.Namespace) -> int:
    """Returns the exit code of the first worker that failed; that worker has printed the error."""
    if arguments.command[:1] != ["fit"]:
        raise ConfigError(f"workers run `fit`, not {' '.join(arguments.command[:1]) or 'nothing'!r}")
    fit = parser().parse_args(arguments.command)
    if fit.strategy not in {"auto", "workers"}:
        raise ConfigError(f"--strategy {fit.strategy}: workers train by the strategy workers")
    command = (sys.executable, "-m", "train", *arguments.command, "--strategy", "workers")
    return launch(arguments.count, command, fit.runs / "workers")
