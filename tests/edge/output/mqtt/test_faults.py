"""Everything that a broker and the way to it can do to a device, with a real Mosquitto."""

import contextlib
import dataclasses
import json
import logging
import os
import re
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from edge.errors import ConfigError, EdgeError, OutputError
from edge.output.mqtt.forget import forget
from edge.output.mqtt.probe import probe
from edge.output.mqtt.settings import MqttSettings
from edge.types import Box
from tests.support.broker import LIMIT_S, MOSQUITTO, Broker, Listener, free_port, kept_on, until
from tests.support.proxy import Proxy

pytestmark = [
    pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto: apt-get install mosquitto"),
    # Where a handshake fails paho leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]

NEAR = Box(100, 60, 80, 80)


class Log:
    """What a person would read in the journal."""

    def __init__(self, caplog):
        self._caplog = caplog

    def lines(self, level=logging.INFO):
        # A thread may be logging just now.
        return [
            record.getMessage()
            for record in list(self._caplog.records)
            if record.levelno >= level and record.name.startswith("edge.output.mqtt")
        ]

    def wait(self, text, limit_s=LIMIT_S):
        """Waits for a line."""
        return until(lambda: [line for line in self.lines() if text in line], limit_s)[0]

    def faults(self):
        return self.lines(logging.WARNING)


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, "edge.output.mqtt")
    return Log(caplog)


@pytest.fixture
def proxy(broker):
    proxy = Proxy(broker.port)
    yield proxy
    proxy.close()


@pytest.fixture
def server():
    """Starts servers that are none of MQTT, and counts who comes."""
    made = []

    def start(talk):
        listener = socket.create_server(("127.0.0.1", 0))
        came = []
        made.append(listener)

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                came.append(time.monotonic())
                with connection, contextlib.suppress(OSError):
                    talk(connection)

        threading.Thread(target=serve, daemon=True).start()
        return listener.getsockname()[1], came

    yield start
    for each in made:
        each.shutdown(socket.SHUT_RDWR)
        each.close()


@pytest.fixture
def hasty(monkeypatch):
    """Pauses of a quarter: half a second, one, two, and so on."""
    monkeypatch.setattr("edge.output.mqtt.backoff._JITTER", (0.25, 0.25))


def told(message):
    return json.loads(message.payload)


def test_a_broker_that_is_absent_at_start_is_found_later(tmp_path, sink_on, frame_and_report, log):
    port = free_port()
    sink = sink_on(port)
    sink.send(*frame_and_report(1, NEAR))
    log.wait("cannot be reached")
    time.sleep(4)  # a few attempts more
    broker = Broker(tmp_path, port=port)
    listener = Listener(port)
    listener.topic("emotiny/kitchen/status", "online")
    listener.topic("emotiny/kitchen/event")  # of before there was a broker
    log.wait("connected")
    assert [re.sub(r"\d+", "N", line) for line in log.lines()] == [
        "MQTT broker N.N.N.N:N: cannot be reached (Connection refused); is it running, and does a firewall "
        "let it be reached? Trying again",
        "MQTT broker N.N.N.N:N: connected again, after N s",
    ]
    listener.close()
    sink.close()
    broker.kill()


def test_the_broker_is_killed_and_comes_back(broker, sink_on, frame_and_report, log):
    sink = sink_on(broker.port, queue=50)
    first = Listener(broker.port)
    first.topic("emotiny/kitchen/status", "online")
    first.close()
    broker.kill()
    begun_s = time.monotonic()
    for number in range(400):
        # Boxes come and go, so that there is something to say each time.
        sink.send(*frame_and_report(number, *([NEAR] if number % 2 else [])))
    assert time.monotonic() - begun_s < 5  # nobody waited for the broker
    assert sink.dropped > 100
    log.wait("cannot be reached")
    broker.start()
    began_s = time.monotonic()
    again = Listener(broker.port)
    again.topic("emotiny/kitchen/status", "online")
    for name in ("camera", "state", "enabled/state"):
        again.topic(f"emotiny/kitchen/{name}")
    again.topic("homeassistant/device/emotiny_kitchen/config")
    print(f"back after {time.monotonic() - began_s:.1f} s, {sink.dropped} messages dropped")
    again.close()
    log.wait("connected again")
    assert [line.partition(": ")[2].partition(" (")[0] for line in log.lines()] == [
        "connected",
        "connection lost",
        "cannot be reached",
        log.lines()[-1].partition(": ")[2],
    ]


