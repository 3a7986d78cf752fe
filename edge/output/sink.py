"""The interface of all outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

from edge.errors import OutputError
from edge.types import Frame, Report

if TYPE_CHECKING:
    from typing_extensions import Self

# Why there is no report: no frame has come yet; the camera is gone and is being reopened; reading is switched
# off; the governor pauses the loop.
IdleReason = Literal["tick", "gone", "off", "rest"]


class Sink(ABC):
    """Receives the report of every processed frame."""

    @abstractmethod
    def send(self, frame: Frame, report: Report) -> None:
        """Takes one report.

        Args:
            frame: The frame that the report describes, for sinks that show it; its pixels are valid during
                the call only.
            report: The faces of that frame and the state of the run.

        Raises:
            OutputError: the output cannot be written to any more, or the sink is closed.
            BrokenPipeError: the reader of the output has left.
        """

    def idle(self, reason: IdleReason) -> None:  # noqa: B027 - most sinks have nothing to do then
        """Notes that there is no report to send; called at least once per tick until there is one.

        Args:
            reason: Why there is no report.
        """

    def close(self) -> None:  # noqa: B027 - a sink that opened nothing has nothing to finish
        """Finishes the output; further calls do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MemorySink(Sink):
    """Keeps all reports in the list `reports`."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self._closed = False

    def send(self, frame: Frame, report: Report) -> None:
        """Appends the report; ignores the frame."""
        raise_if_closed(self, self._closed)
        self.reports.append(report)

    def close(self) -> None:
        """Refuses further reports."""
        self._closed = True


def raise_if_closed(sink: Sink, closed: bool) -> None:
    """Checks that a sink may still be used.

    Raises:
        OutputError: `closed` is true.
    """
    if closed:
        raise OutputError(f"{type(sink).__name__}: closed; a closed sink takes no report")
