import pytest

from edge.diagnostics.check import try_broker
from edge.errors import ConfigError
from edge.output.mqtt.probe import probe
from edge.output.mqtt.settings import MqttSettings
from tests.support.broker import Broker, needs_mosquitto

pytestmark = [
    needs_mosquitto,
    # After a failed handshake paho leaves its socket to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]


def test_a_broker_that_accepts_messages(broker):
    found = probe(MqttSettings(host="127.0.0.1", port=broker.port), 10)
    assert found == f"127.0.0.1:{broker.port}, MQTT 5: connects, and takes messages"


@pytest.mark.parametrize(
    ("limit", "more"), [(1000, " of at most 1000 bytes; emotiny may need 8192"), (8192, "")]
)
def test_a_broker_that_takes_small_messages_only(tmp_path, limit, more):
    broker = Broker(tmp_path, f"max_packet_size {limit}")
    found = probe(MqttSettings(host="127.0.0.1", port=broker.port), 10)
    assert found == f"127.0.0.1:{broker.port}, MQTT 5: connects, and takes messages{more}"
    broker.kill()


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"username": "kitchen", "password": "wrong"}, "refuses: Not authorized; are mqtt.username"),
        (
            {"username": "kitchen"},
            "refuses: Not authorized; mqtt.username is set without a password; only root and",
        ),
        ({}, "refuses: Not authorized; are mqtt.username and its password right"),
        (
            {"username": "kitchen", "password": "secret of kitchen", "device": "hall"},
            "Not authorized on emotiny/hall/check; let this user write emotiny/hall/#",
        ),
    ],
)
def test_a_refusal_is_explained(locked, more, text):
    with pytest.raises(ConfigError) as caught:
        probe(MqttSettings(**({"host": "127.0.0.1", "port": locked.port, "device": "kitchen"} | more)), 10)
    assert text in str(caught.value)


def test_a_certificate_that_is_not_trusted(encrypted, authority):
    other = MqttSettings(host="localhost", port=encrypted.port, tls=True, ca=authority / "other.crt")
    with pytest.raises(ConfigError, match="its certificate is not trusted"):
        probe(other, 10)


def test_a_name_that_is_not_known():
    with pytest.raises(ConfigError, match="its name is not known"):
        probe(MqttSettings(host="no-such-host.invalid"), 10)


def test_check_names_a_host_name_that_is_not_known():
    with pytest.raises(ConfigError, match=r"its name is not known .*; is mqtt\.host right\?"):
        try_broker(MqttSettings(host="no-such-host.invalid"))
