"""`cameras`: lists the cameras that are connected."""

from __future__ import annotations

import argparse
import sys

from edge.errors import CameraError
from edge.sources.discovery import find_cameras, no_camera_error
from edge.system.journal import start_logging
from edge.system.platform import detect_platform
from edge.system.stdio import write_text


def run(arguments: argparse.Namespace, _: object) -> int:
    """Prints a line for each camera, those that cannot be used last.

    Raises:
        CameraError: no camera is connected, or none can be used.
    """
    start_logging(arguments.log_level)
    platform = detect_platform()
    usable = 0
    unusable = []
    for camera in find_cameras(platform):
        if camera.error is None:
            usable += 1
            write_text(sys.stdout, f"--source {camera.source}  {camera.text}\n")
        else:
            unusable.append(f"{camera.source}: {camera.text}")
    for line in unusable:
        write_text(sys.stdout, f"cannot be used: {line}\n")
    if not usable:
        raise CameraError("no camera can be used; see above") if unusable else no_camera_error(platform)
    return 0
