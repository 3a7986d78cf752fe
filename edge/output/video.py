"""Records the annotated frames as a video, or the last one as an image."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from edge.errors import ConfigError, OutputError
from edge.files import atomic_write, is_utf8, os_error_reason
from edge.output.drawing import draw_faces
from edge.output.reserved_space import ReservedSpace
from edge.output.sink import Sink, raise_if_closed
from edge.types import Face, Frame, Gray, Report

_FOURCC = {".mp4": "mp4v", ".avi": "MJPG"}
# The frame rate is measured over the first frames, which are held back until then.
_RATE_FRAMES = 8
_LONE_FRAME_FPS = 10.0
# The frame to be written, and those before it that are not in the file yet; none is larger than its pixels.
_PENDING_FRAMES = 2
# What the end of a video file takes: a header, and an index entry per frame.
_HEADER_BYTES, _INDEX_BYTES = 1 << 16, 64


def open_annotation(path: Path) -> Sink:
    """Returns a sink that writes annotated frames to a file, which appears when the sink is closed.

    Args:
        path: A new .mp4 or .avi for all frames, or a new .png for the last one.

    Raises:
        ConfigError: the file exists, its folder does not or is read-only, its name is too long or, for a
            video, not UTF-8, or the suffix is another.
    """
    if path.suffix not in (*_FOURCC, ".png"):
        raise ConfigError(f"annotation {path}: expected a file name ending in .mp4, .avi or .png")
    if path.suffix in _FOURCC and not is_utf8(path):
        raise ConfigError(f"annotation {path}: expected a file name in UTF-8")
    try:
        if not path.parent.is_dir():
            raise ConfigError(f"annotation {path}: there is no folder {path.parent}")
        if not os.access(path.parent, os.W_OK):
            raise ConfigError(f"annotation {path}: the folder {path.parent} cannot be written to")
        exists = path.exists()
        _temporary(path).exists()  # its name is longer
    except OSError as error:
        raise ConfigError(f"annotation {path}: {os_error_reason(error)}") from error
    if exists:
        raise ConfigError(f"annotation {path}: exists; remove it or choose another name")
    return PictureSink(path) if path.suffix == ".png" else VideoSink(path)


class PictureSink(Sink):
    """Writes the last processed frame as a .png."""

    def __init__(self, path: Path) -> None:
        """Writes nothing yet.

        Args:
            path: File to write; must not exist.
        """
        self._path = path
        self._last: tuple[Gray, tuple[Face, ...]] | None = None
        self._closed = False

    def send(self, frame: Frame, report: Report) -> None:
        """Keeps a copy of the frame, in place of the last one."""
        raise_if_closed(self, self._closed)
        self._last = frame.gray.copy(), report.faces

    def close(self) -> None:
        """Writes the image if there was a frame.

        Raises:
            OutputError: the file cannot be written, or another program has created it.
        """
        if self._closed:
            return
        self._closed = True
        if self._last is None:
            return
        encoded = cv2.imencode(".png", draw_faces(*self._last))[1].tobytes()
        appeared = self._path.exists()
        path = _temporary(self._path) if appeared else self._path
        atomic_write(path, lambda partial: partial.write_bytes(encoded))
        if appeared:
            raise _appeared(self._path)


class VideoSink(Sink):
    """Writes all processed frames as a video, with the frame rate and the size of the first ones.

    The file grows under a temporary name while the run lasts, and is renamed when the sink is closed.
    `edge.files.atomic_write` does not fit: it writes a file at once and removes an incomplete one, but a
    video that a full disk cut short can be played.

    An .mp4 can be played only with the index at its end, and OpenCV reports no write that fails. So the room
    for the next frames and the index is reserved on the disk before a frame is written.
    """

    def __init__(self, path: Path) -> None:
        """Writes nothing yet.

        Args:
            path: File to write; must not exist.
        """
        self._path = path
        self._held: list[tuple[float, npt.NDArray[np.uint8]]] = []
        self._writer: cv2.VideoWriter | None = None
        self._space: ReservedSpace | None = None
        self._size_wh = (0, 0)
        self._written = 0
        self._closed = False

    def send(self, frame: Frame, report: Report) -> None:
        """Draws on a copy of the frame and writes it.

        Raises:
            OutputError: the file cannot be created, or the disk is full. What was written so far is kept.
        """
        raise_if_closed(self, self._closed)
        image = draw_faces(frame.gray, report.faces)
        if self._writer is not None:
            self._write(self._writer, image)
            return
        self._held.append((report.captured_at, image))
        if len(self._held) == _RATE_FRAMES:
            self._start()

    def close(self) -> None:
        """Finishes the video if there was a frame.

        Raises:
            OutputError: not every frame could be written, of which those that can be played are kept; or
                another program has created the file.
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

    def _start(self) -> None:
        held, self._held = self._held, []
        span_s = held[-1][0] - held[0][0]
        fps = (len(held) - 1) / span_s if span_s > 0 else _LONE_FRAME_FPS
        height, width = held[0][1].shape[:2]
        self._size_wh = width, height
        self._check_space()  # before there is a file
        code = cv2.VideoWriter.fourcc(*_FOURCC[self._path.suffix])
        writer = cv2.VideoWriter(str(_temporary(self._path)), code, min(max(fps, 1.0), 120.0), self._size_wh)
        if not writer.isOpened():
            raise OutputError(
                f"cannot write {self._path}: OpenCV makes no such video of {width}x{height} at {fps:.1f} FPS"
            )
        self._writer = writer
        try:
            self._space = ReservedSpace(_temporary(self._path))
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}") from error
        for _, image in held:
            self._write(writer, image)

    def _write(self, writer: cv2.VideoWriter, image: npt.NDArray[np.uint8]) -> None:
        # A folder of images may hold several sizes; OpenCV silently ignores frames of another size.
        if image.shape[:2] != (self._size_wh[1], self._size_wh[0]):
            image = np.asarray(cv2.resize(image, self._size_wh), dtype=np.uint8)
        self._check_space()
        writer.write(image)
        self._written += 1

    def _finish(self, writer: cv2.VideoWriter) -> None:
        writer.release()
        if self._space is not None:
            self._space.close()
        partial = _temporary(self._path)
        frames = _playable_frames(partial, self._written)
        if not frames:
            partial.unlink(missing_ok=True)
            raise OutputError(f"cannot write {self._path}: none of {self._written} frames; disk full?")
        if self._path.exists():
            raise _appeared(self._path)
        try:
            partial.rename(self._path)
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}") from error
        if frames < self._written:
            raise OutputError(
                f"cannot write {self._path}: {frames} of {self._written} frames are in it; disk full?"
            )

    def _check_space(self) -> None:
        """Raises OutputError unless another frame fits on the disk even if it cannot be compressed."""
        width, height = self._size_wh
        frame_bytes, end_bytes = 3 * width * height, _HEADER_BYTES + _INDEX_BYTES * self._written
        try:
            if self._space is not None and self._space.reserve(_PENDING_FRAMES * frame_bytes + end_bytes):
                return
        except OSError as error:
            raise self._no_space() from error
        # The file system reserves nothing, or there is no file yet.
        if shutil.disk_usage(self._path.parent).free < frame_bytes + end_bytes:
            raise self._no_space()

    def _no_space(self) -> OutputError:
        kept = "; what was recorded until then is in it" if self._written else ""
        return OutputError(f"cannot write {self._path}: no space left{kept}")


def _playable_frames(path: Path, written: int) -> int:
    """Returns how many frames of a video can be read; decodes them only if its header has another number."""
    video = cv2.VideoCapture(str(path))
    try:
        if int(video.get(cv2.CAP_PROP_FRAME_COUNT)) == written:
            return written
        frames = 0
        while video.grab():
            frames += 1
        return frames
    finally:
        video.release()


def _temporary(path: Path) -> Path:
    """Returns the name of the file until it is finished; OpenCV chooses the format by the suffix."""
    return path.with_name(f".{path.stem}.part{path.suffix}")


def _appeared(path: Path) -> OutputError:
    return OutputError(f"cannot write {path}: it appeared meanwhile; the result is in {_temporary(path)}")
