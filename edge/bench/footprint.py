"""What a process of its own takes: memory, and the time to its first report."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from edge.errors import EdgeError
from edge.inference.interpreter import ENVIRONMENT_VARIABLE

# Not getrusage: its peak is inherited from the process that started this one.
_TELL = """
import json, re, time
status = open("/proc/self/status").read()
megabytes = [int(re.search(name + r":\\s+(\\d+)", status)[1]) / 1024 for name in ("VmRSS", "VmHWM")]
print(json.dumps([*megabytes, time.process_time()]))
"""
_TIMES = 5
_PARTS = (
    "import numpy, cv2; from edge.inference.interpreter import _find_interpreter; _find_interpreter('')\n"
)
_OPEN = "from edge.bench.footprint import first_frame; first_frame({source!r})\n"
_RUN = "import sys; from edge.cli.main import main; code = main({arguments!r}); code and sys.exit(code)\n"
_PLAY = "from edge.bench.footprint import play_loop; play_loop({name!r}, {arguments!r})\n"


@dataclass(frozen=True)
class Footprint:
    """Of a fresh process: resident and peak megabytes at its end, processor seconds."""

    resident_mb: float
    peak_mb: float
    cpu_s: float


def resident_mb() -> float:
    """Megabytes of this process that are in memory now."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    return int(found[1]) / 1024 if found else 0.0


def footprints(source: str, frames: int) -> dict[str, Footprint]:
    """What fresh processes take: the bare parts, the source opened too, one report, and whole runs.

    Args:
        source: as `open_source` takes it.
        frames: of the whole runs.

    Raises:
        EdgeError: one of the processes failed.
    """
    run = _run_on(source)
    told = run[1:-1]
    return {
        "parts": _measured(_PARTS),
        "parts and source": _measured(_PARTS + _OPEN.format(source=source)),
        "first report": _measured(_RUN.format(arguments=[*run, "1"])),
        "a": _measured(_PLAY.format(name="a", arguments=["run", *told]) if frames else _PARTS),
        "b": _measured(_PLAY.format(name="b", arguments=["run", *told]) if frames else _PARTS),
        "c": _measured(_RUN.format(arguments=[*run, str(frames)])),
    }


def fresh_run(source: str, frames: int) -> tuple[Footprint, float]:
    """What one fresh process takes that reports so many times, and seconds from its start to its end.

    Args:
        source: as `open_source` takes it.
        frames: at least 1.

    Raises:
        EdgeError: the process failed.
    """
    begun_s = time.monotonic()
    footprint = _once(_RUN.format(arguments=[*_run_on(source), str(frames)]))
    return footprint, time.monotonic() - begun_s


def first_frame(source: str) -> None:
    """Opens a source and reads one frame."""
    from edge.sources.camera import CaptureSettings
    from edge.sources.factory import open_source

    with open_source(source, CaptureSettings(), fast=True) as camera:
        next(frame for frame in camera if frame is not None)


def play_loop(name: str, arguments: list[str], frames: int = 30) -> None:
    """Lets one of the compared loops work on a source as it comes."""
    import cv2

    from edge.bench.loops import LOOPS
    from edge.cli.parser import parser
    from edge.settings.loader import settings_of
    from edge.sources.factory import open_source

    settings = settings_of(parser().parse_args(arguments))
    cv2.setNumThreads(settings.detect_threads)
    loop = LOOPS[name](settings)
    with open_source(settings.source, settings.picture, fast=True) as camera:
        for frame in camera:
            if frame is not None:
                loop.step(frame)
                if frame.index + 1 >= frames:
                    break


def _run_on(source: str) -> list[str]:
    """The words of a run, but for the number of frames."""
    # Not with this machine's settings, by which a broker would be told of what is in a clip.
    told = ["--config", os.devnull, "--log-level", "error", "--output", "jsonl", "--detect-threads", "1"]
    return ["run", *told, "--source", source, "--fast", "--max-frames"]


def _measured(code: str) -> Footprint:
    """Of the process that took the least time: others waited for something, or compiled modules first."""
    return min((_once(code) for _ in range(_TIMES)), key=lambda each: each.cpu_s)


def _once(code: str) -> Footprint:
    # An installed package is compiled, whatever this process was told; and settings are not this machine's.
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE"
        and (not name.startswith("EMOTINY_") or name == ENVIRONMENT_VARIABLE)
    }
    done = subprocess.run(
        [sys.executable, "-c", code + _TELL], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise EdgeError(f"a process of the bench failed: {done.stderr.strip().splitlines()[-1:]}")
    return Footprint(*json.loads(done.stdout.splitlines()[-1]))
