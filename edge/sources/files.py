"""Sources that are files: a video, a folder of images, a single image."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

import cv2

from edge.errors import CameraError
from edge.files import open_regular_file
from edge.sources.opencv import check_video, gray_of, silence_opencv_logs
from edge.sources.paced import PacedCamera, TimedFrames
from edge.sources.picture_header import UnreadableError
from edge.sources.pictures import read_picture
from edge.sources.recording_header import HEAD_BYTES, is_recording
from edge.sources.settings import CaptureSettings
from edge.sources.uri import redact

logger = logging.getLogger(__name__)

_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")

# The number of frames in a container is an estimate: this share of them may be missing, and at least two.
_COUNT_TOLERANCE = 0.05


def open_files(path: Path, settings: CaptureSettings, *, fast: bool) -> PacedCamera:
    """Opens a video file, a folder of images, or a single image as a folder of one.

    A folder plays its jpg, png, bmp and webp files in natural order (2.jpg before 10.jpg) without hidden
    ones. The images have times one second apart but are played as fast as they are taken: they were not
    recorded at any pace, and are unrelated to one another.

    Args:
        path: The file or folder to play.
        settings: The form in which frames are wanted.
        fast: Whether a video plays as fast as its frames are taken instead of as recorded.

    Raises:
        CameraError: There is no such file or folder, it may not be read, or it is a device or a pipe.
    """
    try:
        is_folder = path.is_dir()
        images = sorted(filter(_is_image, path.iterdir()), key=_natural_key) if is_folder else [path]
        if not is_folder:
            os.close(open_regular_file(path))
    except PermissionError as error:
        raise CameraError(
            f"{redact(str(path))}: {error.strerror}; expected what this user can read"
        ) from error
    except OSError as error:
        is_absent = isinstance(error, FileNotFoundError | NotADirectoryError)
        raise CameraError(
            f"{redact(str(path))}: {'no such file or folder' if is_absent else error.strerror}; a source is "
            "auto, demo, 0, /dev/video0, picamera2://0, csi://0, gst://PIPELINE, rtsp://HOST/PATH, a video, "
            "a picture or a folder of them"
        ) from error
    if not images:
        raise CameraError(f"{path}: no picture in this folder; expected {' '.join(_IMAGE_SUFFIXES)} files")
    if _is_image(images[0]):
        return PacedCamera(str(path), _read_images(path, images), settings, fast=True, yields_stills=True)
    return PacedCamera(str(path), _read_video(path), settings, fast=fast)


def _open_recording(path: Path) -> int:
    """Opens a file that is a recording by its first bytes, and returns its descriptor."""
    try:
        descriptor = open_regular_file(path)
    except OSError as error:
        raise CameraError(f"{path}: {error.strerror}") from error
    try:
        if not is_recording(os.pread(descriptor, HEAD_BYTES, 0)):
            raise CameraError(_no_video(path))
    except OSError as error:  # CameraError is one, too
        os.close(descriptor)
        raise CameraError(_no_video(path)) from error
    return descriptor


def _no_video(path: Path) -> str:
    return f"{path}: cannot be read as a video; expected a whole mp4, mkv, avi or the like"


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in _IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _natural_key(path: Path) -> list[tuple[int, str]]:
    """Returns a key that sorts 2.jpg before 10.jpg, and ignores case."""
    parts = re.findall(r"\d+|\D+", path.name.casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _read_images(folder: Path, paths: list[Path]) -> TimedFrames:
    silence_opencv_logs()
    played = 0
    for path in paths:
        try:
            gray = read_picture(path)
        except UnreadableError as error:
            logger.warning("%s: cannot be read as a picture: %s; skipped", path, error)
            yield None
            continue
        yield float(played), gray
        played += 1
    if played == 0:
        raise CameraError(f"{folder}: none of {len(paths)} files can be read as a picture; are they damaged?")
    if played < len(paths):
        logger.warning("%s: %d of %d pictures could not be read", folder, len(paths) - played, len(paths))


def _read_video(path: Path) -> TimedFrames:
    silence_opencv_logs()
    descriptor = _open_recording(path)
    # By its number, because FFmpeg takes some names for the pattern of a folder of pictures. Only FFmpeg,
    # because its positions are time stamps.
    capture = cv2.VideoCapture(f"/proc/self/fd/{descriptor}", cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise CameraError(_no_video(path))
        check_video(capture, str(path))
        fps = capture.get(cv2.CAP_PROP_FPS)
        fps = fps if 1 <= fps <= 1000 else 25.0
        expected_count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        count, captured_at, offset_s = 0, 0.0, 0.0
        while True:
            succeeded, pixels = capture.read()
            if not succeeded:
                break
            position_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if count == 0:
                offset_s = position_s
            elif position_s - offset_s > captured_at:
                captured_at = position_s - offset_s
            else:  # the file has no usable time stamps, or one that goes back in time
                captured_at += 1 / fps
            yield captured_at, gray_of(pixels)
            count += 1
    finally:
        capture.release()
        os.close(descriptor)
    if count == 0:
        raise CameraError(f"{path}: not one frame of this video can be decoded; is it damaged?")
    if expected_count - count > max(2, expected_count * _COUNT_TOLERANCE):
        shortfall = f"{count} of about {expected_count:.0f} frames could be read"
        # A variable frame rate makes the count alone unreliable; the video must also end too early.
        if captured_at < expected_count * (1 - _COUNT_TOLERANCE) / fps:
            raise CameraError(
                f"{path}: damaged or cut off: {shortfall}, it ends after {captured_at:.1f} s instead of "
                f"{expected_count / fps:.1f} s"
            )
        logger.warning("%s: %s; damaged inside, or of a varying frame rate", path, shortfall)
