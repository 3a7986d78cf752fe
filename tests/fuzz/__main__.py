"""`python -m tests.fuzz`: gives damaged inputs to everything that reads bytes of strangers."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from edge.inference.interpreter import installed_runtimes
from tests.fuzz.campaign import Plan, Tally, fuzz
from tests.fuzz.report import table
from tests.fuzz.supervisor import Supervisor
from tests.fuzz.target import TARGETS, open_target

_TFLITE = "networks-tflite"
_FAILED = Path(__file__).parents[2] / "build" / "fuzz"


def main() -> int:
    """Fuzzes the targets one after the other; returns 1 if an input failed."""
    arguments = _arguments()
    names = arguments.target or [name for name in TARGETS if name != _TFLITE]
    if not arguments.target and "tflite" in installed_runtimes():
        names.append(_TFLITE)
    with tempfile.TemporaryDirectory(prefix="emotiny-fuzz-") as folder:
        if arguments.replay is not None:
            return _replay(names, arguments.replay, Path(folder))
        tallies = _fuzz(names, arguments, Path(folder))
    print("\n".join(table(tallies)))
    return int(any(each.failures for each in tallies))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    add = parser.add_argument
    add("--seconds", type=float, default=60.0, help="time for all targets together (default: %(default)g)")
    add("--seed", type=int, default=0, help="seed of the inputs (default: %(default)s)")
    add("--inputs", type=int, metavar="N", help="end a target after N inputs, however much time is left")
    add(
        "--sample",
        type=int,
        default=200,
        metavar="N",
        help="every N inputs, run one by the command line, too",
    )
    add("--target", action="append", choices=tuple(TARGETS), help="only this one; may be given several times")
    add(
        "--replay",
        type=Path,
        metavar="FILE",
        help="try one saved input of --target, also by the command line",
    )
    arguments = parser.parse_args()
    if arguments.replay is not None and len(arguments.target or ()) != 1:
        parser.error("--replay needs the --target of the file")
    return arguments


def _fuzz(names: list[str], arguments: argparse.Namespace, folder: Path) -> list[Tally]:
    # Imported here: tests use the rest of this package without it.
    from tqdm import tqdm

    plan = Plan(arguments.seed, arguments.seconds / len(names), arguments.inputs, arguments.sample)
    tallies = []
    with tqdm(unit=" inputs", disable=not sys.stderr.isatty()) as bar:
        for name in names:
            bar.set_description(name)
            tallies.append(fuzz(name, TARGETS[name], plan, (folder / name, _FAILED), bar.update))
    return tallies


def _replay(names: list[str], path: Path, folder: Path) -> int:
    (name,) = names
    target = open_target(TARGETS[name], folder)
    with Supervisor(TARGETS[name], folder / "worker", target.limit_s, target.command_s) as supervisor:
        outcome = supervisor.run(path.read_bytes(), sampled=True)
    print(f"{outcome.kind}, {outcome.peak_kb // 1000} MB: {outcome.text}")
    return int(outcome.kind == "failure")


if __name__ == "__main__":
    sys.exit(main())
