"""`python -m train.accelerator PACK OUT --seconds N`: trains what a pack's task is planned to get."""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path

os.environ["KERAS_BACKEND"] = "jax"


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and runs the program."""
    parser = argparse.ArgumentParser(prog="python -m train.accelerator", description=__doc__)
    parser.add_argument("pack", type=Path, help="file of `python -m train pack`")
    parser.add_argument("out", type=Path, help="folder for the results")
    parser.add_argument("--seconds", type=float, required=True, help="time for all of it")
    parser.add_argument("--rehearse", action="store_true", help="tiny teachers, to try all stages quickly")
    options = parser.parse_args(arguments)

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    import jax  # after the backend is chosen

    from train.accelerator.convolutions import as_products
    from train.accelerator.pack import read_task
    from train.accelerator.plan import PLANS
    from train.accelerator.program import Program, log

    plan = PLANS[read_task(options.pack)]
    log(f"on {jax.devices()}")
    with as_products():
        Program(
            plan.rehearsed() if options.rehearse else plan, options.pack, options.out, options.seconds
        ).run()


if __name__ == "__main__":
    main()
