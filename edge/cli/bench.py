"""`bench` on the command line."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from edge.bench.accuracy import exhaustive_detections
from edge.bench.clip import Clip, clip_name, cut_faces, demo_faces, read_clip
from edge.bench.footprint import footprints
from edge.bench.measure import measure
from edge.bench.report import board_report
from edge.bench.results import Results, compare_results, lines, read_earlier, to_json
from edge.bench.scenes import measure_scenes
from edge.bench.soak import soak
from edge.cli.parser import parser
from edge.errors import ConfigError, OutputError
from edge.inference.interpreter import chosen_runtime
from edge.settings.settings import Settings
from edge.sources.camera import CaptureSettings
from edge.system.stdio import write_text

_Item = TypeVar("_Item")


def run(arguments: argparse.Namespace, _: object) -> int:
    """Measures what is asked for; see `bench`."""
    bench(arguments)
    return 0


def bench(options: argparse.Namespace) -> None:
    """Measures what is asked for and says it on standard output; progress goes to standard error.

    Raises:
        EdgeError: a clip, a file or an option cannot be.
    """
    _refuse(options)
    if options.report:
        for line in board_report():
            write_text(sys.stdout, line + "\n")
        return
    earlier = read_earlier(options.against) if options.against else None
    cv2.setNumThreads(options.threads)
    settings = Settings(threads=options.threads, detect_threads=options.threads)
    picture = CaptureSettings(options.size_wh)
    sources = options.clips or ["demo"]
    clips = [read_clip(source, picture, options.frames) for source in sources]
    outcomes = {clip.name: measure(clip, settings, options.runs) for clip in _progress(clips, "clips")}
    results = Results(_machine(options.threads), outcomes)
    if options.footprint:
        results = replace(results, footprints=footprints(sources[0], len(clips[0].frames)))
    if options.scenes:
        results = replace(results, scenes=measure_scenes(settings, _faces(clips[0]), _progress))
    if options.long:
        results = replace(results, long=soak(clips[0], settings, options.long, _progress))
    for line in lines(results):
        write_text(sys.stdout, line + "\n")
    for line in compare_results(results, earlier) if earlier else ():
        write_text(sys.stdout, line + "\n")
    if options.json:
        _write(options.json, to_json(results))


def _refuse(options: argparse.Namespace) -> None:
    """Refuses before minutes of work what could not be done with its results."""
    for name in ("frames", "runs", "threads"):
        if getattr(options, name) < 1:
            raise ConfigError(f"--{name} {getattr(options, name)}: must be at least 1")
    if options.report and vars(options) != vars(parser().parse_args(["bench", "--report"])):
        raise ConfigError("--report measures what it measures on every board: give nothing beside it")
    for path in filter(None, (options.json,)):
        if not path.parent.is_dir():
            raise OutputError(f"cannot write {path}: there is no folder {path.parent}")
        if not _in_place(path) and not os.access(path.parent, os.W_OK):
            raise OutputError(f"cannot write {path}: the folder {path.parent} cannot be written to")
    names = [clip_name(source) for source in options.clips]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two clips are called {name}; rename one, or their results are not told apart")


def _in_place(path: Path) -> bool:
    """Whether it is no plain file, such as /dev/stdout, and must not be replaced by one."""
    return path.is_symlink() or (path.exists() and not path.is_file())


def _write(path: Path, text: str) -> None:
    """Writes all of it or nothing: what was there before stays until then."""
    try:
        if _in_place(path):
            path.write_text(text)
            return
        part = path.with_name(f".{path.name}.part")
        try:
            part.write_text(text)
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error


def _faces(clip: Clip) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], ...]:
    """The clip's own faces, or the demo's where it is the demo or its first frame has none."""
    boxes = [] if clip.name == "demo" else exhaustive_detections(clip.frames[0])
    return cut_faces(clip, boxes) if boxes else demo_faces()


def _machine(threads: int) -> dict[str, str]:
    return {
        "machine": platform.machine(),
        "cores": str(os.cpu_count()),
        "threads": str(threads),
        "Python": platform.python_version(),
        "OpenCV": cv2.__version__,
        "numpy": np.__version__,
        "runtime": chosen_runtime(),
    }


def _progress(items: Sequence[_Item], name: str) -> Iterator[_Item]:
    """A line on standard error that counts; none where nobody looks."""
    for number, item in enumerate(items):
        if sys.stderr.isatty() and number % max(1, len(items) // 200) == 0:
            write_text(sys.stderr, f"\r{name}: {number}/{len(items)}\x1b[K")
        yield item
    if sys.stderr.isatty():
        write_text(sys.stderr, "\r\x1b[K")
