"""Settings of a run, validated when they are made, and their conversion from and to values by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edge.detection.settings import DetectorSettings
from edge.errors import ConfigError
from edge.inference.settings import ModelSettings
from edge.option import option
from edge.output.mqtt.settings import MqttSettings
from edge.output.prometheus.settings import MetricsSettings
from edge.pipeline.governor import GovernorSettings
from edge.pipeline.scheduler import SchedulerSettings
from edge.pipeline.smoothing import SmoothingSettings
from edge.settings.options import groups_of, options_of, sections_of
from edge.sources.settings import CaptureSettings
from edge.tracking.settings import TrackingSettings


@dataclass(frozen=True)
class Settings:
    """Settings of a run. Each group has the name of its section in a settings file."""

    source: str = field(
        default="auto",
        metadata=option(
            "auto (a camera if one answers, else the demo, which --reconnect never plays), demo, 0 or "
            "/dev/video0, picamera2://0, csi://0, gst://PIPELINE, rtsp://..., a video, or a folder of "
            "pictures",
            "--source",
        ),
    )
    output: Literal["console", "jsonl", "none"] = field(
        default="console",
        metadata=option(
            "what standard output shows: a view for people, a line of JSON per frame, or nothing", "--output"
        ),
    )
    annotate: Path | None = field(
        default=None,
        metadata=option(
            "new .mp4 or .avi file of the frames with the results drawn on them, or .png of the last one",
            "--annotate",
        ),
    )
    max_frames: int | None = field(
        default=None, metadata=option("stop after N processed frames", "--max-frames")
    )
    reconnect: bool = field(
        default=False,
        metadata=option(
            "keep trying to open a camera that is absent or was lost, instead of ending; for services",
            "--reconnect",
        ),
    )
    fast: bool = field(
        default=False,
        metadata=option("play a recording as fast as it can be processed, not at its own speed", "--fast"),
    )
    log_level: Literal["debug", "info", "warning", "error"] = field(
        default="info", metadata=option("least severe messages that are logged", "--log-level")
    )
    picture: CaptureSettings = field(
        default_factory=CaptureSettings, metadata=option("size and orientation of pictures")
    )
    models: ModelSettings = field(default_factory=ModelSettings, metadata=option("neural networks"))
    detector: DetectorSettings = field(default_factory=DetectorSettings, metadata=option("face detection"))
    follow: TrackingSettings = field(
        default_factory=TrackingSettings, metadata=option("following faces from frame to frame")
    )
    read: SchedulerSettings = field(
        default_factory=SchedulerSettings, metadata=option("how often faces are read")
    )
    labels: SmoothingSettings = field(
        default_factory=SmoothingSettings, metadata=option("how readings become labels")
    )
    budget: GovernorSettings = field(
        default_factory=GovernorSettings, metadata=option("limits on the load of the machine")
    )
    mqtt: MqttSettings = field(default_factory=MqttSettings, metadata=option("reports to an MQTT broker"))
    metrics: MetricsSettings = field(
        default_factory=MetricsSettings, metadata=option("metrics for Prometheus")
    )

    def __post_init__(self) -> None:
        if self.max_frames is not None and self.max_frames < 1:
            raise ConfigError(f"--max-frames {self.max_frames}: must be at least 1")


OPTIONS = options_of(Settings)
# {section of a settings file: its meaning}; "" stands for what is outside of all sections.
SECTIONS = sections_of(Settings)
_GROUPS = groups_of(Settings)


def build(values: Mapping[str, Any], origins: Mapping[str, str]) -> Settings:
    """Returns settings with these values, and defaults for the rest.

    Args:
        values: {key: value}.
        origins: {key: where the value comes from}, for error messages.

    Raises:
        ConfigError: a value is out of range or does not go with another one; the message names all origins
            but the command line.
    """
    groups: dict[str, dict[str, Any]] = {}
    for each in OPTIONS:
        if each.key in values:
            groups.setdefault(each.section, {})[each.field] = values[each.key]
    top = groups.pop("", {})
    try:
        return Settings(**top, **{name: _GROUPS[name](**group) for name, group in groups.items()})
    except ConfigError as error:
        named = sorted({origin for origin in origins.values() if not origin.startswith("-")})
        where = f" (settings are from {', '.join(named)})" if named else ""
        raise ConfigError(f"{error}{where}") from error


def values_of(settings: Settings) -> dict[str, Any]:
    """Returns {key: value} of all settings."""
    return {
        each.key: getattr(getattr(settings, each.section) if each.section else settings, each.field)
        for each in OPTIONS
    }
