"""A random walk through faults; the same seed draws the same steps."""

from __future__ import annotations

import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.chaos.faults import EXIT_S, STEPS, Step, choose
from tests.chaos.oracle import Oracle
from tests.chaos.world import World

# This share of steps is followed by the next one before anything has recovered.
_AT_ONCE = 0.3
_AT_ONCE_S = 3.0
# And after this share, the pause is so many times longer: beyond the limits of broker and program.
_LONG, _LONGER = 0.1, 5
_TAIL = 40  # lines of the program's log that are shown after a failure
# In this order, what ends all faults.
_REPAIRS = ("program goes on", "broker works", "network works", "camera works")


@dataclass
class Record:
    """What happened in a walk.

    Attributes:
        seed: Seed of the walk.
        counts: Steps by name and by what was drawn, where that is a word.
        recovered_s: Seconds until everything was as stated again, by step.
        seconds: Duration.
        failure: What did not hold, with all that is known; empty if everything held.
    """

    seed: int
    counts: Counter[str] = field(default_factory=Counter)
    recovered_s: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    seconds: float = 0.0
    failure: str = ""


class Walk:
    """Takes steps in a world and has an oracle judge each."""

    def __init__(
        self, world: World, seed: int, names: Collection[str], pause_s: float, say: Callable[[str], None]
    ) -> None:
        """Takes no step yet.

        Args:
            world: The world, just started.
            seed: Seed.
            names: Names of the steps to draw from; empty for all.
            pause_s: Longest pause after a step from which everything has recovered.
            say: Prints a line.
        """
        self.oracle = Oracle(world)
        self.record = Record(seed)
        self._world = world
        self._random = Random(seed)
        self._names = names
        self._pause_s = pause_s
        self._say = say
        self._began_s = time.monotonic()
        self._taken = 0

    def run(self, seconds: float, steps: int | None) -> None:
        """Walks until the time is over or so many steps are taken, then ends all faults and the program.

        Raises:
            AssertionError: something does not hold.
        """
        self.oracle.settle()
        while time.monotonic() - self._began_s < seconds and self._taken != steps:
            self._step(choose(self._world, self._random, self._names))
        for repair in (each for name in _REPAIRS for each in STEPS if each.name == name):
            if repair.possible(self._world):
                self._act(repair)
        took_s = self.oracle.settle()
        self._say(f"       all faults ended: as stated after {took_s:.1f} s")
        self._world.touched.update(("program", "broker", "camera"))
        self._act_end()

    def _step(self, step: Step) -> None:
        self._act(step)
        self._taken += 1
        if self._random.random() < _AT_ONCE:
            time.sleep(self._random.uniform(0, _AT_ONCE_S))
            self.oracle.check()
            return
        took_s = self.oracle.settle()
        self.record.recovered_s[step.name].append(took_s)
        self._say(f"       as stated after {took_s:.1f} s")
        longer = _LONGER if self._random.random() < _LONG else 1
        time.sleep(self._random.uniform(0, self._pause_s) * longer)
        self.oracle.check()

    def _act(self, step: Step) -> None:
        drawn = step.act(self._world, self._random)
        kind = f"{step.name}: {drawn}" if drawn.isalpha() else step.name
        self.record.counts[kind] += 1
        at_s = time.monotonic() - self._began_s
        self._say(f"{self._taken + 1:4} {at_s:6.1f} s  {step.name}{f': {drawn}' if drawn else ''}")

    def _act_end(self) -> None:
        import signal

        world = self._world
        world.program.signal(signal.SIGTERM)
        code = world.program.wait(EXIT_S)
        assert code == 0, f"SIGTERM: exit code {code}; expected 0"
        until_s = time.monotonic() + EXIT_S
        while world.watcher.text("status") != "offline":
            assert time.monotonic() < until_s, "not offline after SIGTERM"
            time.sleep(0.05)
        for seen in world.watcher.take():
            if seen.name == "event":
                problem = self.oracle.events.add(seen)
                assert not problem, problem
        assert not self.oracle.events.present, f"these never left: {self.oracle.events.present}"


def walk(
    folder: Path,
    seed: int,
    seconds: float,
    *,
    steps: int | None = None,
    names: Collection[str] = (),
    pause_s: float = 8.0,
    say: Callable[[str], None] = print,
) -> Record:
    """Runs a walk in a world of its own; never raises for something that does not hold.

    Args:
        folder: Empty folder for files.
        seed: Seed of the walk; the same one draws the same steps.
        seconds: Duration, without the last step.
        steps: Number of steps after which the walk ends; None for no limit.
        names: Names of the steps to draw from; empty for all.
        pause_s: Longest pause after a step from which everything has recovered.
        say: Prints a line.
    """
    world = World(folder)
    this = Walk(world, seed, names, pause_s, say)
    began_s = time.monotonic()
    try:
        this.run(seconds, steps)
    except AssertionError as error:
        tail = [f"{at_s - began_s:8.1f} {line}" for at_s, line in world.program.lines[-_TAIL:]]
        view = {name: seen.text for name, seen in sorted(world.watcher.view.items())}
        this.record.failure = "\n".join(
            [str(error), "the program's log ends with:", *tail, f"the broker says: {view}"]
        )
        if world.program.code is None:
            this.record.failure += f"\nthe process takes {world.program.use()}"
    finally:
        world.close()
    this.record.seconds = time.monotonic() - began_s
    this.record.counts.update({f"event {kind}": n for kind, n in this.oracle.events.counts.items()})
    this.record.counts.update({f"line {kind}": n for kind, n in this.oracle.journal.counts.items()})
    say(f"the process took at most {this.oracle.largest} more than at first")
    return this.record


def summary(record: Record) -> str:
    """Returns what happened, for people."""
    lines = [f"{record.seconds:.0f} s, seed {record.seed}"]
    lines += [f"{count:6} {name}" for name, count in sorted(record.counts.items())]
    lines += ["as stated again after (median, longest):"]
    lines += [
        f"{statistics.median(times):6.1f} {max(times):6.1f} s  {name}"
        for name, times in sorted(record.recovered_s.items())
    ]
    return "\n".join(lines)
