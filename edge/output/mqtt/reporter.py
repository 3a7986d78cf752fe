"""Turns reports into messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge.output.jsonl import report_to_dict
from edge.output.mqtt.messages import APPEARED, CHANGED, LEFT, OFF, ON, Message, to_stamped_json
from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.stamp import Stamp, Stamper
from edge.types import Face, Report

_STATS_INTERVAL_S = 10.0
# A face counts as present for so long after it was last detected, because faces turn away for a moment.
_ABSENT_S = 2.0
_STATS_FIELDS = ("fps", "dropped", "temperature", "throttled", "light")


@dataclass(frozen=True)
class _Presence:
    """A face that counts as present.

    Attributes:
        face: As it was in the last report that held it.
        since_s: Time of the first such report.
        seen_s: Time of the last one.
    """

    face: Face
    since_s: float
    seen_s: float


class Reporter:
    """Decides which messages a report leads to, and remembers what was published before.

    Events are published at once. The state is published when it changes, but at most once per `interval_s`,
    and repeated every `heartbeat_s`.
    """

    def __init__(self, settings: MqttSettings, stamper: Stamper) -> None:
        """Starts with nobody present and nothing published.

        Args:
            settings: Topics and intervals.
            stamper: Makes the stamps of the messages.
        """
        self._settings = settings
        self._stamper = stamper
        self._present: dict[int, _Presence] = {}
        self._state: dict[str, Any] = {}  # as it was last published
        self._published_s: dict[str, float] = {}

    def messages(self, report: Report, now_s: float, extra_stats: Mapping[str, int]) -> Iterator[Message]:
        """Yields the messages that are due after a report.

        Args:
            report: Report of one frame.
            now_s: Seconds on a monotonic clock.
            extra_stats: Further numbers for the statistics.
        """
        yield from self._events(report, now_s)
        interval_s, heartbeat_s = self._settings.interval_s, self._settings.heartbeat_s
        age_s = self._age_s("state", now_s)
        if (self._state != self._summary() and age_s >= interval_s) or age_s >= heartbeat_s:
            yield self._publish_state(now_s)
        if report.faces and self._age_s("faces", now_s) >= interval_s:
            self._published_s["faces"] = now_s
            yield self._faces(report_to_dict(report), self._stamper.stamp("faces"))
        # The first frame has no rate yet.
        if report.rates.processed_fps and self._age_s("stats", now_s) >= _STATS_INTERVAL_S:
            yield self._record("stats", _stats(report) | dict(extra_stats), now_s, qos=0)

    def everybody_left(self, now_s: float) -> Iterator[Message]:
        """Yields the messages for a camera that is absent or switched off: everybody present leaves."""
        for id_ in list(self._present):
            yield self._leave(id_, now_s)
        yield self._publish_state(now_s)

    def _events(self, report: Report, now_s: float) -> Iterator[Message]:
        for face in report.faces:
            before = self._present.get(face.id)
            since_s = before.since_s if before else now_s
            self._present[face.id] = _Presence(face, since_s, now_s)
            if before is None:
                yield self._event(APPEARED, face, since_s, now_s)
            elif _labels(before.face) != _labels(face):
                yield self._event(CHANGED, face, since_s, now_s)
        absent = [id_ for id_, presence in self._present.items() if now_s - presence.seen_s > _ABSENT_S]
        for id_ in absent:
            yield self._leave(id_, now_s)

    def _leave(self, id_: int, now_s: float) -> Message:
        presence = self._present.pop(id_)
        return self._event(LEFT, presence.face, presence.since_s, now_s)

    def _event(self, kind: str, face: Face, since_s: float, now_s: float) -> Message:
        stamp = self._stamper.stamp("event")
        # The kind under a second name as well, under which Home Assistant expects it.
        names = {"key": stamp.key, "event": kind, "event_type": kind}
        fields = {**names, "id": face.id, "for_s": round(now_s - since_s, 1), **_labels(face)}
        return Message(self._settings.topic("event"), to_stamped_json(stamp, fields))

    def _publish_state(self, now_s: float) -> Message:
        self._state = self._summary()
        return self._record("state", self._state, now_s, retain=True)

    def _summary(self) -> dict[str, Any]:
        """Summarizes everybody present; the labels are those of the largest face."""
        faces = [presence.face for presence in self._present.values()]
        largest = max(faces, key=lambda face: face.detection.box.width, default=None)
        labels = _labels(largest) if largest else {"emotion": None, "gender": None}
        return {"faces": len(faces), "presence": ON if faces else OFF, **labels}

    def _faces(self, fields: Mapping[str, Any], stamp: Stamp) -> Message:
        """Returns the message with all faces; where that is too large, the narrowest are left out."""
        faces = fields["faces"]

        def without_narrowest() -> tuple[Message, ...]:
            narrowest = min(faces, key=lambda face: face["box"][2])
            rest = [face for face in faces if face is not narrowest]
            return (self._faces({**fields, "faces": rest}, stamp),)

        return Message(
            self._settings.topic("faces"),
            to_stamped_json(stamp, fields),
            qos=0,
            smaller=without_narrowest if len(faces) > 1 else None,
        )

    def _age_s(self, name: str, now_s: float) -> float:
        return now_s - self._published_s.get(name, -float("inf"))

    def _record(
        self, name: str, fields: Mapping[str, Any], now_s: float, *, retain: bool = False, qos: int = 1
    ) -> Message:
        self._published_s[name] = now_s
        payload = to_stamped_json(self._stamper.stamp(name), fields)
        return Message(self._settings.topic(name), payload, retain, qos)


def _labels(face: Face) -> dict[str, str]:
    return {"emotion": face.emotion.label, "gender": face.gender.label}


def _stats(report: Report) -> dict[str, Any]:
    fields = report_to_dict(report)
    return {name: fields[name] for name in _STATS_FIELDS}
