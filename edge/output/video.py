"""Writes what was seen as a video or a picture for a person to look at; only when asked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError, OutputError
from edge.output.drawing import draw_faces
from edge.output.sink import Sink, raise_if_closed
from edge.types import Face, Frame, Gray, Report

_FOURCC = {".mp4": "mp4v", ".avi": "MJPG"}
# The pace of a video is learned from its first frames, which are held until then.
_PACE_FRAMES = 8
_LONE_FRAME_FPS = 10.0
# What a video's end takes: a head, and for each frame a line of its index.
_END_BYTES, _INDEX_BYTES = 1 << 16, 64


def open_annotation(path: Path) -> Sink:
    """A sink that draws on the frames and writes them to a file, which appears when the sink is closed.

    Args:
        path: a new .mp4 or .avi for all frames, or a new .png for the last one.

    Raises:
        ConfigError: the file exists, its folder does not, or its suffix is another.
    """
    if path.suffix not in (*_FOURCC, ".png"):
        raise ConfigError(f"annotation {path}: expected a file name ending in .mp4, .avi or .png")
    if not path.parent.is_dir():
        raise ConfigError(f"annotation {path}: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"annotation {path}: the folder {path.parent} cannot be written to")
    if path.exists():
        raise ConfigError(f"annotation {path}: exists; remove it or choose another name")
    return PictureSink(path) if path.suffix == ".png" else VideoSink(path)


class PictureSink(Sink):
    """Writes the last processed frame as a .png."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: tuple[Gray, tuple[Face, ...]] | None = None
        self._closed = False

    def send(self, frame: Frame, report: Report) -> None:
        """Keeps a copy of the frame in place of the one before."""
        raise_if_closed(self, self._closed)
        self._last = frame.gray.copy(), report.faces

    def close(self) -> None:
        """Writes the picture, if there was any.

        Raises:
            OutputError: it cannot be written.
        """
        if self._closed:
            return
        self._closed = True
        if self._last is None:
            return
        part = _part(self._path)
        encoded = cv2.imencode(".png", draw_faces(*self._last))[1]
        try:
            part.write_bytes(encoded.tobytes())
        except OSError as error:
            part.unlink(missing_ok=True)
            raise OutputError(f"cannot write {self._path}: {error.strerror}") from error
        _publish(part, self._path)


class VideoSink(Sink):
    """Writes all processed frames as a video at the pace of the first ones, in the size of the first one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: list[tuple[float, npt.NDArray[np.uint8]]] = []
        self._writer: cv2.VideoWriter | None = None
        self._size_wh = (0, 0)
        self._written = 0
        self._closed = False

    def send(self, frame: Frame, report: Report) -> None:
        """Draws on a copy of the frame and writes it.

        Raises:
            OutputError: the file cannot be made, or the disk is full; what was written until then is kept.
        """
        raise_if_closed(self, self._closed)
        picture = draw_faces(frame.gray, report.faces)
        if self._writer is not None:
            self._write(self._writer, picture)
            return
        self._held.append((report.captured_at, picture))
        if len(self._held) == _PACE_FRAMES:
            self._start()

    def close(self) -> None:
        """Finishes the video, if there was any frame.

        Raises:
            OutputError: not all of it could be written. Nothing is left of it where it cannot be played.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if self._held:
                self._start()
        finally:
            if self._writer is not None:
                self._finish(self._writer)

    def _finish(self, writer: cv2.VideoWriter) -> None:
        writer.release()
        part = _part(self._path)
        # OpenCV is silent about a disk that somebody else filled.
        video = cv2.VideoCapture(str(part))
        kept = max(0, int(video.get(cv2.CAP_PROP_FRAME_COUNT)))
        video.release()
        if kept < self._written:
            part.unlink(missing_ok=True)
            raise OutputError(f"cannot write {self._path}: only {kept} of {self._written} frames, disk full?")
        _publish(part, self._path)

    def _start(self) -> None:
        held, self._held = self._held, []
        span_s = held[-1][0] - held[0][0]
        fps = (len(held) - 1) / span_s if span_s > 0 else _LONE_FRAME_FPS
        height, width = held[0][1].shape[:2]
        self._size_wh = width, height
        self._refuse_full()  # before there is a file
        code = cv2.VideoWriter.fourcc(*_FOURCC[self._path.suffix])
        writer = cv2.VideoWriter(str(_part(self._path)), code, min(max(fps, 1.0), 120.0), self._size_wh)
        if not writer.isOpened():
            raise OutputError(
                f"cannot write {self._path}: OpenCV makes no such video of {width}x{height} at {fps:.1f} FPS"
            )
        self._writer = writer
        for _, picture in held:
            self._write(writer, picture)

    def _write(self, writer: cv2.VideoWriter, picture: npt.NDArray[np.uint8]) -> None:
        # A folder may hold pictures of several sizes; the writer would ignore the others without a word.
        if picture.shape[:2] != (self._size_wh[1], self._size_wh[0]):
            picture = np.asarray(cv2.resize(picture, self._size_wh), dtype=np.uint8)
        self._refuse_full()
        writer.write(picture)
        self._written += 1

    def _refuse_full(self) -> None:
        """OpenCV tells nobody of a full disk: another picture must fit, even if nothing makes it smaller."""
        width, height = self._size_wh
        needed = 3 * width * height + _END_BYTES + _INDEX_BYTES * self._written
        if shutil.disk_usage(self._path.parent).free < needed:
            kept = "; what was recorded until then is in it" if self._written else ""
            raise OutputError(f"cannot write {self._path}: no space left{kept}")


def _part(path: Path) -> Path:
    return path.with_name(f".{path.stem}.part{path.suffix}")


def _publish(part: Path, path: Path) -> None:
    if path.exists():
        raise OutputError(f"cannot write {path}: it appeared meanwhile; the result is in {part}")
    try:
        part.rename(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from error
