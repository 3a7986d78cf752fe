"""Shows the latest report to a person."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TextIO

from edge.output.sink import Sink, raise_if_closed
from edge.system.stdio import write_text
from edge.types import Face, Frame, Report

_REDRAW_S = 0.2
_LINE_S = 1.0


class ConsoleSink(Sink):
    """Shows the latest report as text.

    On a terminal it is a block of lines, redrawn five times a second; elsewhere it is one line a second.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        """Shows nothing yet.

        Args:
            stream: Text stream to write to.
            clock: Returns seconds; monotonic.
        """
        self._stream = stream
        self._clock = clock
        self._redraws = stream.isatty()
        self._block_lines = 0
        self._next_s = -float("inf")
        self._latest: Report | None = None
        self._closed = False

    def send(self, frame: Frame, report: Report) -> None:
        """Shows the report unless another one was shown a moment ago; ignores the frame."""
        raise_if_closed(self, self._closed)
        self._latest = report
        now = self._clock()
        if now >= self._next_s:
            self._next_s = now + (_REDRAW_S if self._redraws else _LINE_S)
            self._show()

    def close(self) -> None:
        """Shows the last report if it was not shown yet, and refuses further ones."""
        if not self._closed:
            self._closed = True
            self._show()

    def _show(self) -> None:
        if self._latest is None:
            return
        report, self._latest = self._latest, None
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
            write_text(self._stream, "  |  ".join([head, *faces]) + "\n")
            return
        # A line that wraps would leave parts behind when the cursor moves back up.
        columns = shutil.get_terminal_size().columns - 1
        lines = [line[:columns] for line in (head, *(f"  {face}" for face in faces))]
        up = f"\x1b[{self._block_lines}F" if self._block_lines else ""
        write_text(self._stream, f"{up}\x1b[J" + "\n".join(lines) + "\n")
        self._block_lines = len(lines)


def _describe(face: Face) -> str:
    return (
        f"#{face.id} {face.emotion.label} {face.emotion.confidence:.0%}, "
        f"apparent gender {face.gender.label} {face.gender.confidence:.0%}"
    )
