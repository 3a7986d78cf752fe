"""Sources whose pictures have known times: a video file, a folder of pictures, one picture."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import cv2
import numpy as np

from edge.errors import CameraError
from edge.sources.camera import CaptureSettings
from edge.sources.opencv import gray_of, silence_opencv_logs
from edge.sources.paced import PacedCamera, TimedFrames
from edge.sources.uri import redact

logger = logging.getLogger(__name__)

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

# A container's count of frames is an estimate; this share may be missing, and never fewer than two frames.
_COUNT_TOLERANCE = 0.05


def open_files(path: Path, settings: CaptureSettings, *, fast: bool) -> PacedCamera:
    """A video file, a folder of pictures, or a single picture as a folder of one.

    A folder plays its jpg, png, bmp, webp and tif files in natural order (2.jpg before 10.jpg), hidden ones
    left out. Its pictures count as one second apart but come as fast as they are taken: they have no
    recorded pace to keep, and a face in one of them is nobody in the next.

    Args:
        path: what to play.
        settings: how pictures are wanted.
        fast: a video as fast as its frames are taken instead of as recorded.

    Raises:
        CameraError: there is nothing of the kind, or it may not be read.
    """
    try:
        is_folder, is_file = path.is_dir(), path.is_file()
        pictures = sorted(filter(_is_picture, path.iterdir()), key=_natural) if is_folder else [path]
        if is_file:
            path.open("rb").close()
    except OSError as error:
        raise CameraError(f"{path}: {error.strerror}; expected what this user can read") from error
    if not is_folder and not is_file:
        raise CameraError(
            f"{redact(str(path))}: no such file or folder; a source is auto, demo, 0, /dev/video0, "
            "picamera2://0, csi://0, gst://PIPELINE, rtsp://HOST/PATH, a video, a picture or a folder of them"
        )
    if not pictures:
        raise CameraError(f"{path}: no picture in this folder; expected {' '.join(PICTURE_SUFFIXES)} files")
    if _is_picture(pictures[0]):
        return PacedCamera(str(path), _pictures_of(path, pictures), settings, fast=True, yields_stills=True)
    return PacedCamera(str(path), _video_of(path), settings, fast=fast)


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sorts 2.jpg before 10.jpg, and upper among lower case."""
    parts = re.findall(r"\d+|\D+", path.name.casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _pictures_of(where: Path, paths: list[Path]) -> TimedFrames:
    silence_opencv_logs()
    played = 0
    for path in paths:
        try:
            gray = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        except cv2.error as error:  # more pixels than OpenCV takes
            logger.debug("%s: %s", path, error)
            gray = None
        if gray is None:
            logger.warning("%s: cannot be read as a picture; skipped", path)
            yield None
            continue
        yield float(played), np.asarray(gray, dtype=np.uint8)
        played += 1
    if played == 0:
        raise CameraError(f"{where}: none of {len(paths)} files can be read as a picture; are they damaged?")
    if played < len(paths):
        logger.warning("%s: %d of %d pictures could not be read", where, len(paths) - played, len(paths))


def _video_of(path: Path) -> TimedFrames:
    silence_opencv_logs()
    # FFmpeg and no other backend: it does not take the name for a pattern and its positions are time stamps.
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise CameraError(
                f"{path}: cannot be read as a video; expected a whole mp4, mkv, avi or the like"
            )
        fps = capture.get(cv2.CAP_PROP_FPS)
        fps = fps if 1 <= fps <= 1000 else 25.0
        promised = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        count, captured_at, offset_s = 0, 0.0, 0.0
        while True:
            came, picture = capture.read()
            if not came:
                break
            position_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if count == 0:
                offset_s = position_s
            elif position_s - offset_s > captured_at:
                captured_at = position_s - offset_s
            else:  # no usable time stamps in this file, or a fall back in time
                captured_at += 1 / fps
            yield captured_at, gray_of(picture)
            count += 1
    finally:
        capture.release()
    if count == 0:
        raise CameraError(f"{path}: not one frame of this video can be decoded; is it damaged?")
    if promised - count > max(2, promised * _COUNT_TOLERANCE):
        told = f"{count} of about {promised:.0f} frames could be read"
        # A variable frame rate makes the count alone unreliable; the end must be missed as well.
        if captured_at < promised * (1 - _COUNT_TOLERANCE) / fps:
            raise CameraError(
                f"{path}: damaged or cut off: {told}, it ends after {captured_at:.1f} s instead of "
                f"{promised / fps:.1f} s"
            )
        logger.warning("%s: %s; damaged inside, or of a varying frame rate", path, told)