def test_a_wrong_password_is_said_once_and_never_printed(locked, sink_on, log):
    sink_on(locked.port, username="kitchen", password="wrong but private")
    log.wait("refuses")
    time.sleep(4)
    assert len(log.faults()) == 1
    assert "refuses: Not authorized; are mqtt.username and its password right" in log.faults()[0]
    assert "private" not in "".join(log.lines())


def test_a_topic_that_the_access_list_forbids_is_said_once(locked_with, sink_on, frame_and_report, log):
    broker = locked_with(
        "user kitchen\ntopic readwrite emotiny/kitchen/status\ntopic write emotiny/kitchen/camera\n"
    )
    sink = sink_on(broker.port, username="kitchen", password="secret of kitchen")
    log.wait("connected")
    for number in range(40):
        sink.send(*frame_and_report(number, *([NEAR] if number % 2 else [])))
        time.sleep(0.02)
    until(lambda: len(log.faults()) == 4)
    time.sleep(0.5)
    said = log.faults()
    for name in ("emotiny/kitchen/state", "emotiny/kitchen/event", "emotiny/kitchen/enabled/state"):
        assert (
            sum(
                f"Not authorized on {name}; let this user write emotiny/kitchen/# in the broker's access"
                in line
                for line in said
            )
            == 1
        )
    assert (
        sum("let this user write homeassistant/device/emotiny_kitchen/config in" in line for line in said)
        == 1
    )
    assert len(said) == 4
    assert sink.dropped > 0


def test_who_may_not_listen_cannot_be_switched_and_is_told(tmp_path, sink_on, log):
    found = list(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))
    if not found:
        pytest.skip("Mosquitto's plugin is not where Debian puts it")
    # An access list of its own forbids no subscription, and delivers nothing instead.
    allowed = {
        "publishClientSend": True,
        "publishClientReceive": True,
        "unsubscribe": True,
        "subscribe": False,
    }
    rules = {"defaultACLAccess": allowed, "clients": [], "groups": [], "roles": []}
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    broker = Broker(tmp_path, f"plugin {found[0]}", f"plugin_opt_config_file {tmp_path / 'rules.json'}")
    sink = sink_on(broker.port)
    log.wait(
        "Not authorized to listen to homeassistant/status; let this user read it in the broker's access list"
    )
    log.wait("Not authorized to listen to emotiny/kitchen/enabled/set")
    broker.kill()
    broker.start()
    log.wait("connected again")
    assert sum("to listen to" in line for line in log.lines()) == 2
    sink.close()
    broker.kill()


def test_two_devices_of_one_name_throw_each_other_out_ever_more_rarely(broker, sink_on, log, monkeypatch):
    monkeypatch.setattr("edge.output.mqtt.backoff._JITTER", (0.1, 0.1))
    sinks = [sink_on(broker.port)]
    log.wait("connected")
    sinks.append(sink_on(broker.port))
    # Mosquitto 2.0.11 closes without a reason, which may be anything the first time.
    log.wait("so further losses are not logged for now; is there a second device called kitchen?")
    until(lambda: len(log.faults()) == 2 * 3)
    before = log.lines()
    time.sleep(10)
    assert log.lines()[: len(before)] == before
    assert len(log.lines()) <= 2 * 6  # three connections and three losses of each


def test_a_rival_is_named_where_the_broker_tells_of_it(server, sink_on, log):
    def take_over(connection):
        accepts(connection)
        connection.sendall(b"\xe0\x02\x8e\x00")  # Session taken over
        while connection.recv(4096):
            pass

    port, came = server(take_over)
    sink_on(port)
    line = log.wait("took over")
    assert "another client of the name emotiny_kitchen took over the connection" in line
    assert "Each needs an mqtt.device of its own" in line
    time.sleep(6)
    assert len(came) == 1  # the next is after twenty seconds at least


