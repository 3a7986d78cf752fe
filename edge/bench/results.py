"""The bench's results as tables, as JSON, and beside those of an earlier run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edge.bench.footprint import Footprint
from edge.bench.loops import MEANINGS
from edge.bench.measure import Outcome
from edge.bench.scenes import Scene
from edge.bench.soak import Sample
from edge.errors import ConfigError

# Ratios of one run to another closer to 1 than this are what the same machine gives twice.
_NOISE = 0.15
_VERSION = 1  # of the file that --json writes


@dataclass(frozen=True)
class Results:
    """All that was measured.

    Attributes:
        machine: what it was measured on.
        clips: {clip: {loop: its outcome}}.
        footprints: {process: what it takes}.
        scenes: composed ones.
        long: samples of the long run.
    """

    machine: Mapping[str, str]
    clips: Mapping[str, Mapping[str, Outcome]] = field(default_factory=dict)
    footprints: Mapping[str, Footprint] = field(default_factory=dict)
    scenes: Sequence[Scene] = ()
    long: Sequence[Sample] = ()


def to_json(results: Results) -> str:
    """The results, as `--against` reads them."""
    return json.dumps({"version": _VERSION, **asdict(results)}, indent=1) + "\n"


def read_earlier(path: Path) -> dict[str, Any]:
    """Reads results of an earlier run, to compare with.

    Raises:
        ConfigError: The file cannot be read, or holds something else.
    """
    return _read(path, _check_comparable)


def read_scenes(path: Path) -> list[Scene]:
    """Reads the composed scenes of an earlier run.

    Raises:
        ConfigError: The file cannot be read, holds something else, or was written without --scenes.
    """
    scenes: list[Scene] = []
    _read(path, lambda earlier: scenes.extend(map(_scene_of, earlier["scenes"])))
    if not scenes:
        raise ConfigError(f"{path}: no scenes; expected what `bench --scenes --json` wrote")
    return scenes


def _read(path: Path, check: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Reads a file of `--json`.

    Args:
        path: The file.
        check: Receives the content, and raises one of the errors of a missing or mistyped value.

    Raises:
        ConfigError: The file cannot be read, is of another version, or `check` raised an error.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["version"]
        if version == _VERSION:
            check(content)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: no results of `bench --json`") from error
    if version != _VERSION:
        raise ConfigError(f"{path}: results of version {version}; expected {_VERSION}")
    return dict(content)


def _check_comparable(earlier: Mapping[str, Any]) -> None:
    for outcomes in earlier["clips"].values():
        for name in MEANINGS:
            float(outcomes[name]["cost"]["ms"]), float(outcomes[name]["score"]["recall"])
    for footprint in earlier["footprints"].values():
        float(footprint["peak_mb"])


def _scene_of(fields: Mapping[str, Any]) -> Scene:
    width, height = fields["size_wh"]
    return Scene(
        faces=int(fields["faces"]),
        size_wh=(int(width), int(height)),
        threads=int(fields["threads"]),
        ms={name: float(fields["ms"][name]) for name in MEANINGS},
        p95_ms=float(fields["p95_ms"]),
        followed=float(fields["followed"]),
    )


def lines(results: Results) -> Iterator[str]:
    """The results as a person reads them."""
    yield ", ".join(f"{name} {value}" for name, value in results.machine.items())
    if results.clips:
        yield from (f"({name}) {meaning}" for name, meaning in MEANINGS.items())
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
        yield "     frames  resident MB  blocks of Python  people so far"
        for one in results.long:
            yield f"{one.frames:11}{one.resident_mb:13.1f}{one.blocks:18}{one.people:15}"


def compare_results(results: Results, earlier: Mapping[str, Any]) -> Iterator[str]:
    """What changed since an earlier run, in ratios that do not hang on the machine's speed."""
    yield "against the earlier run:"
    for clip, outcomes in results.clips.items():
        before = earlier["clips"].get(clip)
        if before is None:
            yield f"  {clip}: was not measured then"
            continue
        for name, outcome in outcomes.items():
            now = outcomes["a"].cost.ms / outcome.cost.ms
            then = before["a"]["cost"]["ms"] / before[name]["cost"]["ms"]
            change = now / then - 1
            verdict = "as before" if abs(change) < _NOISE else "faster" if change > 0 else "slower"
            yield (
                f"  {clip} ({name}): {now:.1f} times (a), was {then:.1f}: {verdict}; recall "
                f"{outcome.score.recall:.3f}, was {before[name]['score']['recall']:.3f}"
            )
    for process, footprint in results.footprints.items():
        if process in earlier["footprints"]:
            then = earlier["footprints"][process]["peak_mb"]
            yield f"  {process}: {footprint.peak_mb:.0f} MB at most, was {then:.0f}"


def _clip_lines(clip: str, outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    plain, classic = outcomes["a"].cost.ms, outcomes["b"].cost.ms
    yield (f"{clip:34}  x (a)  x (b)  ms wall  ms CPU  recall  precision  labels/s  uncertain  id switches")
    for name, (cost, score) in ((name, (one.cost, one.score)) for name, one in outcomes.items()):
        switches = str(score.id_switches) if name == "c" else "-"
        yield (
            f"  ({name}) {MEANINGS[name].partition(':')[0]:28}{plain / cost.ms:7.1f}{classic / cost.ms:7.1f}"
            f"{cost.ms:9.2f}{cost.cpu_ms:8.2f}{score.recall:8.3f}{score.precision:11.3f}"
            f"{score.label_changes:10.3f}{score.uncertain:11.2f}{switches:>13}"
        )
    yield "  stages, ms: middle / 95 % / share of all time"
    for name, outcome in outcomes.items():
        stages = sorted(outcome.cost.stages.items(), key=lambda item: -item[1].share)
        told = ", ".join(f"{stage} {one.p50:.2f} / {one.p95:.2f} / {one.share:.0%}" for stage, one in stages)
        frame = outcome.cost.frame
        yield f"  ({name}) frame {frame.p50:.2f} / {frame.p95:.2f}; {told}"


def _footprint_lines(footprints: Mapping[str, Footprint]) -> Iterator[str]:
    yield "fresh processes, one thread        MB at the end  MB at most  CPU seconds"
    for name, one in footprints.items():
        meaning = f"({name}) {MEANINGS[name].partition(':')[0]}" if name in MEANINGS else name
        yield f"  {meaning:33}{one.resident_mb:13.0f}{one.peak_mb:12.0f}{one.cpu_s:13.2f}"
    start = footprints["first report"].cpu_s / footprints["parts and source"].cpu_s
    yield f"  to the first report: {start:.2f} times the bare parts and the opening of the source"


def _scene_lines(scenes: Sequence[Scene]) -> Iterator[str]:
    yield "composed scenes: ms a frame, (a) / (b) / (c), 95 % of (c); how many times (a); faces followed"
    for one in scenes:
        size = f"{one.size_wh[0]}x{one.size_wh[1]}"
        yield (
            f"  {one.threads} thread{'s' if one.threads > 1 else ' '} {size:>9} {one.faces:3} faces "
            f"{one.ms['a']:8.1f} /{one.ms['b']:7.1f} /{one.ms['c']:6.2f}{one.p95_ms:7.2f} "
            f"{one.ms['a'] / one.ms['c']:7.1f} x {one.followed:6.1f}"
        )
