"""`python -m train.accelerator PACK OUT --seconds N`: trains what a pack's task is planned to get."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from edge.errors import ConfigError, EdgeError
from train.accelerator.archived import read_archived
from train.accelerator.pack import read_task

logger = logging.getLogger(__name__)

os.environ["KERAS_BACKEND"] = "jax"


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line and runs the program; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m train.accelerator", description=__doc__)
    parser.add_argument("pack", type=Path, help="file of `python -m train pack`")
    parser.add_argument("out", type=Path, help="folder for the results; must not exist")
    parser.add_argument("--seconds", type=float, required=True, help="time for all of it")
    parser.add_argument(
        "--answers", type=Path, help="answers.npz of an earlier run: train students only, by those teachers"
    )
    parser.add_argument(
        "--teachers",
        type=Path,
        nargs="+",
        default=[],
        help="archives of trained teachers: train students only",
    )
    parser.add_argument("--rehearse", action="store_true", help="tiny teachers, to try all stages quickly")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        _run(options)
    except EdgeError as error:
        logger.error("train.accelerator: error: %s", error)
        return error.exit_code
    except KeyboardInterrupt:
        logger.error("train.accelerator: stopped; the files in the folder are complete")
        return 130
    return 0


def _run(options: argparse.Namespace) -> None:
    if not options.seconds > 0:
        raise ConfigError(f"--seconds {options.seconds:g}: expected more than 0")
    if options.out.exists():
        raise ConfigError(f"{options.out} exists; name another folder, or remove this one")
    if options.answers and options.teachers:
        raise ConfigError("--answers and --teachers: expected one of them")
    task = read_task(options.pack)
    teachers = options.answers or [read_archived(path, task) for path in options.teachers]
    try:
        import jax  # after the backend is chosen
    except ImportError as error:
        raise ConfigError("JAX is not installed: pip install -e '.[accelerator]'") from error

    from train.accelerator.convolutions import as_products
    from train.accelerator.plan import PLANS
    from train.accelerator.program import Program, log

    plan = PLANS[task]
    log(f"on {jax.devices()}")
    with as_products():
        plan = plan.rehearsed() if options.rehearse else plan
        Program(plan, options.pack, options.out, options.seconds, teachers).run()


if __name__ == "__main__":
    sys.exit(main())
