"""Faces, their emotion and apparent gender from a camera, on the device alone; no image leaves it.

    import edge

    with edge.open(source="0") as faces:
        for report in faces:
            for face in report.faces:
                print(face.id, face.emotion.label, f"{face.emotion.confidence:.0%}")

`open` does what `emotiny run` does. `Pipeline`, `open_source`, `FaceDetector`, `FaceReader` and `draw_faces`
are its parts, for programs that want to put them together differently. docs/python.md has recipes.

Importing the package is cheap: OpenCV, NumPy and a TFLite runtime are imported when a name that needs them
is used.
"""

from __future__ import annotations

from importlib import import_module

from edge.version import __version__ as __version__

# As in `typing`, whose import takes so long that a signal may come before `__main__` can answer it.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from edge.detection.candidate import Candidate
    from edge.detection.detector import FaceDetector
    from edge.detection.haar import HaarDetector
    from edge.detection.settings import DetectorSettings
    from edge.errors import (
        CameraError,
        ConfigError,
        DataError,
        EdgeError,
        MissingDependencyError,
        ModelError,
        OutputError,
    )
    from edge.inference.classifier import FaceReader
    from edge.output.drawing import draw_faces
    from edge.output.mqtt.settings import MqttSettings
    from edge.output.prometheus.settings import MetricsSettings
    from edge.output.sink import Sink
    from edge.pipeline.governor import GovernorSettings
    from edge.pipeline.loop import Pipeline
    from edge.pipeline.scheduler import SchedulerSettings
    from edge.pipeline.smoothing import SmoothingSettings
    from edge.settings.settings import Settings
    from edge.sources.factory import open_source
    from edge.sources.settings import CaptureSettings
    from edge.tracking.settings import TrackingSettings
    from edge.types import Box, Detection, Face, Frame, Reading, Report, Scores

__all__ = [
    "Box",
    "CameraError",
    "Candidate",
    "CaptureSettings",
    "ConfigError",
    "DataError",
    "Detection",
    "DetectorSettings",
    "EdgeError",
    "Face",
    "FaceDetector",
    "FaceReader",
    "Frame",
    "GovernorSettings",
    "HaarDetector",
    "MetricsSettings",
    "MissingDependencyError",
    "ModelError",
    "MqttSettings",
    "OutputError",
    "Pipeline",
    "Reading",
    "Report",
    "SchedulerSettings",
    "Scores",
    "Settings",
    "Sink",
    "SmoothingSettings",
    "TrackingSettings",
    "draw_faces",
    "open",
    "open_source",
]

_MODULES = {
    "edge.detection.candidate": ("Candidate",),
    "edge.detection.detector": ("FaceDetector",),
    "edge.detection.haar": ("HaarDetector",),
    "edge.detection.settings": ("DetectorSettings",),
    "edge.errors": (
        "CameraError",
        "ConfigError",
        "DataError",
        "EdgeError",
        "MissingDependencyError",
        "ModelError",
        "OutputError",
    ),
    "edge.inference.classifier": ("FaceReader",),
    "edge.output.drawing": ("draw_faces",),
    "edge.output.mqtt.settings": ("MqttSettings",),
    "edge.output.prometheus.settings": ("MetricsSettings",),
    "edge.output.sink": ("Sink",),
    "edge.pipeline.governor": ("GovernorSettings",),
    "edge.pipeline.loop": ("Pipeline",),
    "edge.pipeline.scheduler": ("SchedulerSettings",),
    "edge.pipeline.smoothing": ("SmoothingSettings",),
    "edge.settings.settings": ("Settings",),
    "edge.sources.settings": ("CaptureSettings",),
    "edge.sources.factory": ("open_source",),
    "edge.tracking.settings": ("TrackingSettings",),
    "edge.types": ("Box", "Detection", "Face", "Frame", "Reading", "Report", "Scores"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def open(
    source: str | None = None, *, settings: Settings | None = None, sinks: Sequence[Sink] = ()
) -> Pipeline:
    """Opens a source and everything that reads faces in it, as `emotiny run` does.

    No configuration file and no environment variable is read, and nothing is printed: what is not in
    `settings` has its default. A broker, a metrics port or a video file that the settings name is opened,
    too.

    Args:
        source: What `--source` takes: `auto`, `demo`, `0`, `/dev/video0`, `picamera2://0`, `csi://0`,
            `rtsp://...`, a video, an image or a folder. None takes that of `settings`, which is `auto` by
            default.
        settings: Everything else; None for the defaults.
        sinks: Receive every report, too; the caller closes them.

    Returns:
        The pipeline: iterate over it for reports, and use it as a context manager, which closes it.

    Raises:
        CameraError: the source does not exist or cannot be read.
        ConfigError: a setting cannot be used.
        MissingDependencyError: a package that the source or a setting needs is not installed.
        ModelError: a network is missing, damaged or not what its contract describes.

    Example:
        >>> import edge
        >>> with edge.open("demo") as faces:
        ...     first = next(report.faces[0].id for report in faces if report.faces)
        >>> first
        1
    """
    from dataclasses import replace

    from edge.pipeline.loop import Pipeline
    from edge.settings.settings import Settings

    settings = settings or Settings()
    if source is not None:
        settings = replace(settings, source=source)
    return Pipeline.from_settings(settings, sinks=sinks)


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
