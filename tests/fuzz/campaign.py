"""Fuzzes one target for a while."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from tests.fuzz.mutate import Mutator
from tests.fuzz.supervisor import Outcome, Supervisor
from tests.fuzz.target import open_target

# Good inputs that are tried as they are.
_MOST_PLAIN = 10
# Inputs beyond the corpus that were answered in a new way, and so are starting points for others.
_MOST_LEARNT = 200
_LARGEST_LEARNT_BYTES = 1 << 16
# The same fault again says nothing new.
_MOST_SAVED = 20


@dataclass
class Tally:
    """What became of the inputs of a target.

    Attributes:
        name: Name of the target.
        accepted: Number of inputs that were accepted.
        refused: Number of inputs that were refused with one line, or ignored.
        failures: Number of inputs that broke a promise.
        sampled: Number of inputs that the command line was given, too.
        peak_kb: Largest resident memory of the worker.
        child_kb: The same of the worker's own children.
        saved: Files of the failures, each with its description; one for each kind of failure.
    """

    name: str
    accepted: int = 0
    refused: int = 0
    failures: int = 0
    sampled: int = 0
    peak_kb: int = 0
    child_kb: int = 0
    saved: list[tuple[Path, str]] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        """Number of all inputs."""
        return self.accepted + self.refused + self.failures

    def add(self, outcome: Outcome) -> None:
        """Counts an outcome."""
        self.accepted += outcome.kind == "accepted"
        self.refused += outcome.kind == "refused"
        self.failures += outcome.kind == "failure"
        self.peak_kb = max(self.peak_kb, outcome.peak_kb)
        self.child_kb = max(self.child_kb, outcome.child_kb)


@dataclass(frozen=True)
class Plan:
    """How long a target is fuzzed.

    Attributes:
        seed: Seed of the inputs.
        seconds: Time after which no further input is tried.
        most: Number of inputs after which it ends, too; None for no limit.
        sample_every: Every so many inputs, one is given to the command line, too; 0 for none.
    """

    seed: int
    seconds: float
    most: int | None = None
    sample_every: int = 200


def fuzz(
    name: str, place: str, plan: Plan, folders: tuple[Path, Path], progress: Callable[[int], object]
) -> Tally:
    """Tries inputs of a target, first some of its corpus as they are.

    Args:
        name: Name of the target.
        place: Its module and class.
        plan: How long.
        folders: For the target's files, and for inputs that fail.
        progress: Called with the number of new inputs after each.
    """
    work, failed = folders
    target = open_target(place, work)
    mutator = Mutator(f"{plan.seed} {name}", target.dictionary, target.kind)
    tally, good, learnt = Tally(name), target.corpus(), list[bytes]()
    choices = random.Random(plan.seed)
    waiting = choices.sample(good, min(len(good), _MOST_PLAIN))
    shapes, faults = set[str](), set[str]()
    until_s = time.monotonic() + plan.seconds
    with Supervisor(place, work / "worker", target.limit_s, target.command_s) as supervisor:
        while time.monotonic() < until_s and tally.inputs != plan.most:
            content = waiting.pop(0) if waiting else mutator.mutate(choices.choice((good, learnt or good)))
            sampled = plan.sample_every > 0 and tally.inputs % plan.sample_every == plan.sample_every - 1
            outcome = supervisor.run(content, sampled=sampled)
            tally.add(outcome)
            tally.sampled += sampled
            progress(1)
            shape = _shape(outcome)
            if outcome.kind == "failure":
                if shape not in faults and len(faults) < _MOST_SAVED:
                    tally.saved.append((_save(failed, name, content, outcome), outcome.text))
                faults.add(shape)
            elif shape not in shapes and len(shapes) < _MOST_LEARNT:
                shapes.add(shape)
                if len(content) <= _LARGEST_LEARNT_BYTES:
                    learnt.append(content)
    return tally


def _shape(outcome: Outcome) -> str:
    """Returns a message without what differs from input to input."""
    text = outcome.text
    if outcome.kind == "failure" and (places := re.findall(r'File "[^"]+/(\w+\.py)", line (\d+)', text)):
        return " ".join(map(str, places[-3:]))
    return outcome.kind + re.sub(r"['\"].*['\"]|[\d.]+|\S*/\S*", "…", text)[:80]


def _save(folder: Path, name: str, content: bytes, outcome: Outcome) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{sha256(content).hexdigest()[:12]}"
    path.write_bytes(content)
    path.with_name(path.name + ".txt").write_text(outcome.text, encoding="utf-8", errors="backslashreplace")
    return path
