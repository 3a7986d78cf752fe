"""The port, its clients, and its settings."""

import errno
import socket
import socketserver
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress

import pytest

import edge.output.prometheus.server
from edge.errors import ConfigError, OutputError
from edge.output.prometheus.server import MetricsServer, check_port
from edge.output.prometheus.settings import MetricsSettings
from edge.output.prometheus.sink import MetricsSink
from tests.support.scrape import LIMIT_S, fetch


def test_ipv6():
    try:
        sink = MetricsSink(MetricsSettings(address="::1"))
    except OutputError:
        pytest.skip("this machine has no IPv6")
    assert "emotiny_camera_up 0.0" in fetch(sink.port, "[::1]")
    sink.close()


def test_a_closed_sink_frees_its_port(sink):
    settings = MetricsSettings(sink.port)
    with pytest.raises(OutputError, match=rf"metrics 127\.0\.0\.1 port {sink.port}: another program listens"):
        MetricsSink(settings)
    fetch(sink.port)
    sink.close()
    with pytest.raises(urllib.error.URLError):
        fetch(settings.port)
    again = MetricsSink(settings)
    assert "emotiny_camera_up" in fetch(settings.port)
    again.close()


def test_a_silent_client_delays_others_only_until_its_time_is_over(sink, capfd, monkeypatch):
    monkeypatch.setattr(edge.output.prometheus.server._Handler, "timeout", 0.2)
    with (
        socket.create_connection(("127.0.0.1", sink.port)),
        socket.create_connection(("127.0.0.1", sink.port)) as half,
    ):
        half.sendall(b"GET /metrics HTTP/1.0\r\nX: half")
        assert "emotiny_camera_up" in fetch(sink.port)
        half.settimeout(LIMIT_S)
        assert half.recv(100) == b""
    assert sum(thread.name == "metrics" for thread in threading.enumerate()) == 1
    assert capfd.readouterr().err == ""


def test_a_client_that_trickles_delays_others_only_until_its_time_is_over(sink, monkeypatch):
    monkeypatch.setattr(edge.output.prometheus.server._Handler, "timeout", 0.5)
    done = threading.Event()

    def trickle():
        with socket.create_connection(("127.0.0.1", sink.port)) as slow, suppress(OSError):
            slow.sendall(b"GET / HTTP/1.0\r\nX: ")
            while not done.wait(0.05):
                slow.sendall(b"x")

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        assert "emotiny_camera_up" in fetch(sink.port)
    finally:
        done.set()
        thread.join(LIMIT_S)


def test_an_accept_header_that_nobody_can_parse_counts_as_none(sink, capfd):
    address = f"http://127.0.0.1:{sink.port}/metrics"
    accept = {"Accept": "application/openmetrics-text; version=abc"}
    with urllib.request.urlopen(urllib.request.Request(address, headers=accept), timeout=LIMIT_S) as answer:
        assert "emotiny_camera_up" in answer.read().decode()
    assert capfd.readouterr().err == ""


def test_closing_does_not_wait_for_a_silent_client(monkeypatch):
    # Waiting for the client would take longer than the test allows.
    monkeypatch.setattr(edge.output.prometheus.server._Handler, "timeout", LIMIT_S)
    sink = MetricsSink(MetricsSettings())
    thread = next(each for each in threading.enumerate() if each.name == "metrics")
    with socket.create_connection(("127.0.0.1", sink.port)) as silent:
        silent.sendall(b"GET")
        began_s = time.monotonic()
        sink.close()
        assert time.monotonic() - began_s < LIMIT_S / 2
        MetricsServer(MetricsSettings(sink.port), lambda environ, start: []).close()
    thread.join(LIMIT_S)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00", b"POST / HTTP/1.0\r\n\r\n", b"\r\n", b"A" * 70_000]
)
def test_a_request_that_is_not_http(sink, sent, capfd):
    with socket.create_connection(("127.0.0.1", sink.port)) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        client.settimeout(LIMIT_S)
        try:
            while client.recv(4096):
                pass
        except ConnectionResetError:
            pass
    assert "emotiny_camera_up" in fetch(sink.port)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"port": -1}, "metrics port -1: must be 0"),
        ({"port": 65536}, "metrics port 65536: must be 0"),
        ({"address": "localhost"}, "metrics address 'localhost': expected an address of this device"),
        ({"address": ""}, "metrics address ''"),
    ],
)
def test_settings_that_are_refused(more, text):
    with pytest.raises(ConfigError) as caught:
        MetricsSettings(**more)
    assert text in str(caught.value)


def test_an_address_that_is_not_this_machine_s():
    # An address that is reserved for documentation. Not a ConfigError: DHCP may assign it later.
    with pytest.raises(OutputError, match=r"metrics 192\.0\.2\.1 port 9: .*address of this device"):
        MetricsSink(MetricsSettings(9, "192.0.2.1"))


def test_a_port_that_only_root_may_use(without_rights, options):
    done = without_rights(
        "-m", "edge", "run", "--source", "demo", "--metrics-port", "80", "--max-frames", "1", *options
    )
    if "80: another program" in done.stderr or done.returncode == 0:
        pytest.skip("on this machine every user may listen on port 80, or a program does")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith(
        "metrics 127.0.0.1 port 80: only root may listen there; expected metrics.port from 1024 on"
    )


@pytest.mark.parametrize("address", ["localhost", "::1%\udcff", "::1%é"])
def test_an_address_that_no_system_takes_is_refused(address):
    with pytest.raises(ConfigError, match=r"metrics address .*: expected an address of this device"):
        MetricsSettings(address=address)


def test_a_port_that_the_unit_forbids(monkeypatch):
    """The kernel refuses with EPERM for SocketBindDeny=, in place of EACCES for a port of root."""

    def refuse(server):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(socketserver.TCPServer, "server_bind", refuse)
    with pytest.raises(ConfigError) as caught:
        check_port(MetricsSettings(9137))
    assert str(caught.value) == (
        "metrics 127.0.0.1 port 9137: the unit forbids it; fix: `sudo systemctl edit emotiny`, enter "
        "[Service] and SocketBindAllow=tcp:9137 on the next line, and restart the service"
    )
