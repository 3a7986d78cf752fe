"""Reports as lines of JSON for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TextIO

from edge.output.sink import Sink, raise_if_closed
from edge.system.stdio import write_text
from edge.types import Face, Frame, Reading, Report, Scores

# JSON Schema of one line.
SCHEMA_PATH = Path(__file__).with_name("report.schema.json")


class JsonLinesSink(Sink):
    """Writes one line of JSON per processed frame, at once; `python -m edge schema` describes it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._closed = False
        # What is said about a face changes a few times a second, and writing it out is most of the work.
        self._said: dict[int, tuple[Face, str]] = {}

    def send(self, frame: Frame, report: Report) -> None:
        """Writes the report; the frame is not looked at."""
        raise_if_closed(self, self._closed)
        self._said = {face.id: (face, self._readings(face)) for face in report.faces}
        # Integers are the same in JSON; the encoder takes ten times as long for what is new in every frame.
        faces = ", ".join(
            [f'{{"id": {id_}, "box": {_box(face)}, {said[1:]}' for id_, (face, said) in self._said.items()]
        )
        write_text(self._stream, f'{_text(_head_fields(report))[:-1]}, "faces": [{faces}]}}\n')

    def _readings(self, face: Face) -> str:
        before, said = self._said.get(face.id, (None, ""))
        if (
            before is not None
            and before.emotion is face.emotion
            and before.gender is face.gender
            and before.detection.confidence == face.detection.confidence
        ):
            return said
        return _text(_said_fields(face))

    def close(self) -> None:
        """Takes no more; the stream belongs to whoever opened it."""
        self._closed = True


def report_to_dict(report: Report) -> dict[str, Any]:
    """The report as `report.schema.json` describes it, ready for JSON."""
    faces = [{"id": face.id, "box": _box(face)} | _said_fields(face) for face in report.faces]
    return _head_fields(report) | {"faces": faces}


_text = json.JSONEncoder(allow_nan=False).encode


def _head_fields(report: Report) -> dict[str, Any]:
    return {
        "frame": report.frame,
        "time": round(report.captured_at, 3),
        "fps": round(report.rates.processed_fps, 2),
        "dropped": report.rates.dropped,
        "temperature": report.board.temperature_c,
        "throttled": list(report.board.throttled),
        "light": round(report.brightness, 3),
    }


def _box(face: Face) -> list[int]:
    box = face.detection.box
    return [box.x, box.y, box.width, box.height]


def _said_fields(face: Face) -> dict[str, Any]:
    confidence = face.detection.confidence
    return {
        "confidence": None if confidence is None else round(confidence, 4),
        "emotion": _reading_fields(face.emotion),
        "gender": _reading_fields(face.gender),
    }


def _reading_fields(reading: Reading) -> dict[str, Any]:
    return {
        "label": reading.label,
        "confidence": round(reading.confidence, 4),
        "scores": _score_fields(reading.scores),
        "raw": _score_fields(reading.raw),
    }


def _score_fields(scores: Scores) -> dict[str, float]:
    return dict(zip(scores.labels, (round(value, 4) for value in scores.values), strict=True))
