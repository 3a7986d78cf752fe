"""Brokers, servers that are none, devices on them, and what these log."""

import contextlib
import logging
import os
import shutil
import subprocess

import pytest

from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.sink import MqttSink
from tests.support.broker import Broker, Listener, wait_until
from tests.support.certificates import make_certificates
from tests.support.proxy import Proxy
from tests.support.scripted_server import ScriptedServer
from tests.support.short_delays import ShortDelays


@pytest.fixture
def broker(tmp_path):
    broker = Broker(tmp_path)
    yield broker
    broker.kill()


@pytest.fixture
def listener(broker):
    listener = Listener(broker.port)
    yield listener
    listener.close()


@pytest.fixture
def sink_on():
    """Makes sinks called "kitchen" for a broker's port, and closes them; takes settings as keywords."""
    made = []

    def make(
        port, *, switch=lambda on: None, aiming=False, backoff=None, settings_class=MqttSettings, **more
    ):
        fields = {"host": "127.0.0.1", "port": port, "device": "kitchen", "interval_s": 0.0, **more}
        made.append(MqttSink(settings_class(**fields), switch, aiming=aiming, backoff=backoff))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


@pytest.fixture
def locked_with(tmp_path):
    """Starts brokers with an access list and two users, whose passwords are "secret of NAME"."""
    made = []

    def start(access):
        passwords = tmp_path / "passwords"
        passwords.touch()
        tool = shutil.which("mosquitto_passwd") or "mosquitto_passwd"
        for name in ("kitchen", "ear"):
            subprocess.run([tool, "-b", str(passwords), name, f"secret of {name}"], check=True)
        (tmp_path / "access").write_text(access)
        made.append(Broker(tmp_path, f"password_file {passwords}", f"acl_file {tmp_path / 'access'}"))
        return made[-1]

    yield start
    for broker in made:
        broker.kill()


@pytest.fixture
def locked(locked_with):
    """A broker where the user "kitchen" may publish what the device publishes, and no more."""
    return locked_with(
        "user ear\ntopic read #\n\n"
        "user kitchen\ntopic readwrite emotiny/kitchen/#\ntopic write homeassistant/device/#\n"
    )


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """A folder with the files that `make_certificates` writes."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl: apt-get install openssl")
    folder = tmp_path_factory.mktemp("tls")
    make_certificates(folder)
    return folder


@pytest.fixture
def encrypted_with(authority, tmp_path):
    """Starts brokers with a certificate, given by its name, and further lines of configuration."""
    made = []

    def start(name, *lines):
        files = (
            f"{key} {authority / file}"
            for key, file in (("cafile", "ca.crt"), ("certfile", f"{name}.crt"), ("keyfile", f"{name}.key"))
        )
        made.append(Broker(tmp_path, *files, *lines))
        return made[-1]

    yield start
    for broker in made:
        broker.kill()


@pytest.fixture
def encrypted(encrypted_with):
    """A broker that requires a certificate of the device."""
    return encrypted_with(
        "server", "require_certificate true", "use_identity_as_username true", "allow_anonymous true"
    )


@pytest.fixture
def proxy(broker):
    proxy = Proxy(broker.port)
    yield proxy
    proxy.close()


@pytest.fixture
def server():
    """Starts scripted servers, and closes them."""
    with contextlib.ExitStack() as stack:
        yield lambda script: stack.enter_context(contextlib.closing(ScriptedServer(script)))


@pytest.fixture
def wake_fd():
    """The eventfd with which a session is woken."""
    fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    yield fd
    os.close(fd)


@pytest.fixture
def backoff():
    return ShortDelays()


class Log:
    """What the MQTT code has logged."""

    def __init__(self, caplog):
        self._caplog = caplog

    def lines(self, level=logging.INFO):
        # A thread may log at this moment, therefore the copy.
        return [
            record.getMessage()
            for record in list(self._caplog.records)
            if record.levelno >= level and record.name.startswith("edge.output.mqtt")
        ]

    def wait(self, text):
        """Waits for a line that contains the text, and returns it."""
        return wait_until(lambda: [line for line in self.lines() if text in line])[0]

    def faults(self):
        return self.lines(logging.WARNING)


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO, "edge.output.mqtt")
    return Log(caplog)
