"""`bench --report`: a board measured in about a minute, and a table about it for others to read."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from threading import Event

import cv2

from edge.bench.board_facts import board, facts, runtime
from edge.bench.clip import Clip, read_clip
from edge.bench.footprint import fresh_run
from edge.bench.loops import LOOPS, MEANINGS
from edge.bench.measure import cost_of, play
from edge.diagnostics import machine
from edge.diagnostics.check import probe_source
from edge.errors import EdgeError
from edge.settings.settings import Settings
from edge.sources.camera import CaptureSettings
from edge.system.platform import Platform, detect_platform
from edge.system.stdio import print_message
from edge.system.thermal import ThermalSensors
from edge.types import BoardState
from edge.version import __version__

# The two that search every frame in full are the same from frame to frame, and take a second each on a small
# board; the demo's second face is there from the seventh second on.
_FRAMES = {"a": 3, "b": 6, "c": 150}
_RUNS = 2
# As in the documentation's tables of boards.
COLUMNS = ("what", "system", "how", "times (a)", "times (b)", "frames a second", "memory", "start")


@dataclass(frozen=True)
class Measured:
    """What was measured on a board.

    Attributes:
        ms: {loop: milliseconds a frame on one thread}.
        fps: frames a second that this package's loop could take, with as many threads as `run` gives it.
        threads: of the detection, by which `fps` was measured.
        start_s: seconds from the start of a process to the end of one that reported once.
        peak_mb: the most memory of a process that reported a hundred times.
        before: the board's state before all that.
        after: its state at the end.
        took_s: seconds in between.
    """

    ms: Mapping[str, float]
    fps: float
    threads: int
    start_s: float
    peak_mb: float
    before: BoardState
    after: BoardState
    took_s: float


def board_report() -> Iterator[str]:
    """Lines of Markdown about this board; progress goes to standard error.

    Raises:
        EdgeError: a network, a runtime or the cascade cannot be used.
    """
    system = detect_platform()
    print_message("what is connected")
    known = facts(system) | {"camera": _camera(), "service": machine.service_state() or "no systemd here"}
    if known["service"] == "active":
        print_message("the service runs, and takes its share: `sudo systemctl stop emotiny`", logging.WARNING)
    yield from lines(system, known, measure_board())


def measure_board() -> Measured:
    """Measures: for three seconds on a desktop, for which a Raspberry Pi may need twenty times as long."""
    sensors = ThermalSensors()
    before, begun_s = sensors.state(), time.monotonic()
    clip = read_clip("demo", CaptureSettings(), _FRAMES["c"])
    own = Settings()
    threads = cv2.getNumThreads()
    try:
        print_message("the loops on one thread")
        ms = _ms(clip, Settings(threads=1, detect_threads=1), tuple(LOOPS))
        print_message("the loop as it runs")
        as_run_ms = _ms(clip, own, ("c",))["c"]
    finally:
        cv2.setNumThreads(threads)
    print_message("its start and its memory")
    # Of two, the faster: the first one reads from a card what the second finds in memory.
    start_s = min(fresh_run("demo", 1)[1] for _ in range(2))
    peak_mb = fresh_run("demo", 100)[0].peak_mb
    took_s = time.monotonic() - begun_s
    return Measured(
        ms, 1e3 / as_run_ms, own.detect_threads, start_s, peak_mb, before, sensors.state(), took_s
    )


def lines(system: Platform, known: Mapping[str, str], measured: Measured) -> Iterator[str]:
    """The report.

    Args:
        system: the board's.
        known: {what: what is said of it}.
        measured: on it.
    """
    times = {name: measured.ms[name] / measured.ms["c"] for name in ("a", "b")}
    said = {
        **known,
        "milliseconds a frame": ", ".join(f"({name}) {ms:.1f}" for name, ms in measured.ms.items())
        + ", one thread, the demo at 640x480",
        "how many times as fast": f"as (a) {times['a']:.1f}, as (b) {times['b']:.1f}",
        "frames a second": f"{measured.fps:.0f} with the threads that `run` gives the detection "
        f"({measured.threads}), {1e3 / measured.ms['c']:.0f} with one",
        "memory at most": f"{measured.peak_mb:.0f} MB",
        "start": f"{measured.start_s:.1f} s until a fresh process has reported and ended",
        "degrees Celsius": f"{_celsius(measured.before)} before, {_celsius(measured.after)} after "
        f"{measured.took_s:.0f} s",
        "held back": f"before: {_held(measured.before)}; after: {_held(measured.after)}",
    }
    yield f"### emotiny {__version__} on {board(system)}"
    yield ""
    yield "Left out: names of people, machines and networks, addresses, serial numbers, settings, paths."
    yield ""
    yield _row("", "")
    yield _row("---", "---")
    yield from (_row(name, text) for name, text in said.items())
    yield ""
    yield "; ".join(f"({name}) {meaning}" for name, meaning in MEANINGS.items())
    yield ""
    yield "For the table of boards in the documentation:"
    yield ""
    yield _row(*COLUMNS)
    yield _row(*("---" for _ in COLUMNS))
    yield _row(
        board(system),
        f"{system.name}, Python {known['Python']}, {runtime()}",
        "board" if system.model else "no board",
        f"{times['a']:.1f}",
        f"{times['b']:.1f}",
        f"{measured.fps:.0f}",
        f"{measured.peak_mb:.0f} MB",
        f"{measured.start_s:.1f} s",
    )


def _camera() -> str:
    """The size and rate of what the first camera that answers gives."""
    try:
        answer = probe_source(Settings(), Event())
    except EdgeError as error:
        print_message(str(error), logging.WARNING)  # which may hold a path
        return "none answers"
    width, height = answer.size_wh
    return f"{width}x{height}, {answer.fps:.1f} pictures a second"


def _ms(clip: Clip, settings: Settings, names: tuple[str, ...]) -> dict[str, float]:
    """Milliseconds a frame of loops that take turns."""
    cv2.setNumThreads(settings.detect_threads)
    runs = [{name: play(LOOPS[name](settings), clip, _FRAMES[name]) for name in names} for _ in range(_RUNS)]
    return {name: cost_of([run[name] for run in runs]).ms for name in names}


def _celsius(state: BoardState) -> str:
    return "not told" if state.temperature_c is None else f"{state.temperature_c:.0f}"


def _held(state: BoardState) -> str:
    return ", ".join(state.throttled) or "nothing told"


def _row(*cells: str) -> str:
    escaped = (" ".join(cell.split()).replace("|", r"\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"
