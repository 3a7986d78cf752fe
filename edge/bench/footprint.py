"""What fresh processes cost: memory, and processor time up to the first report."""

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
_PRINT_USAGE = """
import json, re, time
status = open("/proc/self/status").read()
megabytes = [int(re.search(name + r":\\s+(\\d+)", status)[1]) / 1024 for name in ("VmRSS", "VmHWM")]
print(json.dumps([*megabytes, time.process_time()]))
"""
_LOOP_FRAMES = 30  # of loops (a) and (b)
# Code of the processes that are measured.
_IMPORT_PARTS = "import numpy, cv2; from edge.inference.interpreter import chosen_runtime; chosen_runtime()\n"
_READ_FRAME = "from edge.bench.footprint import read_one_frame; read_one_frame({source!r})\n"
_RUN = "import sys; from edge.cli.main import main; code = main({arguments!r}); code and sys.exit(code)\n"
_PLAY = "from edge.bench.footprint import play_loop; play_loop({name!r}, {source!r})\n"


@dataclass(frozen=True)
class Footprint:
    """What a process used until its end.

    Attributes:
        resident_mb: Resident memory at its end, in megabytes.
        peak_mb: Peak of its resident memory, in megabytes.
        cpu_s: Processor seconds.
    """

    resident_mb: float
    peak_mb: float
    cpu_s: float


def resident_mb() -> float:
    """Returns the resident memory of this process in megabytes."""
    match = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(match[1]) / 1024 if match else 0.0


def footprints(source: str, frames: int, repetitions: int = 5) -> dict[str, Footprint]:
    """Measures fresh processes, each of which does more than the one before it.

    Args:
        source: A source as `open_source` takes it.
        frames: Number of frames that the run of this package's loop processes.
        repetitions: Number of processes of each kind; that with the least processor time counts, because
            others waited, or compiled modules.

    Returns:
        {name: footprint}: of the imports alone, of those and a source that was opened, of a run that ends
        after its first report, and of each loop.

    Raises:
        EdgeError: One of the processes failed.
    """
    codes = {
        "parts": _IMPORT_PARTS,
        "parts and source": _IMPORT_PARTS + _READ_FRAME.format(source=source),
        "first report": _run_code(source, 1),
        "a": _PLAY.format(name="a", source=source),
        "b": _PLAY.format(name="b", source=source),
        "c": _run_code(source, frames),
    }
    return {
        name: min((_measure(code) for _ in range(repetitions)), key=lambda footprint: footprint.cpu_s)
        for name, code in codes.items()
    }


def fresh_run(source: str, frames: int) -> tuple[Footprint, float]:
    """Measures one fresh process of `emotiny run`.

    Args:
        source: A source as `open_source` takes it.
        frames: Number of frames after which the run ends, at least 1.

    Returns:
        Its footprint, and the seconds between its start and its end.

    Raises:
        EdgeError: The process failed.
    """
    start_s = time.monotonic()
    footprint = _measure(_run_code(source, frames))
    return footprint, time.monotonic() - start_s


def read_one_frame(source: str) -> None:
    """Opens a source and reads one frame. A measured process calls this."""
    from edge.sources.factory import open_source
    from edge.sources.settings import CaptureSettings

    with open_source(source, CaptureSettings(), fast=True) as camera:
        next(frame for frame in camera if frame is not None)


def play_loop(name: str, source: str, frames: int = _LOOP_FRAMES) -> None:
    """Runs one of the compared loops on the frames of a source. A measured process calls this.

    Args:
        name: The loop's name in `LOOPS`.
        source: A source as `open_source` takes it.
        frames: Number of frames after which it ends.
    """
    import cv2

    from edge.bench.loops import LOOPS
    from edge.detection.settings import DetectorSettings
    from edge.settings.settings import Settings
    from edge.sources.factory import open_source

    settings = Settings(source=source, output="jsonl", detector=DetectorSettings(threads=1))
    cv2.setNumThreads(settings.detector.threads)
    loop = LOOPS[name](settings)
    with open_source(source, settings.picture, fast=True) as camera:
        for frame in camera:
            if frame is not None:
                loop.step(frame)
                if frame.index + 1 >= frames:
                    break


def _run_code(source: str, frames: int) -> str:
    """Returns the code of a process that runs `emotiny run`."""
    # Without this machine's settings: with a broker in them, the clip's faces would be published.
    options = ("--config", os.devnull, "--log-level", "error", "--output", "jsonl", "--detect-threads", "1")
    return _RUN.format(arguments=["run", *options, "--source", source, "--fast", "--max-frames", str(frames)])


def _measure(code: str) -> Footprint:
    """Runs Python code in a fresh process.

    Raises:
        EdgeError: The process failed.
    """
    # Modules may be compiled, as those of an installed package are, and this machine's settings are left out.
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE"
        and (not name.startswith("EMOTINY_") or name == ENVIRONMENT_VARIABLE)
    }
    command = [sys.executable, "-c", code + _PRINT_USAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise EdgeError(f"a process of the bench failed: {done.stderr.strip().splitlines()[-1:]}")
    return Footprint(*json.loads(done.stdout.splitlines()[-1]))
