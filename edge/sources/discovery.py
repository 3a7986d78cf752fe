"""`cameras`: what is connected, and the `--source` by which each camera is read."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2

from edge.errors import CameraError, EdgeError, MissingDependencyError
from edge.sources.gstreamer import no_gstreamer
from edge.sources.picamera import list_cameras
from edge.sources.v4l2_devices import DEV, Format, V4L2Device, formats, query_all, stable_link
from edge.system import remedies
from edge.system.platform import Platform

logger = logging.getLogger(__name__)

_TOLD = 3


@dataclass(frozen=True)
class DiscoveredCamera:
    """A camera, or what keeps one from being used.

    Attributes:
        source: for `--source`; of what cannot be used, a name.
        text: what it is; of what cannot be used, why not and how to fix it.
        error: None for a camera that can be used.
    """

    source: str
    text: str
    error: EdgeError | None = None


def find_cameras(system: Platform, dev: Path = DEV) -> Iterator[DiscoveredCamera]:
    """All cameras that this device has, and what may be one and cannot be asked.

    Args:
        system: this one.
        dev: where device nodes lie.
    """
    devices, errors = query_all(dev)
    yield from _of_libcamera(devices)
    if system.jetson:
        yield from _of_nvargus(devices)
    for device in devices:
        if not device.unusable_reason:
            yield _of_v4l2(device, dev)
    for name, error in errors.items():
        yield DiscoveredCamera(name, str(error).removeprefix(f"{name}: "), error)


def no_camera_error(system: Platform) -> CameraError:
    """What to look at where no camera is found, in one line."""
    ways = ["USB: `lsusb` lists it? `sudo dmesg | grep -i uvc` says why not; try another cable and port"]
    if system.pi or not system.jetson:
        ways.append(
            "Raspberry Pi: `rpicam-hello --list-cameras` lists it? Else seat the ribbon cable, contacts to "
            f"the right side, have camera_auto_detect=1 in {system.boot_config}, and reboot"
        )
    if system.jetson or not system.pi:
        ways.append(
            "Jetson: `sudo dmesg | grep -i -E 'imx|tegra-camrtc'` names its sensor? Else choose it in "
            "`sudo /opt/nvidia/jetson-io/jetson-io.py`, and reboot"
        )
    return CameraError(f"no camera found. {'. '.join(ways)}. `--source demo` needs none")


def _of_libcamera(nodes: list[V4L2Device]) -> Iterator[DiscoveredCamera]:
    try:
        listed = list_cameras()
    except MissingDependencyError as error:
        yield DiscoveredCamera("picamera2", f"{error}; `emotiny check` names the fix", error)
        return
    if listed is None and any(node.of_pi for node in nodes):
        missing = MissingDependencyError(
            f"the board's own camera needs picamera2; fix: {remedies.apt('python3-picamera2')}"
        )
        yield DiscoveredCamera("picamera2://0", str(missing), missing)
    for camera in listed or ():
        if camera.usb:
            logger.debug("picamera2://%d: left out: %s is read by V4L2", camera.number, camera.model)
        else:
            yield DiscoveredCamera(f"picamera2://{camera.number}", f"{camera.model}, through libcamera")


def _of_nvargus(nodes: list[V4L2Device]) -> Iterator[DiscoveredCamera]:
    # nvargus counts sensors in the order of their nodes.
    for number, node in enumerate(each for each in nodes if each.of_jetson):
        if cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
            yield DiscoveredCamera(f"csi://{number}", f"{node.card}, through GStreamer")
        else:
            missing = MissingDependencyError(no_gstreamer())
            yield DiscoveredCamera(f"csi://{number}", f"{node.card}: {missing}", missing)


def _told(all_of_them: Sequence[Format]) -> str:
    """Those that are read without a conversion, else the first ones: some drivers know eighty."""
    first = [each for each in all_of_them if each.name in ("YUYV", "MJPG")]
    first = first or list(all_of_them[:_TOLD])
    more = len(all_of_them) - len(first)
    return ", ".join(map(str, first)) + (f", and {more} more" if more else "")


def _of_v4l2(node: V4L2Device, dev: Path) -> DiscoveredCamera:
    link = stable_link(node.path, dev)
    what = f"{node.card} ({node.driver})"
    try:
        has = _told(formats(node))
    except CameraError as error:  # unplugged in between, or the last one that may open it
        return DiscoveredCamera(node.path, str(error).removeprefix(f"{node.path}: "), error)
    return DiscoveredCamera(
        link or node.path,
        (f"{node.path}: " if link else "") + what + (f": {has}" if has else ""),
    )
