"""An error in our own callbacks must not look like a server that does not speak MQTT."""

import contextlib

import pytest

from edge.errors import OutputError
from edge.output.mqtt import faults
from edge.output.mqtt.callbacks import CallbackQueue
from edge.output.mqtt.outbox import Outbox
from edge.output.mqtt.requests import RequestClient
from edge.output.mqtt.session import Session
from edge.output.mqtt.settings import MqttSettings
from tests.support.scripted_server import accept, acknowledge

LIMIT_STEPS = 30  # of a second each, at most


def fail(*arguments, **options):
    raise ZeroDivisionError


def settings_of(server):
    return MqttSettings(host="127.0.0.1", port=server.port, device="kitchen", version="3.1.1")


def test_a_handler_is_called_with_paho_s_arguments_but_only_after_paho():
    callbacks = CallbackQueue()
    order: list[object] = []
    callback = callbacks.deferred(lambda *arguments: order.append(arguments))

    def read():
        callback("client", "user data", 1, "reason")
        order.append("paho returns")

    assert callbacks.call(read) is None
    assert order == ["paho returns", (1, "reason")]


def test_an_exception_of_paho_is_reported_after_what_was_received_before_it():
    callbacks = CallbackQueue()
    calls: list[object] = []
    callback = callbacks.deferred(calls.append)

    def read():
        callback("client", "user data", "received")
        raise IndexError

    assert isinstance(callbacks.call(read), IndexError)
    assert calls == ["received"]


def test_an_exception_of_a_handler_is_raised():
    callbacks = CallbackQueue()
    callback = callbacks.deferred(fail)
    with pytest.raises(ZeroDivisionError):
        callbacks.call(lambda: callback("client", "user data"))


def test_an_error_in_a_callback_of_a_session_is_raised(server, wake_fd):
    settings = settings_of(server(acknowledge(9, subscriptions=0x80)))
    session = Session(settings, Outbox(10), ["emotiny/kitchen/enabled/set"], on_refused=fail)
    session.connect()
    with contextlib.closing(session), pytest.raises(ZeroDivisionError):
        for _ in range(LIMIT_STEPS):
            session.step(wake_fd, fail)
    assert session.fault is None  # the server is not to blame


def test_an_error_in_a_callback_of_a_request_is_raised(server, monkeypatch):
    monkeypatch.setattr(faults, "disconnection", fail)
    client = RequestClient(settings_of(server(accept)), "check", 10.0)
    with client, pytest.raises(ZeroDivisionError):
        client.connect()
        client.publish("emotiny/kitchen/check")


def test_a_subscription_that_is_answered_with_nothing_is_not_mqtt(server):
    def script(connection):
        accept_v3(connection)
        packet = connection.recv(4096)
        connection.sendall(b"\x90\x02" + packet[2:4])

    def accept_v3(connection):
        connection.recv(4096)
        connection.sendall(b"\x20\x02\x00\x00")

    with RequestClient(settings_of(server(script)), "check", 10.0) as client:
        client.connect()
        with pytest.raises(OutputError, match="is not MQTT"):
            client.subscribe("emotiny/kitchen/status")
