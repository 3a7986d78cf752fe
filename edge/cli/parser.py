"""The parser of the command line, apart from the commands themselves, so that `--help` loads none of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from edge.aim.options import AimOptions
from edge.command_line import Parser
from edge.detection.distance import FIELD_OF_VIEW_DEG, parse_lens
from edge.settings.option import Option, parse_size
from edge.settings.settings import OPTIONS, SECTIONS, Settings, values_of
from edge.version import __version__

_DESCRIPTION = "Faces, emotions and apparent gender from a camera, on the device alone."
_Value = TypeVar("_Value")


# The settings of this package's loop that `bench` takes; it has threads of its own for all loops.
BENCH_SECTIONS = ("models", "detector", "follow", "read")
BENCH_LEAVES_OUT = ("models.threads", "detector.threads")
# `aim` stores nothing, ends by its own clock, and refuses a camera that it cannot have.
AIM_LEAVES_OUT = ("output", "annotate", "max_frames", "reconnect", "picture.frozen_s")


def parser() -> Parser:
    """Returns the parser; `parse_args` raises ConfigError for arguments that it does not accept."""
    top = Parser(prog="emotiny", description=_DESCRIPTION)
    top.add_argument("--version", action="version", version=f"emotiny {__version__}")
    commands = top.add_subparsers(dest="command", required=True, title="commands", metavar="COMMAND")
    for name, text in (
        ("run", "read faces until the source ends, or until SIGINT or SIGTERM"),
        ("check", "check everything that a run needs, and name the fix for what is wrong"),
        ("config", "print the settings in force, and where each comes from"),
        ("forget", "remove this device from the broker and from Home Assistant; stop it first"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        _add_options(command)
        if name in ("run", "check"):
            command.usual_option = "--source"
        if name == "check":
            _add_lens(command)
        if name == "config":
            command.add_argument(
                "--write",
                type=Path,
                metavar="FILE",
                help="instead write a new file of all settings, with the defaults as comments",
            )
    text = "list the connected cameras, and the --source of each"
    cameras = commands.add_parser("cameras", help=text, description=text)
    cameras.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="debug names the devices that were left out, and why (default: info)",
    )
    text = "show on a page what the camera sees, to aim it; as lines, to one viewer, for some minutes"
    aim = commands.add_parser("aim", help=text, description=text)
    aim.usual_option = "--source"
    _add_aim_options(aim)
    _add_options(aim, AIM_LEAVES_OUT)
    text = "compare the speed of this loop with that of usual ways to write it, on the same frames"
    bench = commands.add_parser("bench", help=text, description=text)
    _add_bench_options(bench)
    text = "measure this board for about a minute, and print a report to paste into an issue"
    commands.add_parser("report", help=text, description=text)
    text = "print the JSON Schema of the lines of --output jsonl"
    commands.add_parser("schema", help=text, description=text)
    return top


def _add_options(command: argparse.ArgumentParser, leave_out: Collection[str] = ()) -> None:
    """Adds a flag for each setting, parsed like its environment variable; a missing flag is None.

    Args:
        command: Parser of the command.
        leave_out: Keys of settings that the command does not use.
    """
    defaults = values_of(Settings())
    command.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="TOML file of settings (default: ~/.config/emotiny/config.toml, else /etc/emotiny/config.toml)",
    )
    _add_groups(command, tuple(SECTIONS), defaults, leave_out)


def _add_groups(
    command: argparse.ArgumentParser,
    sections: Sequence[str],
    defaults: Mapping[str, Any],
    leave_out: Collection[str] = (),
) -> None:
    """Adds the flags of some sections, without those of the keys in `leave_out`."""
    for section in sections:
        group = command.add_argument_group(SECTIONS[section]) if section else command
        for option in OPTIONS:
            if option.section != section or not option.flag or option.key in leave_out:
                continue
            text = _help(option, defaults[option.key])
            if option.kind == "switch":
                group.add_argument(
                    option.flag,
                    dest=option.key,
                    default=None,
                    action=argparse.BooleanOptionalAction,
                    help=text,
                )
                continue
            group.add_argument(
                option.flag,
                dest=option.key,
                type=_argument_type(option.parse),
                metavar=option.metavar,
                help=text,
            )


def _help(option: Option, default: Any) -> str:
    """Returns an option's meaning and, unless that says nothing, its default."""
    shown = option.default or ("" if default is None or option.kind == "switch" else str(default))
    text = option.text + (f" (default: {shown})" if shown else "")
    return text.replace("%", "%%")  # argparse formats the text


def _add_aim_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    defaults = AimOptions()
    add(
        "--address",
        default=defaults.address,
        metavar="ADDRESS",
        help="address of this device to listen on; any but the default lets other machines connect, without "
        "encryption, and who opens the page needs the token that is printed (default: %(default)s)",
    )
    add(
        "--port",
        type=int,
        default=defaults.port,
        metavar="N",
        help="port to listen on; 0 for any free one (default: %(default)s)",
    )
    add(
        "--minutes",
        type=int,
        default=defaults.minutes,
        metavar="N",
        help="end after N minutes, 1 to 60 (default: %(default)s)",
    )
    _add_lens(command)
    add(
        "--show-picture",
        action="store_true",
        help="show the picture itself, with faces, instead of its lines",
    )


def _add_lens(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--lens",
        type=_argument_type(parse_lens),
        default=FIELD_OF_VIEW_DEG,
        metavar="N",
        help="horizontal field of view of the lens in degrees, 10 to 170, for distances "
        "(default: %(default)s)",
    )


def _add_bench_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("clips", nargs="*", metavar="CLIP", help="video, or demo (default: demo)")
    add(
        "--size",
        dest="size_wh",
        type=_argument_type(parse_size),
        metavar="WxH",
        help="size of the frames in pixels (default: that of the clip)",
    )
    add(
        "--frames",
        type=int,
        metavar="N",
        help="use at most N frames of each clip (default: 150; all with --truth)",
    )
    add(
        "--runs",
        type=int,
        default=3,
        metavar="N",
        help="run each loop N times on each clip (default: %(default)s)",
    )
    add(
        "--threads",
        type=int,
        default=1,
        metavar="N",
        help="threads of OpenCV and of each network (default: %(default)s)",
    )
    add(
        "--scenes",
        action="store_true",
        help="also measure 1 to 16 faces at 320x240 to 1920x1080 on one and two threads; with --json FILE, "
        "`python -m train bench-plot FILE OUT.png` draws them on the desktop",
    )
    add(
        "--truth",
        action="store_true",
        help="measure how well each loop finds faces, by the truth in CLIP's .json next to it, instead of "
        "--runs, --scenes and --footprint",
    )
    add(
        "--yunet",
        type=Path,
        metavar="FILE",
        help="with --truth: measure YuNet, whose .onnx file this is, too",
    )
    add(
        "--ablation",
        action="store_true",
        help="with --truth: also measure this package's loop with either detector, without the network that "
        "judges, and without following by it",
    )
    add("--footprint", action="store_true", help="also measure memory and start-up of fresh processes")
    add("--long", type=int, default=0, metavar="N", help="also run N frames, and show whether memory grows")
    add("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    add("--against", type=Path, metavar="FILE", help="compare with a FILE of an earlier --json")
    _add_groups(command, BENCH_SECTIONS, values_of(Settings()), BENCH_LEAVES_OUT)


def _argument_type(parse: Callable[[str], _Value]) -> Callable[[str], _Value]:
    """Returns `parse` for argparse, which only shows the messages of its own class of errors."""

    def parse_argument(text: str) -> _Value:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse_argument
