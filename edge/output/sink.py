"""Where reports go. Whoever asks for a picture of what was seen finds that sink in `annotate`."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol, TextIO

from edge.errors import OutputError
from edge.types import Face, Frame, Reading, Report, Scores

# JSON Schema of a line of `JsonLinesSink`.
SCHEMA_PATH = Path(__file__).with_name("report.schema.json")

_REDRAW_S = 0.2
_LINE_S = 1.0


# No picture yet; the camera is gone and tried again; nobody is to be read for now; the loop holds back.
IdleReason = Literal["tick", "gone", "off", "rest"]


class Sink(Protocol):
    """Takes what is said about every processed frame."""

    def send(self, frame: Frame, report: Report) -> None:
        """Takes one report.

        Args:
            frame: what the report is about, for sinks that show it; its pixels are valid during the call.
            report: what was seen.

        Raises:
            OutputError: nothing can be written any more, or the sink is closed.
            BrokenPipeError: nobody reads what is written.
        """

    def idle(self, reason: IdleReason) -> None:
        """Is told, at least every tick, why there is nothing to send."""

    def close(self) -> None:
        """Finishes what was written; may be called again."""


class Patient:
    """What sinks have that say nothing while there is nothing to say."""

    def idle(self, reason: IdleReason) -> None:
        """Does nothing."""


class MemorySink(Patient):
    """Keeps the reports, in `reports`."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self._closed = False

    def send(self, frame: Frame, report: Report) -> None:
        """Keeps the report; the frame is not looked at."""
        refuse_closed(self, self._closed)
        self.reports.append(report)

    def close(self) -> None:
        """Takes no more."""
        self._closed = True


class JsonLinesSink(Patient):
    """Writes one line of JSON per processed frame, at once; `python -m edge schema` describes it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._closed = False
        # What is said about a face changes a few times a second, and writing it out is most of the work.
        self._said: dict[int, tuple[Face, str]] = {}

    def send(self, frame: Frame, report: Report) -> None:
        """Writes the report; the frame is not looked at."""
        refuse_closed(self, self._closed)
        self._said = {face.id: (face, self._readings(face)) for face in report.faces}
        # Integers are the same in JSON; the encoder takes ten times as long for what is new in every frame.
        faces = ", ".join(
            [f'{{"id": {id_}, "box": {_box(face)}, {said[1:]}' for id_, (face, said) in self._said.items()]
        )
        write_now(self._stream, f'{_text(_head_fields(report))[:-1]}, "faces": [{faces}]}}\n')

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


class ConsoleSink(Patient):
    """A view that a person can read: a block that is redrawn on a terminal, else a line about once a second.

    Args:
        stream: where it is shown.
        clock: seconds, never falling.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._redraws = stream.isatty()
        self._shown_lines = 0
        self._next_s = -float("inf")
        self._unshown: Report | None = None
        self._closed = False

    def send(self, frame: Frame, report: Report) -> None:
        """Shows the report if the last one was shown long enough; the frame is not looked at."""
        refuse_closed(self, self._closed)
        self._unshown = report
        now = self._clock()
        if now >= self._next_s:
            self._next_s = now + (_REDRAW_S if self._redraws else _LINE_S)
            self._show()

    def close(self) -> None:
        """Shows the last report if it was not, and takes no more."""
        if not self._closed:
            self._closed = True
            self._show()

    def _show(self) -> None:
        if self._unshown is None:
            return
        report, self._unshown = self._unshown, None
        rates = report.rates
        head = (
            f"{report.captured_at:8.2f} s  {rates.processed_fps:5.1f} FPS processed, "
            f"{rates.capture_fps:.1f} captured, {rates.dropped} dropped"
        )
        if report.board.temperature_c is not None:
            head += f", {report.board.temperature_c:.0f} °C"
        head += "".join(f", {why}" for why in report.board.throttled)
        faces = [_describe(face) for face in report.faces] or ["no face"]
        if not self._redraws:
            write_now(self._stream, "  |  ".join([head, *faces]) + "\n")
            return
        # A line that wraps would leave parts behind when the cursor goes back up.
        columns = shutil.get_terminal_size().columns - 1
        lines = [line[:columns] for line in (head, *(f"  {face}" for face in faces))]
        up = f"\x1b[{self._shown_lines}F" if self._shown_lines else ""
        write_now(self._stream, f"{up}\x1b[J" + "\n".join(lines) + "\n")
        self._shown_lines = len(lines)


def report_to_dict(report: Report) -> dict[str, Any]:
    """The report as `report.schema.json` describes it, ready for JSON."""
    faces = [{"id": face.id, "box": _box(face)} | _said_fields(face) for face in report.faces]
    return _head_fields(report) | {"faces": faces}


def refuse_closed(sink: Sink, closed: bool) -> None:
    """Raises OutputError where a sink is sent something after its end."""
    if closed:
        raise OutputError(f"{type(sink).__name__}: closed; a closed sink takes no report")


def write_now(stream: TextIO, text: str) -> None:
    """Writes and flushes.

    Raises:
        BrokenPipeError: nobody reads the stream any more.
        OutputError: it cannot be written to.
    """
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        # What the stream still holds goes nowhere, or Python's own flush at exit would fail again.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        if isinstance(error, BrokenPipeError):
            raise
        raise OutputError(f"cannot write to {stream.name}: {error.strerror}") from error


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


def _describe(face: Face) -> str:
    return (
        f"#{face.id} {face.emotion.label} {face.emotion.confidence:.0%}, "
        f"apparent gender {face.gender.label} {face.gender.confidence:.0%}"
    )
