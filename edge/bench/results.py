"""The bench's results: as tables, as JSON, and compared with those of an earlier run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edge.bench.footprint import Footprint
from edge.bench.loops import DESCRIPTIONS
from edge.bench.measure import Outcome
from edge.bench.scenes import Scene
from edge.bench.soak import Sample
from edge.documents import parse_json, read_text
from edge.errors import ConfigError, OutputError
from edge.files import atomic_write, os_error_reason

# Two runs on the same machine differ by up to this share.
_NOISE = 0.15
_VERSION = 1  # of the file that --json writes
_MAX_BYTES = 1 << 24  # of that file


@dataclass(frozen=True)
class Results:
    """Everything that was measured.

    Attributes:
        machine: {property: value} of the machine, its packages and the number of threads.
        clips: {name of a clip: {loop: outcome}}.
        footprints: {process: footprint}.
        scenes: Composed scenes.
        long: Samples of the soak.
        truth: {loop: {group of clips: figures}} of clips with truth.
    """

    machine: Mapping[str, str]
    clips: Mapping[str, Mapping[str, Outcome]] = field(default_factory=dict)
    footprints: Mapping[str, Footprint] = field(default_factory=dict)
    scenes: Sequence[Scene] = ()
    long: Sequence[Sample] = ()
    truth: Mapping[str, Any] = field(default_factory=dict)


def to_json(results: Results) -> str:
    """Returns the results as JSON, which `read_earlier` reads."""
    return json.dumps({"version": _VERSION, **asdict(results)}, indent=1) + "\n"


def write_json(results: Results, path: Path) -> None:
    """Writes the results to a file.

    A regular file is replaced as a whole or not at all. A link or a device, such as /dev/stdout, is written
    to, because a rename would replace it.

    Raises:
        OutputError: The file cannot be written.
    """
    if not is_replaceable(path):
        try:
            path.write_text(to_json(results), encoding="utf-8")
        except OSError as error:
            raise OutputError(f"cannot write {path}: {os_error_reason(error)}") from error
        return
    atomic_write(path, lambda partial: partial.write_text(to_json(results), encoding="utf-8"))


def is_replaceable(path: Path) -> bool:
    """Whether `write_json` replaces the path by a new file: it is a regular file, or does not exist."""
    return not path.is_symlink() and (path.is_file() or not path.exists())


def read_earlier(path: Path) -> dict[str, Any]:
    """Reads results of an earlier run, to compare with.

    Raises:
        ConfigError: The file cannot be read, is of another version, or holds something else.
    """
    try:
        content = parse_json(read_text(path, _MAX_BYTES))
        version = content["version"]
        if version == _VERSION:
            _check_comparable(content)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: no results of `bench --json`") from error
    if version != _VERSION:
        raise ConfigError(f"{path}: results of version {version}; expected {_VERSION}")
    return dict(content)


def _check_comparable(earlier: Mapping[str, Any]) -> None:
    for outcomes in earlier["clips"].values():
        for name in DESCRIPTIONS:
            float(outcomes[name]["cost"]["ms"]), float(outcomes[name]["score"]["recall"])
    for footprint in earlier["footprints"].values():
        float(footprint["peak_mb"])


def format_results(results: Results) -> Iterator[str]:
    """Yields the lines of the tables."""
    yield ", ".join(f"{name} {value}" for name, value in results.machine.items())
    if results.clips:
        yield from (f"({loop}) {description}" for loop, description in DESCRIPTIONS.items())
    for clip, outcomes in results.clips.items():
        yield ""
        yield from _clip_lines(clip, outcomes)
    if results.footprints:
        yield ""
        yield from _footprint_lines(results.footprints)
    if results.scenes:
        yield ""
        yield from _scene_lines(results.scenes)
    if results.long:
        yield ""
        yield "     frames  resident MB  Python's blocks  identities"
        for sample in results.long:
            yield f"{sample.frames:11}{sample.resident_mb:13.1f}{sample.blocks:17}{sample.people:12}"


def compare_results(results: Results, earlier: Mapping[str, Any]) -> Iterator[str]:
    """Yields lines about changes since an earlier run, in ratios that a machine's speed does not change.

    Args:
        results: Results of this run.
        earlier: Results of the earlier run, from `read_earlier`.
    """
    yield "compared with the earlier run:"
    for clip, outcomes in results.clips.items():
        before = earlier["clips"].get(clip)
        if before is None:
            yield f"  {clip}: not measured then"
            continue
        for loop, outcome in outcomes.items():
            now = outcomes["a"].cost.ms / outcome.cost.ms
            then = before["a"]["cost"]["ms"] / before[loop]["cost"]["ms"]
            change = now / then - 1
            verdict = "as before" if abs(change) < _NOISE else "faster" if change > 0 else "slower"
            yield (
                f"  {clip} ({loop}): {now:.1f} times (a), was {then:.1f}: {verdict}; recall "
                f"{outcome.score.recall:.3f}, was {before[loop]['score']['recall']:.3f}"
            )
    for process, footprint in results.footprints.items():
        if process in earlier["footprints"]:
            then = earlier["footprints"][process]["peak_mb"]
            yield f"  {process}: peak {footprint.peak_mb:.0f} MB, was {then:.0f}"


def _clip_lines(clip: str, outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    full_ms, classic_ms = outcomes["a"].cost.ms, outcomes["b"].cost.ms
    yield f"{clip:34}  x (a)  x (b)  ms wall  ms CPU  recall  precision  labels/s  uncertain  id switches"
    for loop, outcome in outcomes.items():
        cost, score = outcome.cost, outcome.score
        switches = str(score.id_switches) if loop == "c" else "-"
        yield (
            f"  {_name(loop):32}{full_ms / cost.ms:7.1f}{classic_ms / cost.ms:7.1f}"
            f"{cost.ms:9.2f}{cost.cpu_ms:8.2f}{score.recall:8.3f}{score.precision:11.3f}"
            f"{score.label_changes:10.3f}{score.uncertain:11.2f}{switches:>13}"
        )
    yield "  stages, ms: median / 95th percentile / share of all time"
    for loop, outcome in outcomes.items():
        stages = ", ".join(
            f"{stage} {spread.p50:.2f} / {spread.p95:.2f} / {spread.share:.0%}"
            for stage, spread in sorted(outcome.cost.stages.items(), key=lambda item: -item[1].share)
        )
        frame = outcome.cost.frame
        yield f"  ({loop}) frame {frame.p50:.2f} / {frame.p95:.2f}; {stages}"


def _footprint_lines(footprints: Mapping[str, Footprint]) -> Iterator[str]:
    yield "fresh processes, one thread        MB at the end     peak MB  CPU seconds"
    for process, footprint in footprints.items():
        name = _name(process) if process in DESCRIPTIONS else process
        yield f"  {name:33}{footprint.resident_mb:13.0f}{footprint.peak_mb:12.0f}{footprint.cpu_s:13.2f}"
    ratio = footprints["first report"].cpu_s / footprints["parts and source"].cpu_s
    yield f"  up to the first report: {ratio:.2f} times the CPU seconds of the parts and the source alone"


def _scene_lines(scenes: Sequence[Scene]) -> Iterator[str]:
    yield "composed scenes: ms per frame, (a) / (b) / (c); (c)'s 99th percentile and worst as shares of (a);"
    yield "share of (c) outside of OpenCV and the interpreter; faces followed"
    for scene in scenes:
        size = f"{scene.size_wh[0]}x{scene.size_wh[1]}"
        plain_ms, frame = scene.ms["a"], scene.frame
        yield (
            f"  {scene.threads} thread{'s' if scene.threads > 1 else ' '} {size:>9} {scene.faces:3} faces "
            f"{plain_ms:8.1f} /{scene.ms['b']:7.1f} /{scene.ms['c']:6.2f}  p99 {frame.p99 / plain_ms:5.3f} "
            f"worst {frame.worst / plain_ms:5.3f}  own {scene.own_share:4.0%} {scene.followed:6.1f}"
        )
        yield "      " + ", ".join(
            f"{stage} {tail.p50:.2f} / {tail.p95:.2f} / {tail.worst:.2f}"
            for stage, tail in sorted(scene.stages.items(), key=lambda item: -item[1].worst)
        )


def _name(loop: str) -> str:
    """Returns a loop's letter and short name, such as "(a) plain"."""
    return f"({loop}) {DESCRIPTIONS[loop].partition(':')[0]}"
