"""The port, and clients that are slow, silent, loud or no browsers."""

import contextlib
import re
import socket
import threading
import time
from http import HTTPStatus

import pytest

import edge.aim.server
from edge.aim.options import AimOptions
from edge.aim.server import AimServer, Answer
from edge.errors import ConfigError, OutputError
from tests.support.aim_client import LIMIT_S, get

HEADERS = "GET / HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def asked():
    return []


@pytest.fixture
def server(asked):
    def respond(target, headers, client):
        asked.append((target, headers, client))
        return Answer(HTTPStatus.OK, b"hello")

    server = AimServer(AimOptions(port=0), respond, "default-src 'none'")
    server.start()
    yield server
    server.close()


def send(port, sent):
    """Returns all that the server answers to some bytes."""
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as client:
        client.sendall(sent)
        received = b""
        try:
            while piece := client.recv(4096):
                received += piece
        except ConnectionResetError:
            pass
        return received


def test_a_get_is_answered_and_may_not_be_stored(server, asked):
    status, headers, body = get(server.port, "/any?token=x", {"X-Mixed-Case": "1"})
    assert (status, body) == (200, b"hello")
    ((target, given, client),) = asked
    assert (target, given["x-mixed-case"], client) == ("/any?token=x", "1", "127.0.0.1")
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"] == "default-src 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Server"] == "emotiny"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_other_methods_are_refused(server, asked, method):
    status, headers, _ = get(server.port, "/", method=method)
    assert (status, headers["Allow"], headers["Cache-Control"]) == (405, "GET", "no-store")
    assert asked == []


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"\x16\x03\x01\x02\x00\r\n\r\n", rb"HTTP/1\.0 4"),
        (b"GET / HTTP/9.9\r\n\r\n", rb"HTTP/1\.0 505"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", rb"HTTP/1\.0 431"),
        (b"\r\n\r\n", rb"$"),
    ],
)
def test_requests_that_are_none(server, asked, sent, answer, capfd):
    assert re.match(answer, send(server.port, sent))
    assert asked == []
    assert get(server.port, "/")[0] == 200
    assert capfd.readouterr().err == ""


def test_a_request_that_trickles_in_is_given_up(server, asked, monkeypatch):
    monkeypatch.setattr(edge.aim.server, "_HEAD_S", 0.5)
    began_s = time.monotonic()
    with socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as client:
        client.settimeout(0.05)
        try:
            while time.monotonic() - began_s < LIMIT_S:
                client.sendall(b"G")  # more often than any timeout of a single read
                try:
                    if client.recv(1) == b"":
                        break
                except TimeoutError:
                    pass
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert time.monotonic() - began_s < LIMIT_S / 2
    assert asked == []


def test_a_request_without_an_end_is_refused_at_once(server, asked, monkeypatch):
    monkeypatch.setattr(edge.aim.server, "_HEAD_S", 10 * LIMIT_S)
    # The connection's reset may overtake the answer.
    assert re.match(rb"HTTP/1\.0 431|$", send(server.port, b"GET /" + b"a" * 20_000))
    assert asked == []


def test_many_silent_clients_take_few_threads_and_never_block_the_next(server, monkeypatch):
    monkeypatch.setattr(edge.aim.server, "_HEAD_S", 10 * LIMIT_S)
    before = threading.active_count()
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port), LIMIT_S))
            for _ in range(30)
        ]
        # The last ones are closed at once, because the first ones have all threads.
        assert clients[-1].recv(1) == b""
        assert threading.active_count() - before <= edge.aim.server._MAX_THREADS
    until_s = time.monotonic() + LIMIT_S
    while True:  # the threads of those that left are free again
        try:
            assert get(server.port, "/")[0] == 200
            break
        except OSError:
            assert time.monotonic() < until_s


def test_closing_does_not_wait_for_a_silent_client(server, monkeypatch):
    monkeypatch.setattr(edge.aim.server, "_HEAD_S", LIMIT_S)
    with socket.create_connection(("127.0.0.1", server.port)) as silent:
        silent.sendall(HEADERS.encode())
        began_s = time.monotonic()
        server.close()
        server.close()
        assert time.monotonic() - began_s < LIMIT_S / 2
        AimServer(AimOptions(port=server.port), lambda *_: Answer(HTTPStatus.OK, b""), "").close()


def test_ports_and_addresses_that_cannot_be_had(server):
    def refused(error, **options):
        with pytest.raises(error) as caught:
            AimServer(AimOptions(**options), lambda *_: Answer(HTTPStatus.OK, b""), "")
        return str(caught.value)

    assert f"--address 127.0.0.1 --port {server.port}: another program" in refused(
        OutputError, port=server.port
    )
    text = refused(OutputError, address="192.0.2.1", port=9)  # reserved for documentation
    assert text.startswith("--address 192.0.2.1 --port 9: ")
    assert "expected an address of this device" in text


def test_a_port_that_only_root_may_use(without_rights):
    done = without_rights("-m", "edge", "aim", "--source", "demo", "--port", "80", "--config", "/dev/null")
    if "80: another program" in done.stderr or "only root" not in done.stderr:
        pytest.skip("on this machine every user may listen on port 80, or a program does")
    assert done.returncode == ConfigError.exit_code
    assert "--port 80: only root may listen there; expected a port from 1024 on" in done.stderr
