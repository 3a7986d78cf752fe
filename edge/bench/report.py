"""Measures a board in about a minute, and writes a table about it for an issue."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cv2

from edge.bench.board_facts import board_name, collect_facts, first_camera, runtime
from edge.bench.clip import Clip, read_clip
from edge.bench.footprint import fresh_run
from edge.bench.loops import DESCRIPTIONS, LOOPS
from edge.bench.measure import cost_of, play
from edge.detection.settings import DetectorSettings
from edge.diagnostics.machine import service_state
from edge.inference.settings import ModelSettings
from edge.settings.settings import Settings
from edge.sources.settings import CaptureSettings
from edge.system.platform import Platform, detect_platform
from edge.system.stdio import print_message
from edge.system.thermal import ThermalSensors
from edge.types import BoardState
from edge.version import __version__

# Loops (a) and (b) do the same work on every frame, and take up to a second for each on a small board. Loop
# (c) must see the demo's second face, which appears in the seventh second.
_FRAMES = {"a": 3, "b": 6, "c": 150}
_RUNS = 2
# Of the tables of boards in docs/.
COLUMNS = ("what", "system", "how", "times (a)", "times (b)", "frames a second", "memory", "start")


@dataclass(frozen=True)
class BoardMeasurements:
    """What was measured on a board.

    Attributes:
        ms: {loop: milliseconds per frame on one thread}.
        fps: Frames per second that this package's loop could process, with the default number of threads.
        threads: The default number of threads of the detection.
        start_s: Seconds between the start and the end of a process that reported once.
        peak_mb: Peak memory in megabytes of a process that reported a hundred times.
        before: The board's state before the measurement.
        after: The board's state after it.
        elapsed_s: Seconds that the measurement took.
    """

    ms: Mapping[str, float]
    fps: float
    threads: int
    start_s: float
    peak_mb: float
    before: BoardState
    after: BoardState
    elapsed_s: float


def board_report() -> Iterator[str]:
    """Measures this board and yields the lines of a report in Markdown; progress goes to standard error.

    Raises:
        EdgeError: A network, a runtime or the cascade cannot be used.
    """
    system = detect_platform()
    print_message("looking for what is connected")
    service = service_state()
    facts = collect_facts(system) | {"camera": first_camera(), "service": service or "no systemd here"}
    if service == "active":
        print_message(
            "the service is running and slows the measurement: `sudo systemctl stop emotiny`", logging.WARNING
        )
    yield from format_report(system, facts, measure_board())


def measure_board() -> BoardMeasurements:
    """Measures this board: three seconds on a desktop, up to twenty times as long on a Raspberry Pi."""
    sensors = ThermalSensors()
    before, start_s = sensors.state(), time.monotonic()
    clip = read_clip("demo", CaptureSettings(), _FRAMES["c"])
    defaults = Settings()
    opencv_threads = cv2.getNumThreads()
    try:
        print_message("measuring the loops on one thread")
        one_thread = Settings(models=ModelSettings(threads=1), detector=DetectorSettings(threads=1))
        ms = _ms(clip, one_thread, tuple(LOOPS))
        print_message("measuring the loop with the default number of threads")
        default_ms = _ms(clip, defaults, ("c",))["c"]
    finally:
        cv2.setNumThreads(opencv_threads)
    print_message("measuring start-up time and memory")
    # The faster of two starts: the first one reads from the card what the second one finds in memory.
    process_s = min(fresh_run("demo", 1)[1] for _ in range(2))
    peak_mb = fresh_run("demo", 100)[0].peak_mb
    return BoardMeasurements(
        ms=ms,
        fps=1e3 / default_ms,
        threads=defaults.detector.threads,
        start_s=process_s,
        peak_mb=peak_mb,
        before=before,
        after=sensors.state(),
        elapsed_s=time.monotonic() - start_s,
    )


def format_report(system: Platform, facts: Mapping[str, str], measured: BoardMeasurements) -> Iterator[str]:
    """Yields the lines of the report.

    Args:
        system: The board's platform.
        facts: {property: text}, from `collect_facts` and others.
        measured: What was measured on the board.
    """
    ratios = {loop: measured.ms[loop] / measured.ms["c"] for loop in ("a", "b")}
    rows = {
        **facts,
        "milliseconds a frame": ", ".join(f"({loop}) {ms:.1f}" for loop, ms in measured.ms.items())
        + ", one thread, the demo at 640x480",
        "times as fast": f"as (a) {ratios['a']:.1f}, as (b) {ratios['b']:.1f}",
        "frames a second": f"{measured.fps:.0f} with the default number of detection threads "
        f"({measured.threads}), {1e3 / measured.ms['c']:.0f} with one",
        "peak memory": f"{measured.peak_mb:.0f} MB",
        "start": f"{measured.start_s:.1f} s until a fresh process has reported once and ended",
        "degrees Celsius": f"{_celsius(measured.before)} before, {_celsius(measured.after)} after "
        f"{measured.elapsed_s:.0f} s",
        "throttling": f"before: {_throttled(measured.before)}; after: {_throttled(measured.after)}",
    }
    yield f"### emotiny {__version__} on {board_name(system)}"
    yield ""
    yield "Left out: names of people, machines and networks, addresses, serial numbers, settings, paths."
    yield ""
    yield _row("", "")
    yield _row("---", "---")
    yield from (_row(name, text) for name, text in rows.items())
    yield ""
    yield "; ".join(f"({loop}) {description}" for loop, description in DESCRIPTIONS.items())
    yield ""
    yield "For the table of boards in the documentation:"
    yield ""
    yield _row(*COLUMNS)
    yield _row(*("---" for _ in COLUMNS))
    yield _row(
        board_name(system),
        f"{system.name}, Python {facts['Python']}, {runtime()}",
        "board" if system.model else "no board",
        f"{ratios['a']:.1f}",
        f"{ratios['b']:.1f}",
        f"{measured.fps:.0f}",
        f"{measured.peak_mb:.0f} MB",
        f"{measured.start_s:.1f} s",
    )


def _ms(clip: Clip, settings: Settings, names: tuple[str, ...]) -> dict[str, float]:
    """Returns the milliseconds per frame of loops that run in turn."""
    cv2.setNumThreads(settings.detector.threads)
    runs = [{name: play(LOOPS[name](settings), clip, _FRAMES[name]) for name in names} for _ in range(_RUNS)]
    return {name: cost_of([run[name] for run in runs]).ms for name in names}


def _celsius(state: BoardState) -> str:
    return "unknown" if state.temperature_c is None else f"{state.temperature_c:.0f}"


def _throttled(state: BoardState) -> str:
    return ", ".join(state.throttled) or "nothing reported"


def _row(*cells: str) -> str:
    escaped = (" ".join(cell.split()).replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
