"""Whether the program logs one line for a fault, and nothing that nobody has documented."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class _Kind:
    """A line that docs/faults.md promises.

    Attributes:
        pattern: What it looks like.
        causes: Names of credits; each allows such a line.
        lines: Lines per credit.
    """

    pattern: str
    causes: tuple[str, ...]
    lines: int = 1


_BROKER = ("broker", "start")
_KINDS = (
    # For each topic that is too large, in each run.
    _Kind("MQTT broker .*: connection lost right after a message of", ("program", *_BROKER), 4),
    _Kind("MQTT broker .*: connection lost", _BROKER),
    _Kind("MQTT broker .*: cannot be reached", _BROKER),
    _Kind("MQTT broker .*: does not acknowledge", _BROKER),
    _Kind("MQTT broker .*: accepts the connection but does not answer", _BROKER),
    _Kind("MQTT broker .*: closes the connection before it answers", _BROKER),
    # One for each topic, of which there are many when every entity is announced by itself.
    _Kind("MQTT broker .* take(s)? no packets of more than", ("program", *_BROKER), 30),
    _Kind("every read fails at once", ("camera",)),
    _Kind("does not open, tried for up to", ("camera",)),
    _Kind("no picture (for|within)", ("camera",)),
    _Kind("the same picture for", ("camera",)),
    _Kind("a read is still in progress; it is abandoned", ("camera",)),
    _Kind("the pictures are black", ("black", "program")),
    _Kind("SIGHUP: .*; keeping the old settings", ("invalid",)),
    _Kind("error: configuration |error: .*/nowhere/", ("invalid",)),
    _Kind("error: .*cannot write", ("disk",)),
    _Kind("MQTT: .* expected ON or OFF", ("nonsense",)),
    _Kind("MQTT: an attempt to connect is still under way", ("program",)),
)
# A library's own line at the start; the summary at the end; state changes.
_HARMLESS = r"INFO|emotiny: \d+ frames in |emotiny: no frame"


class Journal:
    """Judges what the program logs.

    Attributes:
        counts: Lines of each kind so far.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def judge(self, lines: Iterable[str], credits: Mapping[str, int]) -> str:
        """Notes lines; returns which one may not be there, empty if all may.

        Args:
            lines: New lines.
            credits: Faults so far, by name.
        """
        for line in lines:
            if re.match(_HARMLESS, line):
                continue
            kind = next((each for each in _KINDS if re.search(each.pattern, line)), None)
            if kind is None:
                return f"a line that no fault explains: {line}"
            self.counts[kind.pattern] += 1
            allowed = kind.lines * sum(credits.get(cause, 0) for cause in kind.causes)
            if self.counts[kind.pattern] > allowed:
                return f"{self.counts[kind.pattern]} such lines after {allowed} such faults: {line}"
        return ""
