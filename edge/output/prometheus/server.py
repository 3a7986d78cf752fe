"""The port that Prometheus asks at: one request at a time, none for long."""

from __future__ import annotations

import errno
import logging
import socket
import socketserver
import threading
from collections.abc import Callable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from edge.errors import ConfigError, OutputError
from edge.output.prometheus.settings import MetricsSettings

logger = logging.getLogger(__name__)

# How long a client may be silent while it is served; a scrape takes milliseconds.
_CLIENT_S = 2.0
# How often the thread looks whether it is to end.
_TICK_S = 0.25
_JOIN_S = 1.0


class MetricsServer:
    """Answers HTTP in a thread of its own, until it is closed.

    prometheus_client's own server starts a thread for every client and waits for ever for what it asks:
    whoever opens enough connections would leave no thread for the camera.

    Attributes:
        port: that is listened on, also where the settings left it to the system with 0.
    """

    def __init__(self, settings: MetricsSettings, application: Callable[..., Any]) -> None:
        """Listens at once.

        Args:
            settings: where; port 0 takes any that is free.
            application: answers, as WSGI has it.

        Raises:
            ConfigError: this user may not have the port.
            OutputError: another program has it, or the address is not (yet) one of this device.
        """
        self._server = _listen(settings)
        self._server.set_app(application)
        self._server.timeout = _TICK_S
        self.port = int(self._server.server_address[1])
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Frees the port; a client that is being served is left behind. May be called again."""
        self._closed.set()
        self._thread.join(_JOIN_S)
        self._server.server_close()

    def _serve(self) -> None:
        while not self._closed.is_set():
            self._server.handle_request()


def check_port(settings: MetricsSettings) -> None:
    """Listens for a moment.

    Raises:
        ConfigError, OutputError: as for `MetricsServer`.
    """
    _listen(settings).server_close()


class _Handler(WSGIRequestHandler):
    timeout = _CLIENT_S

    def log_message(self, format: str, *args: object) -> None:
        logger.debug(format, *args)


class _Server(WSGIServer):
    # Later Pythons would let two programs have one port, each answering every other time.
    allow_reuse_port = False

    def server_bind(self) -> None:
        # The base class asks the resolver for a name that nobody needs: seconds, where there is no network.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def handle_error(self, request: object, client_address: object) -> None:
        # Whoever leaves, or says nothing, in the middle of a request is no fault of ours.
        logger.debug("metrics: %s got no answer", client_address, exc_info=True)


class _Server6(_Server):
    address_family = socket.AF_INET6


def _listen(settings: MetricsSettings) -> _Server:
    kind = _Server6 if settings.ipv6 else _Server
    where = f"metrics {settings.address} port {settings.port}"
    try:
        return kind((settings.address, settings.port), _Handler)
    except PermissionError as error:
        raise ConfigError(
            f"{where}: only root may listen there; expected metrics.port from 1024 on"
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = f"another program listens there (`sudo ss -ltnp 'sport = :{settings.port}'` shows which)"
        else:
            why = f"{error.strerror}; expected an address of this device (`ip address` lists them)"
        raise OutputError(f"{where}: {why}") from error
