"""A network camera that does what a walk wants: it serves MJPEG over HTTP."""

from __future__ import annotations

import contextlib
import functools
import math
import socket
import threading
import time
from typing import Literal

import cv2
import numpy as np

from tests.support.faces import scene

FPS = 10
# Every face shows each of these for a while, so that there are events as long as somebody is in view.
_EMOTIONS = ("happy", "surprise")
_EMOTION_S = 3
_FRAMES = 12  # different frames of one emotion
_LEFT, _TOP, _SIDE, _APART = 0.08, 0.2, 0.34, 0.48  # of a face, as shares of the width
_HEADER = b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"

Picture = Literal["moving", "frozen", "black", "stalled", "unplugged"]


class ScriptedCamera:
    """Shows a number of the project's computed faces, or fails in a certain way.

    Attributes:
        faces: Faces in view, 0 to 2.
        size_wh: Width and height of the pictures.
        picture: What it does.
        visible: (monotonic seconds, visible faces) of every change so far.
    """

    def __init__(self) -> None:
        self.faces = 1
        self.size_wh = (640, 480)
        self.picture: Picture = "moving"
        self.visible: list[tuple[float, int]] = []
        self._changed = threading.Condition()
        self._connections: list[socket.socket] = []
        self._frozen = b""
        self._listener: socket.socket | None = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._note_visible()
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    @property
    def delivers(self) -> bool:
        """Whether it is a camera that works, from a program's point of view."""
        return self.picture in ("moving", "black")

    def show(
        self,
        *,
        faces: int | None = None,
        size_wh: tuple[int, int] | None = None,
        picture: Picture | None = None,
    ) -> None:
        """Changes what it shows or does."""
        with self._changed:
            if picture == "frozen" and self.picture != "frozen":
                self._frozen = self._next_frame()
            self.faces = self.faces if faces is None else faces
            self.size_wh = size_wh or self.size_wh
            before, self.picture = self.picture, picture or self.picture
            self._note_visible()
            self._changed.notify_all()
        if self.picture == "unplugged" and self._listener is not None:
            self._unplug()
        elif before == "unplugged" and self.picture != "unplugged":
            self._listener = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def most_visible(self, since_s: float, until_s: float) -> int:
        """Returns the largest number of faces that was visible within a time."""
        before = [faces for at_s, faces in self.visible if at_s <= since_s][-1:]
        within = [faces for at_s, faces in self.visible if since_s < at_s <= until_s]
        return max([0, *before, *within])

    def close(self) -> None:
        self.show(picture="unplugged")

    def _note_visible(self) -> None:
        # A frozen picture is believed until it is known to be frozen.
        visible = self.faces if self.picture in ("moving", "frozen") else 0
        self.visible.append((time.monotonic(), visible))

    def _unplug(self) -> None:
        listener, self._listener = self._listener, None
        connections, self._connections = self._connections, []
        for each in (listener, *connections):
            if each is not None:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            # Pictures that wait in a buffer would be seen seconds later.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32768)
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.recv(4096)
            self._wait_unless_stalled()
            connection.sendall(_HEADER)
            while True:
                self._wait_unless_stalled()
                frame = self._frozen if self.picture == "frozen" else self._next_frame()
                head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(frame)
                connection.sendall(head + frame + b"\r\n")
                time.sleep(1 / FPS)

    def _wait_unless_stalled(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.picture != "stalled")

    def _next_frame(self) -> bytes:
        now_s = time.monotonic()
        faces = -1 if self.picture == "black" else self.faces
        emotion = _EMOTIONS[int(now_s / _EMOTION_S) % len(_EMOTIONS)]
        return _frames(faces, self.size_wh, emotion)[int(now_s * FPS) % _FRAMES]


@functools.cache
def _frames(faces: int, size_wh: tuple[int, int], emotion: str) -> list[bytes]:
    """Returns JPEG files of a wall with faces that sway; for -1 faces, of darkness."""
    width, _ = size_wh
    frames = []
    for number in range(_FRAMES):
        sway = round(0.01 * width * math.sin(2 * math.pi * number / _FRAMES))
        drawn = [
            (
                emotion,
                round((_LEFT + _APART * each) * width) + sway,
                round(_TOP * width),
                round(_SIDE * width),
            )
            for each in range(faces)
        ]
        gray = scene(*drawn, seed=number, size_wh=size_wh)
        if faces < 0:
            gray = np.asarray(gray // 40, np.uint8)
        frames.append(cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes())
    return frames
