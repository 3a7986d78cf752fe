"""A small HTTP server that answers one request at a time."""

from __future__ import annotations

import errno
import logging
import socket
import socketserver
import threading
from collections.abc import Callable
from io import BytesIO
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from edge.output.prometheus.settings import MetricsSettings
from edge.system.listening import listen_error
from edge.system.request_head import read_head

logger = logging.getLogger(__name__)

# A request must be complete within this time and size, however it trickles in, and a client that reads
# nothing for so long is disconnected; a scrape takes milliseconds.
_CLIENT_TIMEOUT_S, _MAX_HEAD_BYTES = 2.0, 8192
# How often the thread checks whether the server was closed.
_TICK_S = 0.25
_JOIN_S = 1.0


class MetricsServer:
    """Serves a WSGI application over HTTP, in a thread of its own.

    prometheus_client's own server starts a thread for every client and waits for its request for ever: a
    client that opens enough connections would leave no thread for the camera.

    Attributes:
        port: Port on which it listens, also if the settings ask for any free one.
    """

    def __init__(self, settings: MetricsSettings, application: Callable[..., Any]) -> None:
        """Starts to listen.

        Args:
            settings: Address and port; port 0 takes any free one.
            application: WSGI application that answers the requests.

        Raises:
            ConfigError: only root may use the port, or the service's unit allows it none.
            OutputError: another program uses the port, or the address is not (yet) one of this device.
        """
        self._server = _listen(settings)
        self._server.set_app(application)
        self._server.timeout = _TICK_S
        self.port = int(self._server.server_address[1])
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Frees the port, without waiting for a client that is being served; further calls do nothing."""
        self._closed.set()
        self._thread.join(_JOIN_S)
        self._server.server_close()

    def _serve(self) -> None:
        while not self._closed.is_set():
            self._server.handle_request()


def check_port(settings: MetricsSettings) -> None:
    """Checks whether the port can be used, by listening on it for a moment.

    Raises:
        ConfigError: only root may use the port, or the service's unit allows it none.
        OutputError: another program uses the port, or the address is not (yet) one of this device.
    """
    _listen(settings).server_close()


class _Handler(WSGIRequestHandler):
    timeout = _CLIENT_TIMEOUT_S

    def handle(self) -> None:
        head = read_head(self.connection, self.timeout, _MAX_HEAD_BYTES)
        if not head.endswith(b"\r\n\r\n"):
            return  # half a request gets no answer
        self.connection.settimeout(self.timeout)
        self.rfile = BytesIO(head)
        super().handle()

    def log_message(self, format: str, *args: object) -> None:
        logger.debug(format, *args)


class _Server(WSGIServer):
    # Later versions of Python would let two programs share a port and answer in turn.
    allow_reuse_port = False

    def server_bind(self) -> None:
        # The base class asks for the host's name, which nobody needs and takes seconds without a network.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        # A client that disconnects or falls silent during a request is not an error of this program.
        logger.debug("metrics: %s got no answer", client_address, exc_info=True)


class _Server6(_Server):
    address_family = socket.AF_INET6


def _listen(settings: MetricsSettings) -> _Server:
    server_class = _Server6 if settings.ipv6 else _Server
    endpoint = f"metrics {settings.address} port {settings.port}"
    try:
        return server_class((settings.address, settings.port), _Handler)
    except OSError as error:
        denied = _explain_denied(error, settings.port)
        raise listen_error(error, endpoint, settings.port, denied) from error


def _explain_denied(error: OSError, port: int) -> str:
    """Returns who forbids to listen: the kernel refuses root's ports by EACCES, a unit's filter by EPERM."""
    if error.errno == errno.EPERM:
        return (
            f"the unit forbids it; fix: `sudo systemctl edit emotiny`, enter [Service] and "
            f"SocketBindAllow=tcp:{port} on the next line, and restart the service"
        )
    return "only root may listen there; expected metrics.port from 1024 on"
