"""A random walk through the faults of docs/faults.md, against the real program and a real Mosquitto.

python -m tests.chaos --seconds 600 --seed 1
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
from pathlib import Path

from tests.chaos.walk import summary, walk


def main() -> int:
    """Walks; returns 1 if something did not hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, help="the same one draws the same steps; default: a new one")
    parser.add_argument("--steps", type=int, help="number of steps after which to end")
    options = parser.parse_args()
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        print(line, flush=True)

    # The end of this process must not leave a broker and a program behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        record = walk(Path(folder), seed, options.seconds, steps=options.steps, say=say)
    print(summary(record))
    if record.failure:
        steps = sum(each[:4].strip().isdecimal() for each in said)
        print(f"FAILED, seed {seed}: {record.failure}")
        print(f"again: python -m tests.chaos --seconds 86400 --seed {seed} --steps {steps}")
    return bool(record.failure)


if __name__ == "__main__":
    sys.exit(main())
