"""Certificates that are right, wrong, or missing, on either side."""

import subprocess
import threading
import time

import pytest

from edge.errors import ConfigError
from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.sink import MqttSink
from edge.types import Box
from tests.support.broker import Listener, needs_mosquitto, wait_until

pytestmark = [
    needs_mosquitto,
    # After a failed handshake paho leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]

NEAR = Box(100, 60, 80, 80)


def test_a_broker_and_a_device_with_certificates(encrypted, authority, sink_on, frame_and_report):
    own = {
        "ca_certs": str(authority / "ca.crt"),
        "certfile": str(authority / "device.crt"),
        "keyfile": str(authority / "device.key"),
    }
    listener = Listener(encrypted.port, tls=own)
    sink = sink_on(
        encrypted.port,
        host="localhost",
        tls=True,
        ca=authority / "ca.crt",
        certificate=authority / "device.crt",
        key=authority / "device.key",
    )
    listener.wait_topic("emotiny/kitchen/status", "online")
    sink.send(*frame_and_report(1, NEAR))
    listener.wait_topic("emotiny/kitchen/event")
    listener.close()


@pytest.mark.parametrize("command", ["ec", "pkey"])  # which write the old form and PKCS #8
def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(authority, tmp_path, command):
    plain, key = authority / "device.key", tmp_path / "encrypted.key"
    words = ["-in", plain, "-out", key, "-aes256", "-passout", "pass:secret"]
    subprocess.run(["openssl", command, *words], check=True, capture_output=True)
    settings = MqttSettings(host="localhost", tls=True, certificate=authority / "device.crt", key=key)
    with pytest.raises(ConfigError, match=rf"mqtt key {key}: it is encrypted.*`openssl pkey -in {key} -out"):
        MqttSink(settings)


def test_a_file_that_holds_no_certificate(tmp_path):
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("nothing")
    with pytest.raises(ConfigError, match="mqtt certificates"):
        MqttSink(MqttSettings(host="localhost", tls=True, ca=nonsense))


@pytest.mark.parametrize(
    ("certificate", "host", "ca", "text"),
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
    encrypted_with, authority, sink_on, log, backoff, certificate, host, ca, text
):
    broker = encrypted_with(certificate)
    sink_on(broker.port, host=host, tls=True, ca=authority / ca if ca else None, backoff=backoff)
    assert "its certificate is not trusted (" in log.wait(text)
    wait_until(lambda: len(backoff.delays_s) > 2)
    assert len(log.lines()) == 1


def test_a_broker_that_requires_a_certificate_of_the_device(encrypted, authority, sink_on, log, backoff):
    sink_on(encrypted.port, host="localhost", tls=True, ca=authority / "ca.crt", backoff=backoff)
    wait_until(lambda: len(backoff.delays_s) > 3)
    # TLS 1.3 reports it after the handshake, which may be before or after the connection is closed.
    assert 1 <= len(log.lines()) <= 2
    assert all("mqtt.certificate and mqtt.key" in line for line in log.lines())


def test_only_one_side_uses_tls(broker, encrypted_with, sink_on, log):
    sink_on(broker.port, tls=True)
    log.wait("no encrypted connection")
    broker.kill()
    sink_on(encrypted_with("server").port, device="hall")
    log.wait("does it want mqtt.tls?")
    assert len(log.lines()) == 2


def test_a_certificate_that_is_renewed_while_the_broker_is_away(
    encrypted, authority, sink_on, log, tmp_path, backoff
):
    for name in ("device.crt", "device.key"):
        (tmp_path / name).write_bytes((authority / name).read_bytes())
    own = {"certificate": tmp_path / "device.crt", "key": tmp_path / "device.key"}
    sink_on(encrypted.port, host="localhost", tls=True, ca=authority / "ca.crt", backoff=backoff, **own)
    log.wait("connected")
    (tmp_path / "device.crt").unlink()
    encrypted.kill()
    log.wait("mqtt certificates")
    encrypted.start()
    (tmp_path / "device.crt").write_bytes((authority / "device.crt").read_bytes())
    log.wait("connected again")


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_closing_does_not_wait_for_a_handshake(server, sink_on, log):
    ended = threading.Event()
    silent = server(lambda connection: ended.wait(20))
    sink = sink_on(silent.port, tls=True)
    wait_until(lambda: silent.accepted_s)
    begun_s = time.monotonic()
    sink.close()
    assert time.monotonic() - begun_s < 4.5  # paho itself waits for 5 s
    log.wait("an attempt to connect is still under way; it is abandoned")
    ended.set()
    # Its thread must not fail during another test.
    wait_until(lambda: not any(thread.name == "MQTT" for thread in threading.enumerate()))
