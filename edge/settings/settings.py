"""What a run is told: settings, checked when they are made, from flags, environment, a file and defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from edge.detection.haar import DetectorSettings
from edge.errors import ConfigError
from edge.output.mqtt.settings import MqttSettings
from edge.output.prometheus.settings import MetricsSettings
from edge.pipeline.governor import GovernorSettings
from edge.pipeline.scheduler import SchedulerSettings
from edge.pipeline.smoothing import SmoothingSettings
from edge.settings.option import Option
from edge.settings.options import OPTIONS
from edge.sources.camera import CaptureSettings
from edge.tracking.tracker import TrackingSettings

LogLevel = Literal["debug", "info", "warning", "error"]


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
