"""Two cameras in one process, as of a program that uses the package: one of them hangs for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

import edge
from edge.sources.live import LiveCamera
from edge.sources.replay import ScriptedGrabber
from edge.sources.settings import CaptureSettings
from edge.types import Gray
from tests.support.cameras import LIMIT_S, Stall

GRAY = np.full((240, 320), 90, np.uint8)


class Devices:
    """Camera 0 hangs in its first read and is busy from then on; camera 1 is unplugged again and again.

    Attributes:
        opened: How often camera 1 was opened.
    """

    def __init__(self, stall: Stall) -> None:
        self.opened = 0
        self._stall = stall
        self._busy = False

    def open(self, path: str, settings: CaptureSettings) -> LiveCamera:
        if path == "/dev/video1":
            self.opened += 1
            return LiveCamera(path, lambda: ScriptedGrabber(self._pictures()), settings)
        if self._busy:
            raise edge.CameraError(f"{path}: busy")
        self._busy = True
        return LiveCamera(path, lambda: ScriptedGrabber([self._stall]), settings, first_s=0.1)

    @staticmethod
    def _pictures() -> Iterator[Gray | edge.CameraError]:
        yield from [GRAY] * 3
        yield edge.CameraError("/dev/video1: every read fails at once; unplugged?")


@pytest.fixture
def devices(stall: Stall, monkeypatch: pytest.MonkeyPatch) -> Devices:
    devices = Devices(stall)
    monkeypatch.setattr("edge.sources.factory.open_v4l2", devices.open)
    for name, seconds in (("_HOPELESS_S", 1.0), ("_FIRST_DELAY_S", 0.05), ("_MAX_DELAY_S", 0.1)):
        monkeypatch.setattr(f"edge.sources.reconnect.{name}", seconds)
    return devices


def test_the_one_that_hangs_ends_its_own_run_alone(devices: Devices) -> None:
    settings = edge.Settings(reconnect=True)
    stop, errors = threading.Event(), []

    def run_other() -> None:
        try:
            with edge.open(source="1", settings=settings) as other:
                other.run(stop)
        except edge.EdgeError as error:
            errors.append(error)

    thread = threading.Thread(target=run_other)
    thread.start()
    try:
        with (
            edge.open(source="0", settings=settings) as hung,
            pytest.raises(edge.CameraError, match="/dev/video0: busy; a read has hung for 1 s"),
        ):
            hung.run()
        # The read still hangs while the other camera fails and is opened again, several times.
        before, waited = devices.opened, threading.Event()
        for _ in range(10 * LIMIT_S):
            if devices.opened >= before + 3 or not thread.is_alive():
                break
            waited.wait(0.1)
        assert devices.opened >= before + 3
    finally:
        stop.set()
        thread.join(LIMIT_S)
    assert errors == []