def test_a_half_open_connection_is_noticed_and_left(broker, proxy, sink_on, frame_and_report, log):
    sink = sink_on(proxy.port, keepalive_s=5)
    listener = Listener(broker.port)
    listener.topic("emotiny/kitchen/status", "online")
    proxy.stall()
    begun_s, longest_s, number = time.monotonic(), 0.0, 0
    listener.forget()
    while not any("connected again" in line for line in log.lines()):
        number += 1
        before_s = time.monotonic()
        sink.send(*frame_and_report(number, *([NEAR] if number % 2 else [])))
        longest_s = max(longest_s, time.monotonic() - before_s)
        assert time.monotonic() < begun_s + LIMIT_S
        time.sleep(0.02)
    print(f"back after {time.monotonic() - begun_s:.1f} s; send took {1e3 * longest_s:.1f} ms at most")
    assert number > 100
    assert longest_s < 1  # it never waited for the network, which is silent for seconds
    listener.topic("emotiny/kitchen/status", "offline")  # the will
    listener.topic("emotiny/kitchen/status", "online")
    assert any("connection lost (nothing heard for 5 s or more)" in line for line in log.faults())
    sink.close()
    # What was on its way when all stood still is older than what is kept now, and came before it.
    assert json.loads(kept_on(broker.port)["emotiny/kitchen/state"].payload)["faces"] == 0
    listener.close()


def test_a_broker_that_stands_still_loses_no_event(broker, sink_on, frame_and_report, log):
    sink = sink_on(broker.port, keepalive_s=5)
    listener = Listener(broker.port, "emotiny/kitchen/event")
    log.wait("connected")
    os.kill(broker.pid, signal.SIGSTOP)
    try:
        for number in range(100):
            sink.send(*busy(number, *frame_and_report(number, NEAR)))
            time.sleep(0.01)
        log.wait("connection lost")
    finally:
        os.kill(broker.pid, signal.SIGCONT)
    log.wait("connected again")
    until(lambda: {told(m)["id"] for m in listener.heard} == set(range(100)))
    sink.close()
    listener.close()


def busy(number, frame, report):
    """Somebody new in every frame, which is an event each time."""
    faces = tuple(dataclasses.replace(face, id=number) for face in report.faces)
    return frame, dataclasses.replace(report, faces=faces)


def test_a_slow_path_makes_nobody_wait(broker, proxy, sink_on, frame_and_report):
    sink = sink_on(proxy.port, queue=20)
    listener = Listener(broker.port)
    listener.topic("emotiny/kitchen/status", "online")
    listener.topic("homeassistant/device/emotiny_kitchen/config")
    proxy.bytes_s = 500
    begun_s, unsent, longest_s = time.monotonic(), [], 0.0
    for number in range(600):
        before_s = time.monotonic()
        sink.send(*busy(number, *frame_and_report(number, NEAR)))
        longest_s = max(longest_s, time.monotonic() - before_s)
        unsent.append(sink.unsent)
        time.sleep(0.005)
    took_s = time.monotonic() - begun_s
    print(f"600 reports in {took_s:.1f} s, the longest {1e3 * longest_s:.1f} ms")
    print(f"{max(unsent)} waited, {sink.dropped} dropped")
    assert took_s < 15  # what was said of them takes the path many minutes
    assert 20 <= max(unsent) <= 20 + 7  # and the newest of each topic
    assert sink.dropped > 300
    proxy.bytes_s = None
    listener.forget()
    sink.send(*busy(9999, *frame_and_report(9999, NEAR)))
    listener.wait(lambda m: m.topic == "emotiny/kitchen/faces" and told(m)["frame"] == 9999)
    listener.close()


def test_a_slow_path_carries_what_is_new(broker, proxy, sink_on, frame_and_report):
    sink = sink_on(proxy.port)
    listener = Listener(broker.port)
    listener.topic("emotiny/kitchen/status", "online")
    listener.topic("homeassistant/device/emotiny_kitchen/config")
    proxy.bytes_s = 500
    for number in range(2000):
        sink.send(*frame_and_report(number, NEAR))
        time.sleep(0.001)  # for the thread to take each
    # With the system's own buffer all 2000 would lie there, and come minutes late.
    assert sink.dropped > 1500
    listener.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_of_ours_ends_the_run_instead_of_being_silent_for_ever(broker, sink_on, frame_and_report):
    def fail(on):
        raise ZeroDivisionError

    sink = sink_on(broker.port, switch=fail)
    listener = Listener(broker.port, "emotiny/kitchen/#")
    listener.topic("emotiny/kitchen/status", "online")
    sink.send(*frame_and_report(1, NEAR))
    listener.client.publish("emotiny/kitchen/enabled/set", b"OFF", 1)
    until(lambda: not sink._connection.is_alive)
    with pytest.raises(OutputError, match="its thread died; the traceback above says why"):
        sink.send(*frame_and_report(2, NEAR))
    listener.close()


