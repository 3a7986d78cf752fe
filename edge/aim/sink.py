"""The page as an output of the loop."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable

from edge.aim.access import Access
from edge.aim.latest import LatestFrame
from edge.aim.options import AimOptions
from edge.aim.page import load_page
from edge.aim.server import AimServer
from edge.aim.site import Site
from edge.aim.view import ViewMaker
from edge.output.sink import IdleReason, Sink, raise_if_closed
from edge.types import Box, Frame, Report

logger = logging.getLogger(__name__)

# Reserved for documentation: nothing is sent to them, they only name a direction.
_OUTSIDE, _OUTSIDE6 = "192.0.2.1", "2001:db8::1"


class AimSink(Sink):
    """Serves the page from `start` to `close`.

    Attributes:
        url: The address to open, with its token if it has one.
        port: Port on which the page is served.
    """

    def __init__(
        self, options: AimOptions, min_face_px: int, left_s: Callable[[], float], *, is_turned: bool = False
    ) -> None:
        """Starts to listen.

        Args:
            options: Address, port, and what is shown.
            min_face_px: Side of the smallest face that is searched for.
            left_s: Returns the seconds until the page ends.
            is_turned: Whether the frame is rotated by 90 or 270 degrees.

        Raises:
            ConfigError: only root may use the port.
            OutputError: another program uses the port, or the address is not one of this device.
        """
        page, policy = load_page()
        access = Access(is_local=options.is_local)
        self._latest = LatestFrame()
        views = ViewMaker(options, min_face_px, is_turned=is_turned)
        site = Site(page, access, self._latest, views, left_s)
        self._server = AimServer(options, site.respond, policy)
        self._possible_faces: Callable[[], Iterable[Box]] = tuple
        self._open, self._closed = False, False
        self.port = self._server.port
        host = _reachable(options)
        self._place = f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"
        self.url = self._place + (f"?token={access.token}" if access.token else "")

    def start(self, possible_faces: Callable[[], Iterable[Box]] = tuple) -> None:
        """Opens the page.

        Args:
            possible_faces: Returns the boxes of the last frame that may hold a face, although it is not
                reported, or not any more; called in the loop's thread.
        """
        self._possible_faces = possible_faces
        self._server.start()
        self._open = True
        logger.info("aim: the page is open at %s", self._place)

    def send(self, frame: Frame, report: Report) -> None:
        """Copies the frame if a viewer waits for it."""
        raise_if_closed(self, self._closed)
        self._latest.put(frame, report, self._possible_faces)

    def idle(self, reason: IdleReason) -> None:
        """Notes why there is no frame."""
        self._latest.note(reason)

    def close(self) -> None:
        """Closes the page; further calls do nothing."""
        if self._closed:
            return
        self._closed = True
        self._latest.close()
        self._server.close()
        if self._open:
            logger.info("aim: the page is closed")


def _reachable(options: AimOptions) -> str:
    """Returns the address to type: of "all addresses", the one that leads to other machines."""
    if options.address not in ("0.0.0.0", "::"):
        return options.address
    family, outside = (socket.AF_INET6, _OUTSIDE6) if options.ipv6 else (socket.AF_INET, _OUTSIDE)
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((outside, 9))
        except OSError:
            return socket.gethostname()
        return str(probe.getsockname()[0])
