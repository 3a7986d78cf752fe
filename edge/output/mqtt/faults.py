"""Explains what is wrong with a connection, and names the setting to look at."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from paho.mqtt.client import WebsocketConnectionError
from paho.mqtt.reasoncodes import ReasonCode

from edge.output.mqtt.settings import MqttSettings

# OpenSSL's numbers X509_V_ERR_*.
_NOT_YET_VALID, _EXPIRED, _OTHER_NAME, _OTHER_ADDRESS = 9, 10, 62, 64
_HINTS = {
    "Not authorized": "are mqtt.username and its password right, and may this device connect?",
    "Bad user name or password": "are mqtt.username and its password right?",
    "Unsupported protocol version": 'does mqtt.version = "3.1.1" help?',
    "Client identifier not valid": "does another mqtt.device help?",
    "Banned": "may this device connect?",
}
_LOGIN_REFUSED = ("Not authorized", "Bad user name or password")
NOT_MQTT = "what it sends is not MQTT; is mqtt.port the broker's, and does mqtt.transport fit?"
TOO_LARGE_HINT = "does the broker limit the size of packets (Mosquitto: max_packet_size)?"
NO_ANSWER = "accepts the connection but does not answer; is it an MQTT broker?"


class TooMuchReceivedError(Exception):
    """A broker sends what there is no memory for; the message is one line for the user."""


@dataclass(frozen=True)
class Fault:
    """The reason why there is no connection.

    Attributes:
        text: One line for the user.
        refused: Whether the broker was reached but refuses this device.
        taken_over: Whether another client of the same name took over the connection.
        packet_too_large: Whether the broker refused the size of a packet.
        unexplained: Whether the broker or the network ended an accepted connection without a reason. Some
            brokers do so when another client of the same name connects, or when a packet is too large.
        unacknowledged: Whether the broker answers, but acknowledges nothing.
        remedied: Whether the next connection avoids what ended this one.
        repeated_hint: A question that helps if the fault occurs again and again; may be empty.
    """

    text: str
    refused: bool = False
    taken_over: bool = False
    packet_too_large: bool = False
    unexplained: bool = False
    unacknowledged: bool = False
    remedied: bool = False
    repeated_hint: str = ""


def connect_failure(error: Exception, settings: MqttSettings) -> Fault:
    """Explains an exception that was raised while connecting.

    Args:
        error: Exception of the operating system, of TLS or of paho.
        settings: Settings of the connection.
    """
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if isinstance(error, ssl.SSLCertVerificationError):
        text = _untrusted_certificate(error)
    elif isinstance(error, ssl.SSLError) or (settings.tls and isinstance(error, ConnectionResetError)):
        reason = (getattr(error, "reason", None) or reason).replace("_", " ").lower()
        text = f"no encrypted connection ({reason}); do mqtt.tls and mqtt.port fit the broker?"
    elif isinstance(error, socket.gaierror):
        text = f"its name is not known ({reason}); is mqtt.host right, and is there a network?"
    elif isinstance(error, WebsocketConnectionError):
        text = f"no websockets ({reason}); do mqtt.transport and mqtt.port fit the broker?"
    elif isinstance(error, OSError):
        text = (
            f"cannot be reached ({reason}); is it running, is mqtt.port right, "
            "and does a firewall let it be reached?"
        )
    else:  # a server that speaks another protocol makes paho's parsers raise almost anything
        text = NOT_MQTT
    return Fault(text)


def unreadable(error: Exception) -> Fault:
    """Explains an exception that paho raised while it read."""
    return Fault(str(error) if isinstance(error, TooMuchReceivedError) else NOT_MQTT)


def refusal(reason: ReasonCode, settings: MqttSettings) -> Fault:
    """Explains why the broker refused the connection.

    Args:
        reason: Reason that the broker gave.
        settings: Settings of the connection.
    """
    hint = _HINTS.get(str(reason), "")
    has_password = settings.password or settings.password_file
    if str(reason) in _LOGIN_REFUSED and settings.username and not has_password:
        # `check` run by another user cannot read the service's password, and connects without one.
        hint = (
            "mqtt.username is set without a password; "
            "only root and the service can read the one next to the settings"
        )
    return Fault(f"refuses: {reason}" + (f"; {hint}" if hint else ""), refused=True)


def closed_before_answer(paho_error: str, settings: MqttSettings) -> Fault:
    """Explains a connection that ended before the broker accepted or refused it.

    Args:
        paho_error: The last error that paho logged; may be empty.
        settings: Settings of the connection.
    """
    if "certificate" in paho_error.lower():
        text = paho_error.partition(": ")[2]
        return Fault(f"refuses: {text}; are mqtt.certificate and mqtt.key what it wants?", refused=True)
    hint = "does it want mqtt.certificate and mqtt.key" if settings.tls else "does it want mqtt.tls"
    return Fault(f"closes the connection before it answers; is it an MQTT broker, and {hint}?")


def disconnection(
    reason: ReasonCode | None, paho_error: str, settings: MqttSettings, *, was_connected: bool
) -> Fault:
    """Explains the end of a connection.

    Args:
        reason: Reason from paho or the broker, if there is one.
        paho_error: The last error that paho logged, which is often more exact than `reason`; may be empty.
        settings: Settings of the connection.
        was_connected: Whether the broker had accepted the connection.
    """
    if was_connected:
        return _loss(reason, paho_error, settings)
    if str(reason) == "Keep alive timeout":
        return Fault(NO_ANSWER)
    if str(reason) == "Protocol error":
        return Fault(NOT_MQTT)
    return closed_before_answer(paho_error, settings)


def describe_rejected(reason: ReasonCode, topic: str, settings: MqttSettings) -> str:
    """Explains why the broker rejected a message on a topic."""
    return (
        f"{reason} on {topic}; "
        f"let this user write {_topic_filter(topic, settings)} in the broker's access list"
    )


def describe_unacknowledged(topic: str, settings: MqttSettings) -> str:
    """Explains a connection that the broker closed instead of acknowledging a message.

    Some brokers do so when the access list forbids the message.
    """
    return f"this followed a message on {topic}; may this user write {_topic_filter(topic, settings)}?"


def too_large(topic: str, size_bytes: int) -> Fault:
    """Explains connections that ended right after a large packet, which is not sent again.

    Args:
        topic: Topic of the message.
        size_bytes: Size of the whole packet.
    """
    return Fault(
        f"connection lost right after a message of {size_bytes} bytes on {topic}; {TOO_LARGE_HINT[:-1]}, "
        "or may this user not write there?",
        remedied=True,
    )


def unacknowledged(what: str, limit_s: float) -> Fault:
    """Explains a connection that was given up because the broker did not acknowledge something.

    Args:
        what: What was not acknowledged.
        limit_s: Seconds that the broker had.
    """
    return Fault(
        f"does not acknowledge {what} within {limit_s:g} s; is it overloaded, or does its storage hang?",
        unacknowledged=True,
    )


def _loss(reason: ReasonCode | None, paho_error: str, settings: MqttSettings) -> Fault:
    name = str(reason) if reason is not None else "closed"
    if name == "Session taken over":
        return Fault(
            f"another client of the name {settings.client_id} took over the connection; is there a second "
            f"device called {settings.device}? Each needs an mqtt.device of its own",
            taken_over=True,
        )
    if name == "Keep alive timeout":
        return Fault(f"connection lost (nothing heard for {settings.keepalive_s} s or more)")
    if name == "Unspecified error":
        # Not every broker tells that another client took over: Mosquitto 2.0.11 just closes.
        text = paho_error.partition(": ")[2] or "closed by the broker or the network"
        hint = f"is there a second device called {settings.device}?"
        return Fault(f"connection lost ({text})", unexplained=True, repeated_hint=hint)
    if name == "Packet too large":
        return Fault(f"connection lost ({name})", packet_too_large=True)
    return Fault(f"connection lost ({name})")


def _topic_filter(topic: str, settings: MqttSettings) -> str:
    """Returns what an access list must allow: all of the device's topics, or a topic outside of them."""
    return settings.topic("#") if topic.startswith(settings.topic("")) else topic


def _untrusted_certificate(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in {_OTHER_NAME, _OTHER_ADDRESS}:
        hint = "is mqtt.host a name that is in the broker's certificate?"
    elif error.verify_code == _EXPIRED:
        hint = "the broker needs a new one, unless this device's clock is wrong"
    elif error.verify_code == _NOT_YET_VALID:
        hint = "is this device's clock right?"
    else:
        hint = "is mqtt.ca the authority that signed it?"
    return f"its certificate is not trusted ({error.verify_message.rstrip('.')}); {hint}"
