"""Answers the requests of the page: the page itself, and what the camera sees now."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from edge.aim.access import VIEWER_HEADER, Access, viewer_of
from edge.aim.latest import LatestFrame
from edge.aim.seat import Seat
from edge.aim.server import Answer
from edge.aim.view import ViewMaker, waiting_view

logger = logging.getLogger(__name__)

# How long a request waits for a frame before it is answered without one.
_WAIT_S = 1.0
_JSON = "application/json"


class Site:
    """`/` is the page, and `/view` the newest frame for the one viewer."""

    def __init__(
        self,
        page: bytes,
        access: Access,
        latest: LatestFrame,
        views: ViewMaker,
        left_s: Callable[[], float],
    ) -> None:
        """Answers nothing yet.

        Args:
            page: The page.
            access: Who may ask.
            latest: The slot for frames.
            views: Turns a frame into what is sent.
            left_s: Returns the seconds until the page ends.
        """
        self._page = page
        self._access = access
        self._latest = latest
        self._views = views
        self._left_s = left_s
        self._seat = Seat()
        self._lock = threading.Lock()  # requests of one viewer at once must not each make a view
        self._made: tuple[int, bytes] = (0, b"")

    def respond(self, target: str, headers: Mapping[str, str], client: str) -> Answer:
        """Returns the answer to a GET; see `edge.aim.server.Responder`."""
        refusal = self._access.refusal(target, headers)
        if refusal:
            return _sentence(HTTPStatus.FORBIDDEN, refusal)
        path = urlsplit(target).path
        if path == "/":
            return Answer(HTTPStatus.OK, self._page, "text/html; charset=utf-8")
        if path != "/view":
            return _sentence(HTTPStatus.NOT_FOUND, "There is nothing here but the page.")
        viewer = viewer_of(headers)
        if not viewer:
            return _sentence(
                HTTPStatus.FORBIDDEN, f"Only the page itself may ask for this, with its {VIEWER_HEADER}."
            )
        is_seated, is_new = self._seat.claim(viewer)
        if not is_seated:
            return _sentence(
                HTTPStatus.CONFLICT,
                "Somebody else is looking. Only one can: once they have closed their page, this one goes on.",
            )
        if is_new:
            logger.info("aim: a viewer at %s looks", client)
        return Answer(HTTPStatus.OK, self._view(), _JSON)

    def _view(self) -> bytes:
        shot = self._latest.wait(_WAIT_S)
        left_s = self._left_s()
        if shot is None:
            return waiting_view(self._latest.reason, left_s)
        with self._lock:
            if self._made[0] != shot.number:
                self._made = (shot.number, self._views.view(shot, left_s))
            return self._made[1]


def _sentence(status: HTTPStatus, text: str) -> Answer:
    return Answer(status, f"{text}\n".encode())
