"""`bench`: measures this package's loop against other ways to write it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.bench.ablation import ABLATION, ABLATION_DESCRIPTIONS
from edge.bench.accuracy import exhaustive_detections
from edge.bench.annotated import annotated_to_dict, format_annotated, measure_annotated
from edge.bench.clip import Clip, clip_name, crop_faces, demo_faces, read_clip
from edge.bench.footprint import footprints
from edge.bench.loops import DESCRIPTIONS, LOOPS, Loop
from edge.bench.measure import measure
from edge.bench.results import (
    Results,
    compare_results,
    format_results,
    is_replaceable,
    read_earlier,
    write_json,
)
from edge.bench.scenes import measure_scenes
from edge.bench.soak import soak
from edge.bench.truth import Truth, read_truth, truth_path
from edge.bench.yunet import YuNetLoop
from edge.cli.parser import BENCH_LEAVES_OUT
from edge.cli.progress import counted
from edge.errors import ConfigError, OutputError
from edge.inference.interpreter import chosen_runtime
from edge.settings.settings import OPTIONS, Settings, build
from edge.sources.settings import CaptureSettings
from edge.system.stdio import write_text
from edge.types import Gray

if TYPE_CHECKING:
    import argparse

_FRAMES = 150  # of a clip, if the command line names no number


def run(arguments: argparse.Namespace, _: object) -> int:
    """Measures what the arguments ask for and prints it; progress goes to standard error.

    Raises:
        EdgeError: An argument is invalid, a clip cannot be read, or the results cannot be written.
    """
    _check(arguments)
    cv2.setNumThreads(arguments.threads)
    if arguments.truth:
        _run_annotated(arguments)
        return 0
    earlier = read_earlier(arguments.against) if arguments.against else None
    settings = _settings(arguments)
    sources = arguments.clips or ["demo"]
    clips = [
        read_clip(source, CaptureSettings(arguments.size_wh), arguments.frames or _FRAMES)
        for source in sources
    ]
    outcomes = {clip.name: measure(clip, settings, arguments.runs) for clip in counted(clips, "clips")}
    results = Results(_machine(arguments.threads), outcomes)
    if arguments.footprint:
        results = replace(results, footprints=footprints(sources[0], len(clips[0].frames)))
    if arguments.scenes:
        results = replace(results, scenes=measure_scenes(settings, _scene_faces(clips[0]), counted))
    if arguments.long:
        results = replace(results, long=soak(clips[0], settings, arguments.long, counted))
    _print(format_results(results))
    if earlier is not None:
        _print(compare_results(results, earlier))
    if arguments.json:
        write_json(results, arguments.json)
    return 0


def _run_annotated(arguments: argparse.Namespace) -> None:
    """Measures how well each loop finds the faces of clips with truth."""
    settings = _settings(arguments)
    loops: dict[str, Callable[[], Loop]] = {name: partial(LOOPS[name], settings) for name in LOOPS}
    descriptions = dict(DESCRIPTIONS)
    if arguments.yunet is not None:
        loops["d"] = partial(YuNetLoop, settings, arguments.yunet)
        descriptions["d"] = "YuNet at 320 pixels on every frame, both networks on every face"
        loops["d"]()  # a wrong file is an error now, not after minutes

    if arguments.ablation:
        loops |= {name: partial(open_loop, settings) for name, open_loop in ABLATION.items()}
        descriptions |= ABLATION_DESCRIPTIONS

    def clips() -> Iterator[tuple[Clip, Truth]]:
        for source in counted(arguments.clips, "clips"):
            clip = read_clip(source, CaptureSettings(), arguments.frames or sys.maxsize)
            yield clip, read_truth(truth_path(source), clip, is_whole=arguments.frames is None)

    results = measure_annotated(clips(), loops)
    _print(format_annotated(results, descriptions))
    if arguments.json:
        write_json(Results(_machine(arguments.threads), truth=annotated_to_dict(results)), arguments.json)


def _settings(arguments: argparse.Namespace) -> Settings:
    """Returns the settings of this package's loop that the arguments name."""
    values = {
        option.key: getattr(arguments, option.key)
        for option in OPTIONS
        if getattr(arguments, option.key, None) is not None
    }
    threads = dict.fromkeys(BENCH_LEAVES_OUT, arguments.threads)
    return build({**values, **threads}, dict.fromkeys(values, "-"))


def _check(arguments: argparse.Namespace) -> None:
    """Checks what would otherwise fail only after minutes of measuring."""
    for name in ("frames", "runs", "threads"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise ConfigError(f"--{name} {value}: must be at least 1")
    _check_truth(arguments)
    if arguments.json:
        _check_output(arguments.json)
    names = [clip_name(source) for source in arguments.clips]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(
                f"two clips are called {name}; rename one, so that their results can be told apart"
            )


def _check_output(path: Path) -> None:
    try:
        if not path.parent.is_dir():
            raise OutputError(f"cannot write {path}: there is no folder {path.parent}")
        if is_replaceable(path) and not os.access(path.parent, os.W_OK):
            raise OutputError(f"cannot write {path}: the folder {path.parent} cannot be written to")
    except OutputError:  # which is an OSError as well
        raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error


def _check_truth(arguments: argparse.Namespace) -> None:
    if arguments.truth and not arguments.clips:
        raise ConfigError("--truth: no clip; expected videos with a .json of the same name next to each")
    if arguments.truth and arguments.size_wh:
        raise ConfigError("--truth: --size would move the faces away from their boxes; leave it out")
    for name in ("yunet", "ablation"):
        if getattr(arguments, name) and not arguments.truth:
            raise ConfigError(f"--{name}: of use with --truth only")
    if arguments.truth:
        for source in arguments.clips:
            if not truth_path(source).is_file():
                raise ConfigError(f"truth {truth_path(source)}: no such file; expected next to {source}")


def _scene_faces(clip: Clip) -> tuple[Gray, ...]:
    """Returns the faces of the clip's first frame; those of the demo if it has none or is the demo."""
    boxes = [] if clip.name == "demo" else exhaustive_detections(clip.frames[0])
    return crop_faces(clip, boxes) if boxes else demo_faces()


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


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        write_text(sys.stdout, line + "\n")
