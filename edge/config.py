"""What a run is told: settings, checked when they are made, and the command line that gives them."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, NoReturn

import edge
from edge.budget import BudgetSettings
from edge.camera import PictureSettings
from edge.errors import ConfigError
from edge.faces import DetectorSettings
from edge.readings import ReadSettings
from edge.steady import SteadySettings
from edge.tracks import FollowSettings

LogLevel = Literal["debug", "info", "warning", "error"]


def _detect_threads() -> int:
    # A Pi 4 searches a whole picture three times as fast on its four cores as on one. On two cores of a
    # desktop processor nothing was gained, and a third more processor time was spent, waiting.
    return 4 if (os.cpu_count() or 1) >= 4 else 1


@dataclass(frozen=True)
class Settings:
    """One run.

    Attributes:
        source: where pictures come from, as `open_source` reads it.
        picture: size, rotation and mirroring.
        detector: how faces are looked for.
        follow: how they are followed.
        read: how often they are read.
        steady: how readings become labels.
        budget: how much the loop may work.
        fast: a recording as fast as it goes instead of as recorded.
        max_frames: frames to process, at least 1; None for no limit.
        output: what standard output shows.
        annotate: where to write what was seen; None writes nothing.
        emotion_model: network or contract; None takes the one that is installed.
        gender_model: likewise.
        cascade: cascade file; None takes OpenCV's.
        threads: processor threads of each network, 1 to 64.
        detect_threads: processor threads of the detection, 1 to 64.
        log_level: the least severe message that is logged.
    """

    source: str = "auto"
    picture: PictureSettings = field(default_factory=PictureSettings)
    detector: DetectorSettings = field(default_factory=DetectorSettings)
    follow: FollowSettings = field(default_factory=FollowSettings)
    read: ReadSettings = field(default_factory=ReadSettings)
    steady: SteadySettings = field(default_factory=SteadySettings)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    fast: bool = False
    max_frames: int | None = None
    output: Literal["console", "jsonl"] = "console"
    annotate: Path | None = None
    emotion_model: Path | None = None
    gender_model: Path | None = None
    cascade: Path | None = None
    threads: int = 1
    detect_threads: int = field(default_factory=_detect_threads)
    log_level: LogLevel = "info"

    def __post_init__(self) -> None:
        if self.max_frames is not None and self.max_frames < 1:
            raise ConfigError(f"--max-frames {self.max_frames}: must be at least 1")
        for option, threads in (("--threads", self.threads), ("--detect-threads", self.detect_threads)):
            if not 1 <= threads <= 64:
                raise ConfigError(f"{option} {threads}: must be 1 to 64")


class _Parser(argparse.ArgumentParser):
    """One line for a wrong option, as for every other error, instead of the usage and a line."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message} (see --help)")


