"""What went wrong with a connection, in words that name the setting to look at."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from paho.mqtt.client import WebsocketConnectionError
from paho.mqtt.reasoncodes import ReasonCode

from edge.output.mqtt.settings import MqttSettings

# Numbers of OpenSSL, X509_V_ERR_*.
_NOT_YET_VALID, _EXPIRED, _OTHER_NAME, _OTHER_ADDRESS = 9, 10, 62, 64
_TAKEN_OVER = "Session taken over"
_HINTS = {
    "Not authorized": "are mqtt.username and its password right, and may this device connect?",
    "Bad user name or password": "are mqtt.username and its password right?",
    "Unsupported protocol version": 'does mqtt.version = "3.1.1" help?',
    "Client identifier not valid": "does another mqtt.device help?",
    "Banned": "may this device connect?",
}
_LOGIN = ("Not authorized", "Bad user name or password")
NOT_MQTT = "what it sends is not MQTT; is mqtt.port the broker's, and does mqtt.transport fit?"
SILENT = "takes the connection and says nothing; is it an MQTT broker?"


@dataclass(frozen=True)
class Fault:
    """Why there is no connection.

    Attributes:
        text: for people; one line.
        refused: whether the broker is there and does not want this device.
        rival: whether another client of this name took its place.
        again: what to look at where it happens again and again; a question, or empty.
    """

    text: str
    refused: bool = False
    rival: bool = False
    again: str = ""


def unreachable(error: Exception, settings: MqttSettings) -> Fault:
    """Of an error that was raised while connecting.

    Args:
        error: of the system, of TLS, of paho, or of the settings.
        settings: the connection's.
    """
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if isinstance(error, ssl.SSLCertVerificationError):
        text = _untrusted(error)
    elif isinstance(error, ssl.SSLError) or (settings.tls and isinstance(error, ConnectionResetError)):
        reason = (getattr(error, "reason", None) or reason).replace("_", " ").lower()
        text = f"no encrypted connection ({reason}); do mqtt.tls and mqtt.port fit the broker?"
    elif isinstance(error, socket.gaierror):
        text = f"its name is not known ({reason}); is mqtt.host right, and is there a network?"
    elif isinstance(error, WebsocketConnectionError):
        text = f"no websockets ({reason}); do mqtt.transport and mqtt.port fit the broker?"
    elif isinstance(error, OSError):
        text = f"cannot be reached ({reason}); is it running, and does a firewall let it be reached?"
    else:  # what speaks something else makes paho's readers stumble in as many ways as they have lines
        text = NOT_MQTT
    return Fault(text)


def refusal(reason: ReasonCode, settings: MqttSettings) -> Fault:
    """Of a connection that the broker did not accept.

    Args:
        reason: as the broker told it.
        settings: the connection's.
    """
    hint = _HINTS.get(str(reason), "")
    if str(reason) in _LOGIN and settings.username and not (settings.password or settings.password_file):
        # Another user's `check` cannot read the service's, and goes on without.
        hint = (
            "mqtt.username comes without a password; root and the service alone read one beside the settings"
        )
    return Fault(f"refuses: {reason}" + (f"; {hint}" if hint else ""), refused=True)


def unanswered(heard: str, settings: MqttSettings) -> Fault:
    """Of a connection that ended before the broker accepted or refused it.

    Args:
        heard: the last error that paho noted, else empty.
        settings: the connection's.
    """
    if "certificate" in heard.lower():
        said = heard.partition(": ")[2]
        return Fault(f"refuses: {said}; are mqtt.certificate and mqtt.key what it wants?", refused=True)
    hint = "does it want mqtt.certificate and mqtt.key" if settings.tls else "does it want mqtt.tls"
    return Fault(f"closes the connection before it answers; is it an MQTT broker, and {hint}?")


def ended(reason: ReasonCode | None, heard: str, settings: MqttSettings, *, accepted: bool) -> Fault:
    """Of a connection that ended.

    Args:
        reason: as paho or the broker told it, None for none.
        heard: the last error that paho noted, else empty; tells more than paho's reason.
        settings: the connection's.
        accepted: whether the broker had accepted it.
    """
    if accepted:
        return loss(reason, heard, settings)
    if str(reason) == "Keep alive timeout":
        return Fault(SILENT)
    if str(reason) == "Protocol error":
        return Fault(NOT_MQTT)
    return unanswered(heard, settings)


def unpublished(reason: ReasonCode, topic: str, settings: MqttSettings) -> str:
    """Of a message that the broker did not take."""
    return f"{reason} on {topic}; let this user write {_whole(topic, settings)} in the broker's access list"


def unwritten(topic: str, settings: MqttSettings) -> str:
    """Of a message in place of whose answer the connection ended, as brokers do that forbid it."""
    return f"that came of a message on {topic}; may this user write {_whole(topic, settings)}?"


def loss(reason: ReasonCode | None, heard: str, settings: MqttSettings) -> Fault:
    """Of a connection that ended.

    Args:
        reason: as paho or the broker told it, None for none.
        heard: the last error that paho noted, else empty; tells more than paho's reason.
        settings: the connection's.
    """
    said = str(reason) if reason is not None else "closed"
    if said == _TAKEN_OVER:
        return Fault(
            f"another client of the name {settings.client_id} took over the connection; is there a second "
            f"device called {settings.device}? Each needs an mqtt.device of its own",
            rival=True,
        )
    if said == "Keep alive timeout":
        said = f"nothing heard for {settings.keepalive_s} s or more"
    elif said == "Unspecified error":
        # Not every broker says that another client took over: Mosquitto 2.0.11 just closes.
        said = heard.partition(": ")[2] or "closed by the broker or the network"
        return Fault(f"connection lost ({said})", again=f"is there a second device called {settings.device}?")
    return Fault(f"connection lost ({said})")


def _whole(topic: str, settings: MqttSettings) -> str:
    return settings.topic("#") if topic.startswith(settings.topic("")) else topic


def _untrusted(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in {_OTHER_NAME, _OTHER_ADDRESS}:
        hint = "is mqtt.host a name that is in the broker's certificate?"
    elif error.verify_code == _EXPIRED:
        hint = "the broker needs a new one, unless this device's clock is wrong"
    elif error.verify_code == _NOT_YET_VALID:
        hint = "is this device's clock right?"
    else:
        hint = "is mqtt.ca the authority that signed it?"
    return f"its certificate is not trusted ({error.verify_message.rstrip('.')}); {hint}"
