"""What a run is told: settings, checked when they are made, from flags, environment, a file and defaults."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, NoReturn

from edge.bench.options import add_options as add_bench_options
from edge.detection.haar import DetectorSettings
from edge.errors import ConfigError
from edge.output.mqtt.settings import MqttSettings
from edge.output.prometheus.settings import MetricsSettings
from edge.pipeline.governor import GovernorSettings
from edge.pipeline.scheduler import SchedulerSettings
from edge.pipeline.smoothing import SmoothingSettings
from edge.settings.loader import RawSettings, find_file, read_credentials, read_environment, read_file
from edge.settings.option import Option, size_argument
from edge.settings.options import OPTIONS, SECTIONS
from edge.sources.camera import CaptureSettings
from edge.tracking.tracker import TrackingSettings
from edge.version import __version__

LogLevel = Literal["debug", "info", "warning", "error"]
_DESCRIPTION = "Faces, emotions and apparent gender from a camera, on the device alone."
# Two ways to give one thing.
_PASSWORDS = {"mqtt.password", "mqtt.password_file"}


def _detect_threads() -> int:
    # A Pi 4 searches a whole picture three times as fast on its four cores as on one. On two cores of a
    # desktop processor (`bench --threads 2`) a frame took a quarter less time and 40 % more of the
    # processor's: heat, for a loop that keeps up with its camera anyway.
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
        labels: how readings become labels.
        budget: how much the loop may work.
        mqtt: the broker that is told.
        metrics: where Prometheus may ask.
        reconnect: whether a camera that is absent or goes is tried again for ever instead of ending the run.
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
    picture: CaptureSettings = field(default_factory=CaptureSettings)
    detector: DetectorSettings = field(default_factory=DetectorSettings)
    follow: TrackingSettings = field(default_factory=TrackingSettings)
    read: SchedulerSettings = field(default_factory=SchedulerSettings)
    labels: SmoothingSettings = field(default_factory=SmoothingSettings)
    budget: GovernorSettings = field(default_factory=GovernorSettings)
    mqtt: MqttSettings = field(default_factory=MqttSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    reconnect: bool = False
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
    top = _Parser(prog="emotiny", description=_DESCRIPTION, allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"emotiny {__version__}")
    commands = top.add_subparsers(
        dest="command", required=True, metavar="run|check|cameras|config|forget|bench|schema"
    )
    for name, text in (
        ("run", "read faces until the source ends or SIGINT or SIGTERM comes"),
        ("check", "look at all that a run needs, and name the fix for what is wrong"),
        ("config", "print the settings that hold, and where each is from"),
        ("forget", "have the broker and Home Assistant forget this device; stop it first"),
    ):
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        _add_options(command)
        if name == "config":
            command.add_argument(
                "--write", type=Path, metavar="FILE", help="write a new file of all settings, as comments"
            )
    text = "list the cameras that are connected, and the --source of each"
    cameras = commands.add_parser("cameras", help=text, description=text, allow_abbrev=False)
    cameras.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        default="info",
        help="debug says what was left out, and why (info)",
    )
    text = "measure this loop against the ways others write it, on the same frames"
    bench = commands.add_parser("bench", help=text, description=text, allow_abbrev=False)
    add_bench_options(bench, size_argument)
    text = "print the JSON Schema of a line of --output jsonl"
    commands.add_parser("schema", help=text, description=text, allow_abbrev=False)
    return top


def collect(arguments: argparse.Namespace, environment: Mapping[str, str]) -> RawSettings:
    """All that is given, and where each is from: a flag before a variable before a file before a credential.

    Whichever gives a password or password_file does so in the place of both of a weaker one.

    Args:
        arguments: parsed, of `run`, `check`, `config` or `forget`.
        environment: {variable: value}.

    Raises:
        ConfigError: something is given that is no setting, or no value of one.
    """
    path = find_file(arguments.config, environment)
    flags = {option.key: vars(arguments).get(option.key) for option in OPTIONS}
    given = {key: value for key, value in flags.items() if value is not None}
    origins = {option.key: option.flag for option in OPTIONS if option.key in given}
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    layers = (
        read_credentials(environment, path),
        read_file(path) if path else ({}, {}),
        read_environment(environment),
        (given, origins),
    )
    for layer in layers:
        if _PASSWORDS & layer[0].keys():
            for key in _PASSWORDS & values.keys():
                del values[key], places[key]
        values |= layer[0]
        places |= layer[1]
    return values, places


def settings_of(arguments: argparse.Namespace, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings that a parsed `run`, `check` or `forget` asks for.

    Args:
        arguments: parsed.
        environment: {variable: value}; None for that of this process.

    Raises:
        ConfigError: a value cannot be; the message says where it is from.
    """
    values, origins = collect(arguments, os.environ if environment is None else environment)
    return build(values, origins)


def build(values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    """Settings of values by key, the rest being defaults.

    Raises:
        ConfigError: a value cannot be; the message says where it is from unless that is the command line.
    """
    groups: dict[str, dict[str, Any]] = {}
    for option in OPTIONS:
        if option.key in values:
            group, _, name = option.attribute.rpartition(".")
            groups.setdefault(group, {})[name] = values[option.key]
    try:
        made = {each.name: _made(each.name, groups) for each in fields(Settings) if each.name in groups}
        return Settings(**made, **groups.get("", {}))
    except ConfigError as error:
        said = sorted({origin for origin in origins.values() if not origin.startswith("-")})
        where = f" (settings are from {', '.join(said)})" if said else ""
        raise ConfigError(f"{error}{where}") from error


def values_of(settings: Settings) -> dict[str, Any]:
    """{key: value} of settings."""
    return {option.key: _value(settings, option) for option in OPTIONS}


def _made(group: str, groups: Mapping[str, dict[str, Any]]) -> Any:
    return type(getattr(Settings(), group))(**groups[group])


def _value(settings: Settings, option: Option) -> Any:
    value: Any = settings
    for name in option.attribute.split("."):
        value = getattr(value, name)
    return value


def _add_options(command: argparse.ArgumentParser) -> None:
    defaults = values_of(Settings())
    command.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="TOML file of settings (~/.config/emotiny/config.toml, else /etc/emotiny/config.toml)",
    )
    for section, meaning in SECTIONS.items():
        group = command.add_argument_group(meaning) if section else command
        for option in (each for each in OPTIONS if each.section == section and each.flag):
            default = defaults[option.key]
            told = "" if default is None or option.kind == "switch" or "(" in option.text else f" ({default})"
            more: dict[str, Any] = {"dest": option.key, "default": None, "help": option.text + told}
            if option.kind == "switch":
                group.add_argument(option.flag, action=argparse.BooleanOptionalAction, **more)
                continue
            more |= {"choices": [option.parse(each) for each in option.choices]} if option.choices else {}
            more |= {} if option.choices else {"metavar": option.metavar}
            group.add_argument(option.flag, type=_KINDS[option.kind], **more)


_KINDS: dict[str, Any] = {
    "text": str,
    "number": float,
    "integer": int,
    "file": Path,
    "size": size_argument,
}
