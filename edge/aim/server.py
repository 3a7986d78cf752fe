"""A small HTTP server for one page: GET only, few threads, bounded requests, nothing to be stored."""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BytesIO

from edge.aim.options import AimOptions
from edge.system.listening import listen_error
from edge.system.request_head import read_head

logger = logging.getLogger(__name__)

# A browser opens a connection for each request here, one after the other; the rest is for a second viewer,
# who is told that somebody looks already.
_MAX_THREADS = 4
# A request must be complete within this time and size, however it trickles in.
_HEAD_S, _MAX_HEAD_BYTES = 3.0, 8192
# A client that reads nothing for so long is disconnected.
_SEND_S = 3.0
# How often the thread checks whether the server was closed.
_TICK_S = 0.1
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True)
class Answer:
    """An answer to a request.

    Attributes:
        status: HTTP status.
        content: Body.
        kind: Media type of the body.
    """

    status: HTTPStatus
    content: bytes
    kind: str = "text/plain; charset=utf-8"


# Returns the answer to a GET, from its target, {name in small letters: value} of its headers, and the
# client's address.
Responder = Callable[[str, Mapping[str, str], str], Answer]


class AimServer:
    """Listens when it is made, and serves from `start` to `close` in threads of its own.

    Attributes:
        port: Port on which it listens, also if the options ask for any free one.
    """

    def __init__(self, options: AimOptions, respond: Responder, content_policy: str) -> None:
        """Starts to listen.

        Args:
            options: Address and port.
            respond: Answers a request; called in several threads at once.
            content_policy: The Content-Security-Policy of all answers.

        Raises:
            ConfigError: only root may use the port.
            OutputError: another program uses the port, or the address is not one of this device.
        """
        self._server = _listen(options)
        self._server.respond = respond
        self._server.headers = {**_HEADERS, "Content-Security-Policy": content_policy}
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_TICK_S,), name="aim", daemon=True
        )
        self._started = False

    def start(self) -> None:
        """Begins to serve."""
        self._started = True
        self._thread.start()

    def close(self) -> None:
        """Frees the port, without waiting for a client that is being served; further calls do nothing."""
        if self._started:
            self._server.shutdown()
            self._thread.join()
            self._started = False
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.close_connection = True
        self.connection.settimeout(_SEND_S)
        head = read_head(self.connection, _HEAD_S, _MAX_HEAD_BYTES)
        self.connection.settimeout(_SEND_S)
        if not head.endswith(b"\r\n\r\n"):
            if len(head) > _MAX_HEAD_BYTES:
                self.send_error(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        self.rfile = BytesIO(head)
        self.raw_requestline = self.rfile.readline()
        if not self.parse_request():
            return  # it has sent an error
        if self.command != "GET":
            self.send_error(HTTPStatus.METHOD_NOT_ALLOWED)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._send(self.server.respond(self.path, headers, str(self.client_address[0])))

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers with a sentence; the base class would repeat parts of the request in HTML."""
        status = HTTPStatus(code)
        self._send(Answer(status, f"{status.phrase}.\n".encode()))

    def version_string(self) -> str:
        return "emotiny"

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing: the request's target holds the token."""

    def _send(self, answer: Answer) -> None:
        self.request_version = self.protocol_version  # HTTP/0.9, which has no headers, until it is known
        self.send_response(answer.status)
        headers = {"Content-Type": answer.kind, "Content-Length": str(len(answer.content)), "Allow": "GET"}
        for name, value in (*headers.items(), *self.server.headers.items()):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content)


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    # Later versions of Python would let two programs share a port and answer in turn.
    allow_reuse_port = False
    daemon_threads = True
    block_on_close = False
    request_queue_size = 8
    respond: Responder
    headers: Mapping[str, str]

    def __init__(self, address: tuple[str, int]) -> None:
        self._free = threading.BoundedSemaphore(_MAX_THREADS)
        super().__init__(address, _Handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client: object) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client: object
    ) -> None:
        try:
            super().process_request_thread(request, client)
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        # A client that disconnects or falls silent during a request is not an error of this program.
        logger.debug("aim: %s got no answer", client_address, exc_info=True)


class _Server6(_Server):
    address_family = socket.AF_INET6


def _listen(options: AimOptions) -> _Server:
    endpoint = f"--address {options.address} --port {options.port}"
    try:
        return (_Server6 if options.ipv6 else _Server)((options.address, options.port))
    except OSError as error:
        denied = "only root may listen there; expected a port from 1024 on"
        raise listen_error(error, endpoint, options.port, denied) from error
