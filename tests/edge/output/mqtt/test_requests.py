"""Questions of `check` and `forget` to servers that do not answer them."""

import select

import pytest

from edge.errors import EdgeError, OutputError
from edge.output.mqtt.forget import forget
from edge.output.mqtt.probe import probe
from edge.output.mqtt.settings import MqttSettings
from tests.support.scripted_server import acknowledge


def ask(command, port, timeout_s=10.0):
    """Runs what `check` or `forget` does with a broker; returns its lines and the error that ended it."""
    settings = MqttSettings(host="127.0.0.1", port=port, device="kitchen", version="3.1.1")
    lines: list[str] = []
    try:
        lines.extend([probe(settings, timeout_s)] if command == "check" else forget(settings, timeout_s))
    except EdgeError as error:
        return lines, error
    return lines, None


def test_a_broker_that_closes_on_a_forbidden_message_has_not_accepted_it(server):
    broker = server(acknowledge(0))
    lines, error = ask("check", broker.port)
    assert isinstance(error, OutputError)
    assert (error.exit_code, lines) == (4, [])
    assert str(error) == (
        f"127.0.0.1:{broker.port}: connection lost (closed by the broker or the network); "
        "this followed a message on emotiny/kitchen/check; may this user write emotiny/kitchen/#?"
    )
    assert len(broker.accepted_s) == 1  # there is no second attempt


def test_topics_before_a_forbidden_one_are_forgotten(server):
    broker = server(acknowledge(1))
    lines, error = ask("forget", broker.port)
    assert lines == ["homeassistant/device/emotiny_kitchen/config: nothing is kept any more"]
    assert isinstance(error, OutputError)
    assert str(error).endswith("on emotiny/kitchen/status; may this user write emotiny/kitchen/#?")
    assert len(broker.accepted_s) == 1


@pytest.mark.parametrize("command", ["check", "forget"])
@pytest.mark.parametrize(
    ("script", "text"),
    [
        (lambda connection: select.select([], [], [], 1.5), "accepts the connection but does not answer"),
        (lambda connection: None, "closes the connection before it answers"),
        (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n" * 9), "is not MQTT"),
        (lambda connection: connection.sendall(b"\x20\xff\xff\xff\xff\xff\xff"), "is not MQTT"),
        (
            lambda connection: connection.sendall(b"\x20\xff\xff\xff\x7f\0"),
            "sends more than 8 MB at once",
        ),
    ],
)
def test_a_server_that_does_not_answer_is_explained_in_one_line_with_exit_code_4(
    server, command, script, text
):
    port = server(script).port
    lines, error = ask(command, port, timeout_s=0.5)
    assert lines == []
    assert (type(error), error.exit_code) == (OutputError, 4)
    assert str(error).startswith(f"127.0.0.1:{port}: ")
    assert text in str(error)
    assert "cannot be reached" not in str(error)
