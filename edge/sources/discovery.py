"""Finds the connected cameras, and the `--source` that opens each of them."""

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

_MAX_FORMATS = 3


@dataclass(frozen=True)
class DiscoveredCamera:
    """A camera, or the reason why one cannot be used.

    Attributes:
        source: The text for `--source`; the name of a camera that cannot be used.
        text: A description of the camera; why it cannot be used, with the fix.
        error: None for a camera that can be used.
    """

    source: str
    text: str
    error: EdgeError | None = None


def find_cameras(system: Platform, dev: Path = DEV) -> Iterator[DiscoveredCamera]:
    """Yields all cameras of this machine, and the nodes that may be cameras and cannot be opened.

    Args:
        system: This machine.
        dev: The folder of the device nodes.
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
    """Returns an error that says what to check if no camera is found, in one line."""
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


def _of_libcamera(devices: list[V4L2Device]) -> Iterator[DiscoveredCamera]:
    try:
        listed = list_cameras()
    except MissingDependencyError as error:
        yield DiscoveredCamera("picamera2", f"{error}; `emotiny check` names the fix", error)
        return
    if listed is None and any(device.of_pi for device in devices):
        missing = MissingDependencyError(
            f"the board's own camera needs picamera2; fix: {remedies.apt('python3-picamera2')}"
        )
        yield DiscoveredCamera("picamera2://0", str(missing), missing)
    for camera in listed or ():
        if camera.usb:
            logger.debug("picamera2://%d: left out: %s is read by V4L2", camera.number, camera.model)
        else:
            yield DiscoveredCamera(f"picamera2://{camera.number}", f"{camera.model}, through libcamera")


def _of_nvargus(devices: list[V4L2Device]) -> Iterator[DiscoveredCamera]:
    # nvargus counts sensors in the order of their nodes.
    for number, device in enumerate(each for each in devices if each.of_jetson):
        if cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER):
            yield DiscoveredCamera(f"csi://{number}", f"{device.card}, through GStreamer")
        else:
            missing = MissingDependencyError(no_gstreamer())
            yield DiscoveredCamera(f"csi://{number}", f"{device.card}: {missing}", missing)


def _summary(all_formats: Sequence[Format]) -> str:
    """Lists the formats that are read without a conversion, else the first ones: some drivers know eighty."""
    shown = [each for each in all_formats if each.name in ("YUYV", "MJPG")]
    shown = shown or list(all_formats[:_MAX_FORMATS])
    more = len(all_formats) - len(shown)
    return ", ".join(map(str, shown)) + (f", and {more} more" if more else "")


def _of_v4l2(device: V4L2Device, dev: Path) -> DiscoveredCamera:
    link = stable_link(device.path, dev)
    try:
        listed = _summary(formats(device))
    except CameraError as error:  # it was unplugged meanwhile, or another program took the last opening
        return DiscoveredCamera(device.path, str(error).removeprefix(f"{device.path}: "), error)
    description = f"{device.card} ({device.driver})" + (f": {listed}" if listed else "")
    return DiscoveredCamera(link or device.path, (f"{device.path}: " if link else "") + description)
