"""Reports as lines of JSON for other programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TextIO

from edge.output.sink import Sink, raise_if_closed
from edge.system.stdio import write_text
from edge.types import Face, Frame, Reading, Report, Scores

# JSON Schema of a line.
SCHEMA_PATH = Path(__file__).with_name("report.schema.json")


class JsonLinesSink(Sink):
    """Writes and flushes a line of JSON per processed frame; `python -m edge schema` prints its schema."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._closed = False
        # The readings of a face change a few times a second only, and encoding them is most of the work.
        self._encoded: dict[int, tuple[Face, str]] = {}

    def send(self, frame: Frame, report: Report) -> None:
        """Writes the report; ignores the frame."""
        raise_if_closed(self, self._closed)
        self._encoded = {face.id: (face, self._encode_readings(face)) for face in report.faces}
        # Ids and boxes are new in every frame and formatted here: the encoder takes ten times as long.
        faces = ", ".join(
            [f'{{"id": {id_}, "box": {_box(face)}, {text[1:]}' for id_, (face, text) in self._encoded.items()]
        )
        write_text(self._stream, f'{_encode(_frame_fields(report))[:-1]}, "faces": [{faces}]}}\n')

    def _encode_readings(self, face: Face) -> str:
        before, text = self._encoded.get(face.id, (None, ""))
        if (
            before is not None
            and before.emotion is face.emotion
            and before.gender is face.gender
            and before.detection.confidence == face.detection.confidence
        ):
            return text
        return _encode(_reading_part(face))

    def close(self) -> None:
        """Refuses further reports; the stream stays open, because the caller opened it."""
        self._closed = True


def report_to_dict(report: Report) -> dict[str, Any]:
    """Returns a report as a dictionary that follows `report.schema.json`."""
    faces = [{"id": face.id, "box": _box(face)} | _reading_part(face) for face in report.faces]
    return _frame_fields(report) | {"faces": faces}


_encode = json.JSONEncoder(allow_nan=False).encode


def _frame_fields(report: Report) -> dict[str, Any]:
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


def _reading_part(face: Face) -> dict[str, Any]:
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