def test_who_has_nothing_to_say_does_nothing(broker, sink_on, log):
    sink = sink_on(broker.port)
    log.wait("connected")
    time.sleep(0.5)
    begun_s, worked_s = time.monotonic(), time.process_time()
    time.sleep(2)
    assert time.process_time() - worked_s < (time.monotonic() - begun_s) / 4
    sink.close()


def test_a_name_that_is_not_known_at_first(broker, sink_on, log, monkeypatch):
    known = threading.Event()
    real = socket.getaddrinfo

    def resolve(host, *more):
        if host != "broker.test":
            return real(host, *more)
        return real("127.0.0.1" if known.is_set() else "no-such-host.invalid", *more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    sink = sink_on(broker.port, host="broker.test")
    line = log.wait("its name is not known")
    assert "is mqtt.host right, and is there a network?" in line
    time.sleep(3)
    assert len(log.lines()) == 1
    known.set()
    log.wait("connected again")
    sink.close()


OFFLINE = """
    import logging, subprocess, sys, tempfile, time
    from pathlib import Path
    from edge.output.mqtt.settings import MqttSettings
    from edge.output.mqtt.sink import MqttSink
    from tests.support.broker import Broker, Listener
    logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stdout)
    sink = MqttSink(MqttSettings(host="127.0.0.1", port=18883, device="kitchen"))
    time.sleep(4)
    print("up", flush=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    broker = Broker(Path(tempfile.mkdtemp()), port=18883)
    listener = Listener(18883)
    listener.topic("emotiny/kitchen/status", "online")
    listener.close()
    sink.close()
    broker.kill()
"""


def test_a_network_that_is_down_at_start():
    alone = ["unshare", "--net", "--map-root-user"]
    try:
        subprocess.run([*alone, "ip", "link"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network of its own can be made here: {error}")
    done = subprocess.run(
        [*alone, sys.executable, "-c", textwrap.dedent(OFFLINE)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "cannot be reached (Network is unreachable)" in lines[0]
    assert lines[1] == "up"
    assert "connected again, after" in lines[-1]
    assert len(lines) <= 4  # another reason may come between: the network is up, the broker not yet


@pytest.mark.parametrize(
    ("certificate", "host", "ca", "said"),
    [
        ("server", "localhost", "other.crt", "is mqtt.ca the authority that signed it?"),
        ("server", "localhost", None, "is mqtt.ca the authority that signed it?"),
        ("expired", "localhost", "ca.crt", "(certificate has expired); the broker needs a new one"),
        ("early", "localhost", "ca.crt", "(certificate is not yet valid); is this device's clock right?"),
        ("elsewhere", "localhost", "ca.crt", "is mqtt.host a name that is in the broker's certificate?"),
        ("elsewhere", "127.0.0.1", "ca.crt", "is mqtt.host a name that is in the broker's certificate?"),
    ],
)
def test_a_certificate_that_is_not_trusted(
    encrypted_with, authority, sink_on, log, hasty, certificate, host, ca, said
):
    broker = encrypted_with(certificate)
    sink_on(broker.port, host=host, tls=True, ca=authority / ca if ca else None)
    assert "its certificate is not trusted (" in log.wait(said)
    time.sleep(1)
    assert len(log.lines()) == 1


def test_a_broker_that_wants_a_certificate_of_the_device(encrypted, authority, sink_on, log, hasty):
    sink_on(encrypted.port, host="localhost", tls=True, ca=authority / "ca.crt")
    until(log.lines)
    time.sleep(1)
    # TLS 1.3 tells of it after the handshake, which may come before or after the connection is closed.
    assert 1 <= len(log.lines()) <= 2
    assert all("mqtt.certificate and mqtt.key" in line for line in log.lines())


def test_encrypted_where_the_broker_is_not_and_the_other_way_round(broker, encrypted_with, sink_on, log):
    sink_on(broker.port, tls=True)
    log.wait("no encrypted connection")
    broker.kill()
    sink_on(encrypted_with("server").port, device="hall")
    log.wait("does it want mqtt.tls?")
    assert len(log.lines()) == 2


def test_a_certificate_that_is_gone_later_is_no_end(encrypted, authority, sink_on, log, tmp_path):
    for name in ("device.crt", "device.key"):
        (tmp_path / name).write_bytes((authority / name).read_bytes())
    own = {"certificate": tmp_path / "device.crt", "key": tmp_path / "device.key"}
    sink_on(encrypted.port, host="localhost", tls=True, ca=authority / "ca.crt", **own)
    log.wait("connected")
    (tmp_path / "device.crt").unlink()
    encrypted.kill()
    log.wait("mqtt certificates")
    encrypted.start()
    (tmp_path / "device.crt").write_bytes((authority / "device.crt").read_bytes())
    log.wait("connected again")


def test_over_websockets_too(tmp_path, sink_on, frame_and_report, log):
    port = free_port()
    # Debian's Mosquitto ends where all of its listeners are of this kind.
    broker = Broker(tmp_path, f"listener {port} 127.0.0.1", "protocol websockets")
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        broker.kill()
        pytest.skip("this Mosquitto was built without websockets")
    sink = sink_on(port, transport="websockets")
    listener = Listener(broker.port)
    listener.topic("emotiny/kitchen/status", "online")
    sink.send(*frame_and_report(1, NEAR))
    listener.topic("emotiny/kitchen/event")
    listener.client.publish("emotiny/kitchen/enabled/set", b"OFF", 1)
    listener.topic("emotiny/kitchen/enabled/state", "OFF")
    listener.close()
    wrong = sink_on(broker.port, transport="websockets", device="hall")
    log.wait("do mqtt.transport and mqtt.port fit")
    wrong.close()
    broker.kill()
    log.wait("connection lost")
    broker.start()
    log.wait("connected again")
    sink.close()
    broker.kill()


def accepts(connection):
    connection.recv(4096)
    connection.sendall(b"\x20\x03\x00\x00\x00")


def accepts_and_babbles(connection):
    accepts(connection)
    connection.sendall(bytes(range(1, 256)) * 20)
    connection.recv(4096)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize(
    ("talk", "said"),
    [
        (lambda connection: None, "closes the connection before it answers"),
        (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 9), "is not MQTT"),
        (
            lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "closes the connection before it answers",
        ),
        (lambda connection: connection.sendall(b"\x20\xff\xff\xff\xff\xff\xff"), "is not MQTT"),
        (lambda connection: connection.sendall(b"\x20\x02\xff"), "closes the connection before it answers"),
        (lambda connection: connection.sendall(b"\x30\x04\x00\x02\xff\xfe" * 50), "is not MQTT"),
    ],
)
def test_a_server_that_speaks_something_else(server, sink_on, log, hasty, talk, said, version):
    port, came = server(talk)
    sink_on(port, version=version)
    until(log.lines)
    time.sleep(1.2)
    assert len(log.lines()) == 1
    assert said in log.lines()[0]
    assert 2 <= len(came) <= 3  # the first, then after 0.5 s, then after 1 s


@pytest.mark.parametrize("talk", [accepts, accepts_and_babbles])
def test_a_broker_that_accepts_and_leaves_is_told_of_three_times(server, sink_on, log, talk, monkeypatch):
    monkeypatch.setattr("edge.output.mqtt.backoff._JITTER", (0.02, 0.02))
    port, came = server(talk)
    sink_on(port)
    until(lambda: len(came) > 6)
    assert sum("connected" in line for line in log.lines()) == 3
    lost = [line for line in log.faults() if "connection lost" in line or "is not MQTT" in line]
    assert len(lost) == 3
    assert "it comes and goes, so further losses are not logged" in lost[-1]


def packet_of(connection):
    """The next packet, which is shorter than 128 bytes; none where the connection ended."""
    head = connection.recv(2)
    return head + connection.recv(head[1]) if len(head) == 2 else b""


def forbids(most):
    """A broker as some are: it accepts, answers so many messages and closes on the next one."""

    def talk(connection):
        packet_of(connection)
        connection.sendall(b"\x20\x02\x00\x00")
        taken = 0
        while packet := packet_of(connection):
            if packet[0] >> 4 == 8:  # SUBSCRIBE
                connection.sendall(b"\x90\x03" + packet[2:4] + b"\x01")
            elif packet[0] >> 4 == 3:  # PUBLISH
                if taken == most:
                    return
                taken += 1
                at = 4 + int.from_bytes(packet[2:4], "big")
                connection.sendall(b"\x40\x02" + packet[at : at + 2])

    return talk


def asked(way, port, limit_s=10.0):
    """What check and forget say of a broker until they are at their end, and how that ended."""
    settings = MqttSettings(host="127.0.0.1", port=port, device="kitchen", version="3.1.1")
    said: list[str] = []
    try:
        said.extend([probe(settings, limit_s)] if way == "check" else forget(settings, limit_s))
    except EdgeError as error:
        return said, error
    return said, None


def test_a_broker_that_closes_on_what_it_forbids_has_not_taken_it(server):
    port, came = server(forbids(0))
    said, error = asked("check", port)
    assert isinstance(error, OutputError)
    assert (error.exit_code, said) == (4, [])
    assert str(error) == (
        f"127.0.0.1:{port}: connection lost (closed by the broker or the network); this followed a message "
        "on emotiny/kitchen/check; may this user write emotiny/kitchen/#?"
    )
    assert len(came) == 1  # it is not begun anew


def test_a_broker_that_closes_on_what_it_forbids_has_forgotten_what_came_before(server):
    port, came = server(forbids(1))
    said, error = asked("forget", port)
    assert said == ["homeassistant/device/emotiny_kitchen/config: nothing is kept any more"]
    assert isinstance(error, OutputError)
    assert str(error).endswith("on emotiny/kitchen/status; may this user write emotiny/kitchen/#?")
    assert len(came) == 1


@pytest.mark.parametrize("way", ["check", "forget"])
@pytest.mark.parametrize(
    ("talk", "said"),
    [
        (lambda connection: select.select([], [], [], 1.5), "accepts the connection but does not answer"),
        (lambda connection: None, "closes the connection before it answers"),
        (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 9), "is not MQTT"),
        (lambda connection: connection.sendall(b"\x20\xff\xff\xff\xff\xff\xff"), "is not MQTT"),
    ],
)
def test_what_does_not_answer_is_said_in_one_line_and_is_exit_4(server, way, talk, said):
    port, _ = server(talk)
    lines, error = asked(way, port, limit_s=0.5)
    assert lines == []
    assert (type(error), error.exit_code) == (OutputError, 4)
    assert str(error).startswith(f"127.0.0.1:{port}: ")
    assert said in str(error)
    assert "cannot be reached" not in str(error)


def test_a_server_that_says_nothing(server, sink_on, log):
    ended = threading.Event()
    port, came = server(lambda connection: ended.wait(20))
    sink = sink_on(port, keepalive_s=5)
    log.wait("accepts the connection but does not answer; is it an MQTT broker?")
    assert len(came) == 1
    sink.close()
    ended.set()


def test_closing_does_not_wait_for_a_handshake(server, sink_on, log):
    ended = threading.Event()
    port, _ = server(lambda connection: ended.wait(20))
    sink = sink_on(port, tls=True)
    time.sleep(0.5)
    begun_s = time.monotonic()
    sink.close()
    assert time.monotonic() - begun_s < 4.5  # paho itself waits for 5 s
    log.wait("an attempt to connect is still under way; it is abandoned")
    ended.set()


def test_a_command_as_large_as_a_picture_does_not_come_here(broker, sink_on, log):
    asked: list[bool] = []
    sink_on(broker.port, switch=asked.append)
    listener = Listener(broker.port, "emotiny/kitchen/#")
    listener.topic("emotiny/kitchen/status", "online")
    listener.client.publish("emotiny/kitchen/enabled/set", b"x" * 20_000_000, 1).wait_for_publish(LIMIT_S)
    listener.client.publish("emotiny/kitchen/enabled/set", b"OFF", 1)
    listener.topic("emotiny/kitchen/enabled/state", "OFF")
    assert asked == [False]
    assert log.faults() == []
    listener.close()


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "a b", "é", "host/path", "tcp://host"])
def test_a_name_that_no_resolver_takes_is_refused(host):
    with pytest.raises(ConfigError, match="expected a name or an address"):
        MqttSettings(host=host)
