"""A camera that is absent, disappears, hangs and comes back."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from itertools import islice, pairwise

import numpy as np
import pytest

from edge.errors import CameraError, MissingDependencyError
from edge.sources.camera import Camera
from edge.sources.live import LiveCamera
from edge.sources.reconnect import ReconnectingCamera
from edge.sources.replay import ReplayCamera, ScriptedGrabber, Step
from edge.sources.settings import CaptureSettings
from edge.types import Frame, Gray
from tests.support.cameras import Clock, StoppedClock

GRAY = np.zeros((48, 64), np.uint8)
ABSENT = CameraError("/dev/video0: no such device")


class Openings:
    """The outcome of each opening in turn: an error, or a camera that breaks after this many frames."""

    def __init__(self, *steps: int | Exception) -> None:
        self._steps = list(steps)
        self.opened: list[LiveCamera] = []

    def __call__(self) -> Camera:
        step = self._steps.pop(0)
        if isinstance(step, Exception):
            raise step
        script: list[Step] = [*[GRAY] * step, CameraError("unplugged")]
        self.opened.append(LiveCamera("camera", lambda: ScriptedGrabber(script), CaptureSettings()))
        return self.opened[-1]


@pytest.fixture(autouse=True)
def _short_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.sources.reconnect.TICK_S", 0.0)


def frames_of(camera: ReconnectingCamera, most: int = 2000) -> list[tuple[Frame | None, bool]]:
    """Returns frames, each with `is_down`, until there are no more openings."""
    seen: list[tuple[Frame | None, bool]] = []
    try:
        for frame in islice(camera, most):
            seen.append((frame, camera.is_down))
    except IndexError:  # no further opening
        pass
    return seen


def messages(caplog: pytest.LogCaptureFixture, part: str) -> list[tuple[str, str]]:
    """Returns level and text of the log records that contain a text."""
    records = [(record.levelname, record.getMessage()) for record in caplog.records]
    return [(level, text) for level, text in records if part in text]


def test_it_is_reopened_and_its_frames_go_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    openings = Openings(ABSENT, ABSENT, 3, ABSENT, 2)
    camera = ReconnectingCamera("/dev/video0", openings, clock=Clock())
    seen = frames_of(camera)
    frames = [frame for frame, _ in seen if frame is not None]
    assert frames
    assert [frame.index for frame in frames] == sorted({frame.index for frame in frames})
    times = [frame.captured_at for frame in frames]
    assert times == sorted(times)
    assert camera.captured == 5
    assert seen[0] == (None, True)  # absent from the start
    assert not any(is_down for frame, is_down in seen if frame is not None)
    # Once for each time it disappeared.
    assert len(messages(caplog, "/dev/video0: no such device; trying again")) == 2
    assert messages(caplog, "camera: delivers again")
    for opened in openings.opened:
        with pytest.raises(CameraError, match="closed"):
            next(iter(opened))


def test_frames_that_were_dropped_are_counted_across_openings() -> None:
    opened = threading.Event()

    class Slow(LiveCamera):
        """Is not read before its script has ended."""

        def __iter__(self) -> Iterator[Frame | None]:
            opened.wait(20)
            opened.clear()
            return super().__iter__()

    def script() -> Iterator[Gray | CameraError]:
        yield from [GRAY] * 3
        opened.set()
        yield CameraError("unplugged")

    def open_camera() -> Camera:
        if camera.captured == 6:
            raise IndexError
        return Slow("camera", lambda: ScriptedGrabber(script()), CaptureSettings())

    camera = ReconnectingCamera("camera", open_camera, clock=Clock())
    frames = [frame for frame, _ in frames_of(camera) if frame is not None]
    assert (len(frames), camera.captured, camera.dropped) == (2, 6, 4)


def delays_of(*steps: int | Exception, played_s: float = 0.0) -> list[float]:
    """Returns the seconds from each fault to the next opening; a camera breaks `played_s` after its frame."""
    clock = StoppedClock()
    openings = Openings(*steps)
    fault_s = 0.0
    delays: list[float] = []

    def open_camera() -> Camera:
        nonlocal fault_s
        delays.append(clock.now_s - fault_s)
        fault_s = clock.now_s  # unless it delivers
        return openings()

    camera = ReconnectingCamera("camera", open_camera, clock=clock)
    with contextlib.suppress(IndexError):  # no further opening
        for frame in islice(camera, 2000):
            if frame is not None:
                clock.now_s += played_s
                fault_s = clock.now_s
            elif camera.is_down:
                clock.now_s += 0.25
    return delays[1:]


def test_the_delay_doubles_up_to_half_a_minute() -> None:
    assert delays_of(*[ABSENT] * 7) == [2, 4, 8, 16, 30, 30, 30]


def test_the_delay_starts_anew_after_a_camera_that_delivered_for_a_while() -> None:
    assert delays_of(*[ABSENT] * 3, 1, ABSENT, played_s=11.0) == [2, 4, 8, 1, 2]
    # One that breaks at once is no recovery.
    assert delays_of(*[ABSENT] * 3, 1, ABSENT, played_s=1.0) == [2, 4, 8, 16, 30]


NOISE = np.random.default_rng(0).integers(0, 256, (12, 48, 64), np.uint8)


def played(frozen_s: float, *groups: list[Gray]) -> list[tuple[Frame | None, bool]]:
    """Returns the frames of a camera that delivers one group of frames for each opening."""
    cameras = [ReplayCamera(group) for group in groups]
    return frames_of(ReconnectingCamera("camera", lambda: cameras.pop(0), frozen_s, Clock()))


def test_a_frozen_picture_is_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    same = [NOISE[0]] * 40
    seen = played(10.0, [*NOISE, *same], same, [*same[:3], *NOISE[1:], NOISE[0]])
    shown = [frame.gray.tobytes() for frame, _ in seen if frame is not None]
    noise = [each.tobytes() for each in NOISE]
    assert shown[:12] == noise
    # It is shown for ten seconds, and not again until another picture comes, however often it is reopened.
    assert 10 < shown[12:].count(noise[0]) < 30
    assert shown[-12:] == [*noise[1:], noise[0]]
    went_down = sum(later and not earlier for earlier, later in pairwise(is_down for _, is_down in seen))
    assert went_down == 2  # when it froze, and at the end of the last group
    assert messages(caplog, "the same picture") == [
        ("WARNING", "replay: the same picture for 10 s; stuck?; trying again")
    ]


@pytest.mark.parametrize(
    ("frozen_s", "picture"), [(0.0, NOISE[0]), (10.0, np.full((48, 64), 16, np.uint8))], ids=["off", "black"]
)
def test_a_picture_that_stays_the_same_may_be_right(frozen_s: float, picture: Gray) -> None:
    seen = played(frozen_s, [picture] * 60)
    assert sum(frame is not None for frame, _ in seen) == 60


def test_waiting_takes_next_to_no_processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.sources.reconnect.TICK_S", 0.2)
    camera = ReconnectingCamera("camera", Openings(ABSENT, ABSENT))
    begun_s, begun_cpu_s = time.monotonic(), time.process_time()
    for _ in islice(camera, 6):
        pass
    assert camera.is_down
    assert (time.process_time() - begun_cpu_s) / (time.monotonic() - begun_s) < 0.05


def test_a_missing_package_is_not_waited_for() -> None:
    camera = ReconnectingCamera("camera", Openings(MissingDependencyError("no picamera2")))
    with pytest.raises(MissingDependencyError):
        next(iter(camera))


@pytest.mark.parametrize("yields_stills", [True, False])
def test_unrelated_images_stay_unrelated(yields_stills: bool) -> None:
    camera = ReconnectingCamera("folder", lambda: ReplayCamera([GRAY] * 2, yields_stills=yields_stills))
    assert not camera.yields_stills
    next(iter(camera))
    assert camera.yields_stills == yields_stills


def test_it_closes_while_it_waits() -> None:
    camera = ReconnectingCamera("camera", Openings(CameraError("gone")))
    assert next(iter(camera)) is None
    camera.close()
    camera.close()
    with pytest.raises(CameraError, match="closed"):
        next(iter(camera))
