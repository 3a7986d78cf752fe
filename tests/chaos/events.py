"""Whether events arrive in order, once or twice in a row, and make sense."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from tests.chaos.watcher import Seen


@dataclass
class _Gap:
    """Events that are missing.

    Attributes:
        text: What is missing.
        count: How many are missing.
        reconnected: Whether this listener lost its connection meanwhile, as when the broker is killed.
        followers: How many events of the same run have arrived since.
    """

    text: str
    count: int
    reconnected: bool
    followers: int = 0


class EventOrder:
    """Checks the events of one device, across its runs.

    Attributes:
        counts: Events by kind; also `twice` and `lost with the broker`, `lost beyond the queue`.
        present: Labels by id of those that have appeared and not left; None after a gap, until the next run.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.present: dict[int, Any] | None = {}
        self._run = ""
        self._earlier_runs: set[str] = set()
        self._last: Seen | None = None
        self._gaps: list[_Gap] = []

    def add(self, event: Seen) -> str:
        """Notes an event; returns what is wrong with it, empty if nothing is."""
        fields, last = event.fields, self._last
        run, seq = fields["run"], fields["seq"]
        if fields["key"] != f"{run}-{seq}" or fields["event"] != fields["event_type"]:
            return f"fields that contradict each other: {event.text}"
        if last is not None and last.text == event.text:
            self.counts["twice"] += 1
            return ""
        if run in self._earlier_runs:
            return f"an event of run {run} after one of run {self._run}: {event.text}"
        if run != self._run:
            if self._run:
                self._earlier_runs.add(self._run)
            self._run, self._last, self.present = run, None, {}
        expected = self._last.fields["seq"] + 1 if self._last is not None else 1
        if seq < expected:
            return f"seq {seq} after {expected - 1}: {event.text}"
        for gap in self._gaps:
            gap.followers += 1
        if seq > expected:
            reconnected = last is not None and last.connection != event.connection
            text = f"events {expected} to {seq - 1} of run {run} are missing"
            self._gaps.append(_Gap(text, seq - expected, reconnected))
            self.present = None
        self._last = event
        self.counts[fields["event"]] += 1
        return self._follow(event)

    def settle(self, queue: int) -> str:
        """Judges the gaps so far; returns which one may not be, empty if all may.

        Args:
            queue: Events that the program keeps while there is no broker.
        """
        gaps, self._gaps = self._gaps, []
        for gap in gaps:
            if gap.followers >= queue - 1:
                self.counts["lost beyond the queue"] += gap.count
            elif gap.reconnected and gap.count == 1:
                # What the broker had acknowledged, and not delivered yet, when it was killed.
                self.counts["lost with the broker"] += 1
            else:
                return f"{gap.text}, and only {gap.followers + 1} have arrived since; {queue} are kept"
        return ""

    def _follow(self, event: Seen) -> str:
        if self.present is None:
            return ""
        kind, id_ = event.fields["event"], event.fields["id"]
        labels = (event.fields["emotion"], event.fields["gender"])
        before = self.present.get(id_)
        if kind == "appeared":
            self.present[id_] = labels
            return "" if before is None else f"{id_} appears, but is there: {event.text}"
        if before is None:
            return f"{id_} has not appeared: {event.text}"
        if kind == "left":
            del self.present[id_]
            return "" if before == labels else f"{id_} leaves with labels other than {before}: {event.text}"
        self.present[id_] = labels
        return "" if before != labels else f"nothing has changed: {event.text}"