def parser() -> argparse.ArgumentParser:
    """The command line. Parsing raises ConfigError for what it does not know."""
    top = _Parser(prog="emotiny", description=edge.__doc__, allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"emotiny {edge.__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="run|check|bench|schema")
    for name, text in (
        ("run", "read faces until the source ends or SIGINT or SIGTERM comes"),
        ("check", "open networks, cascade and source, say what was found, and exit"),
    ):
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        _add_options(command)
    from edge.bench.options import add_options

    text = "measure this loop against the ways others write it, on the same frames"
    add_options(commands.add_parser("bench", help=text, description=text, allow_abbrev=False), size)
    text = "print the JSON Schema of a line of --output jsonl"
    commands.add_parser("schema", help=text, description=text, allow_abbrev=False)
    return top


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The settings that a parsed `run` or `check` asks for.

    Raises:
        ConfigError: a value cannot be.
    """
    given = dict(vars(arguments))
    del given["command"]
    picture = PictureSettings(*(given.pop(name) for name in ("size_wh", "rotate", "mirror")))
    detector = DetectorSettings(
        *(given.pop(name) for name in ("side", "scale_factor", "min_neighbors", "min_face"))
    )
    groups = {
        "follow": FollowSettings,
        "read": ReadSettings,
        "steady": SteadySettings,
        "budget": BudgetSettings,
    }
    values = {
        name: kind(**{each.name: given.pop(each.name) for each in fields(kind)})
        for name, kind in groups.items()
    }
    return Settings(picture=picture, detector=detector, **values, **given)


def _add_options(command: argparse.ArgumentParser) -> None:
    defaults = Settings()
    add = command.add_argument
    add(
        "--source",
        default=defaults.source,
        help="auto (a camera if one answers, else the demo), demo, 0 or /dev/video0, picamera2://0, csi://0, "
        "gst://PIPELINE, rtsp://..., a video or a folder of pictures (%(default)s)",
    )
    add(
        "--size",
        dest="size_wh",
        type=size,
        metavar="WxH",
        help="picture size before rotation (what the source has)",
    )
    add("--rotate", type=int, choices=(0, 90, 180, 270), default=0, help="degrees clockwise (%(default)s)")
    add("--mirror", action="store_true", help="exchange left and right")
    add("--fast", action="store_true", help="play a recording as fast as it goes, not as it was recorded")
    add("--max-frames", type=int, metavar="N", help="stop after N processed frames")
    add(
        "--output",
        choices=("console", "jsonl"),
        default=defaults.output,
        help="what standard output shows: a view for people or a line of JSON per frame (%(default)s)",
    )
    add(
        "--annotate",
        type=Path,
        metavar="FILE",
        help="draw on the frames into a new .mp4 or .avi, the last into a .png",
    )
    add("--emotion-model", type=Path, metavar="FILE", help=".tflite or .json (the one installed)")
    add("--gender-model", type=Path, metavar="FILE", help=".tflite or .json (the one installed)")
    add("--threads", type=int, default=defaults.threads, metavar="N", help="for the networks (%(default)s)")
    detection = command.add_argument_group("detection")
    add = detection.add_argument
    detector = defaults.detector
    add("--cascade", type=Path, metavar="FILE", help="Haar cascade (OpenCV's frontal face)")
    add(
        "--detect-side",
        dest="side",
        type=int,
        default=detector.side,
        metavar="PX",
        help="longer side of the reduced copy that is searched (%(default)s)",
    )
    add(
        "--detect-scale",
        dest="scale_factor",
        type=float,
        default=detector.scale_factor,
        metavar="F",
        help="between two sizes of faces (%(default)s)",
    )
    add(
        "--detect-neighbors",
        dest="min_neighbors",
        type=int,
        default=detector.min_neighbors,
        metavar="N",
        help="hits that make a face (%(default)s)",
    )
    add(
        "--min-face",
        type=float,
        default=detector.min_face,
        metavar="SHARE",
        help="smallest face, as a share of the picture's height (%(default)s)",
    )
    add(
        "--detect-threads",
        type=int,
        default=defaults.detect_threads,
        metavar="N",
        help="(4 where there are as many cores, else 1)",
    )
    following = command.add_argument_group("following and steady labels; seconds unless said otherwise")
    budget = command.add_argument_group("how much the loop may work")
    for settings, group in (
        (defaults.follow, following),
        (defaults.read, following),
        (defaults.steady, following),
        (defaults.budget, budget),
    ):
        for each in fields(settings):
            value = getattr(settings, each.name)
            group.add_argument(
                f"--{each.name.removesuffix('_s').removesuffix('_c').replace('_', '-')}",
                dest=each.name,
                type=type(value),
                default=value,
                metavar="N",
                help=f"{_NUMBERS[each.name]} (%(default)s)",
            )
    command.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default=defaults.log_level,
        help="(%(default)s)",
    )


_NUMBERS = {
    "search_s": "between searches of the whole picture while faces are followed",
    "idle_s": "the same while nobody is there and nothing moves",
    "alert_s": "the same while nobody is there and something moves, or a face was lost",
    "look_s": "between looks of the cascade at a face that is followed",
    "looks": "such looks in a frame at most",
    "alike": "least correlation with what a face looked like, 0 to 1",
    "hold_s": "how long a face that is not seen is reported on",
    "return_s": "within which a face that went comes back under its number",
    "blind_s": "how long a face is followed without the cascade finding it",
    "read_s": "between readings of a face by the networks",
    "reads": "faces read in a frame at most",
    "settle_s": "in which an old expression loses two thirds of its say",
    "margin": "by which another label must lead before it is said, 0 to 1",
    "sure_emotion": "least score of an emotion that is said, 0 to 1",
    "sure_gender": "least score of an apparent gender that is said, 0 to 1",
    "memory": "readings of apparent gender that count",
    "max_fps": "frames processed a second at most, 0 for no limit",
    "cpu_share": "cores' worth of processor time at most, such as 0.5; 0 for no limit",
    "hot_c": "degrees Celsius from which on the loop works less",
}


def size(text: str) -> tuple[int, int]:
    """Width and height from text such as 640x480."""
    width, _, height = text.partition("x")
    try:
        return int(width), int(height)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r}: expected WIDTHxHEIGHT, such as 640x480") from None
