"""Every setting by name: its flag, its key in a file, its variable, what it means. Said once, here."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

PREFIX = "EMOTINY_"
# Read by others than the settings.
FOREIGN = {"EMOTINY_RUNTIME", "EMOTINY_DATA", "EMOTINY_INSTANCE"}

Kind = Literal["text", "number", "integer", "switch", "file", "size"]


@dataclass(frozen=True)
class Option:
    """One setting.

    Attributes:
        key: in the file, "section.name" or, outside of all sections, "name".
        attribute: of `edge.config.Settings`, "group.name" or "name".
        kind: of its value.
        text: what it means, with its unit.
        flag: on the command line; empty where it must not lie in a shell's history.
        choices: all values that it can have; empty for any.
        metavar: stands for the value in the help.
        secret: is never printed.
    """

    key: str
    attribute: str
    kind: Kind
    text: str
    flag: str
    choices: tuple[str, ...] = ()
    metavar: str = "N"
    secret: bool = False

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return PREFIX + self.key.replace(".", "_").upper()

    @property
    def section(self) -> str:
        """Of the file; empty outside of all sections."""
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Within its section."""
        return self.key.rpartition(".")[2]

    def parse(self, text: str) -> Any:
        """The value that a flag's or a variable's text means.

        Raises:
            ValueError: none; the message says what was expected.
        """
        value = _PARSERS[self.kind](text)
        if self.choices and str(value) not in self.choices:
            raise ValueError(f"{text!r}: expected one of {', '.join(self.choices)}")
        return value

    def accept(self, value: Any) -> Any:
        """The value that a file's value means: numbers are numbers there, and all else is as in a flag.

        Raises:
            ValueError: none; the message says what was expected.
        """
        right: dict[Kind, tuple[type, ...]] = {"number": (int, float), "integer": (int,), "switch": (bool,)}
        kinds = right.get(self.kind, (str,))
        # A bool is an int to Python, and to nobody else.
        if not isinstance(value, kinds) or (isinstance(value, bool) and self.kind != "switch"):
            raise ValueError(f"{value!r}: expected {_EXPECTED[self.kind]}")
        return value if self.kind == "switch" else self.parse(str(value))


def size(text: str) -> tuple[int, int]:
    """Width and height from text such as 640x480.

    Raises:
        ValueError: it is none.
    """
    width, _, height = text.partition("x")
    try:
        return int(width), int(height)
    except ValueError:
        raise ValueError(f"{text!r}: expected WIDTHxHEIGHT, such as 640x480") from None


def size_argument(text: str) -> tuple[int, int]:
    """`size` for argparse."""
    try:
        return size(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _plain(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"{text!r}: expected no NUL character")
    return text


def _file(text: str) -> Path:
    if not text:
        raise ValueError("an empty text: expected a file's name")
    return Path(_plain(text))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r}: expected a number") from None


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r}: expected a whole number") from None


def _switch(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError(f"{text!r}: expected true or false")


_PARSERS: dict[Kind, Callable[[str], Any]] = {
    "text": _plain,
    "number": _number,
    "integer": _integer,
    "switch": _switch,
    "file": _file,
    "size": size,
}
_EXPECTED: dict[Kind, str] = {
    "text": "a text in quotes",
    "number": "a number",
    "integer": "a whole number",
    "switch": "true or false",
    "file": "a file's name in quotes",
    "size": 'a size in quotes, such as "640x480"',
}

OPTIONS: tuple[Option, ...] = (
    Option(
        "source",
        "source",
        "text",
        "auto (a camera if one answers, else the demo, which --patient never plays), demo, 0 or "
        "/dev/video0, picamera2://0, csi://0, gst://PIPELINE, rtsp://..., a video or a folder of pictures",
        "--source",
        metavar="SOURCE",
    ),
    Option(
        "output",
        "output",
        "text",
        "what standard output shows: a view for people or a line of JSON per frame",
        "--output",
        ("console", "jsonl"),
    ),
    Option(
        "annotate",
        "annotate",
        "file",
        "draw on the frames into a new .mp4 or .avi, the last into a .png",
        "--annotate",
        metavar="FILE",
    ),
    Option("max_frames", "max_frames", "integer", "stop after N processed frames", "--max-frames"),
    Option(
        "patient",
        "patient",
        "switch",
        "try a camera that is absent, or goes, again for ever; for services",
        "--patient",
    ),
    Option("fast", "fast", "switch", "play a recording as fast as it goes, not as it was recorded", "--fast"),
    Option(
        "log_level",
        "log_level",
        "text",
        "the least severe message that is logged",
        "--log-level",
        ("debug", "info", "warning", "error"),
    ),
    Option(
        "picture.size",
        "picture.size_wh",
        "size",
        "picture size before rotation (what the source has)",
        "--size",
        metavar="WxH",
    ),
    Option(
        "picture.rotate",
        "picture.rotate",
        "integer",
        "degrees clockwise",
        "--rotate",
        ("0", "90", "180", "270"),
    ),
    Option("picture.mirror", "picture.mirror", "switch", "exchange left and right", "--mirror"),
    Option(
        "picture.frozen_s",
        "picture.frozen_s",
        "number",
        "seconds of one and the same picture after which a patient run opens its camera anew, 0 for never",
        "--frozen",
    ),
    Option(
        "models.emotion",
        "emotion_model",
        "file",
        ".tflite or .json (the one installed)",
        "--emotion-model",
        metavar="FILE",
    ),
    Option(
        "models.gender",
        "gender_model",
        "file",
        ".tflite or .json (the one installed)",
        "--gender-model",
        metavar="FILE",
    ),
    Option("models.threads", "threads", "integer", "processor threads of each network", "--threads"),
    Option(
        "detector.cascade",
        "cascade",
        "file",
        "Haar cascade (OpenCV's frontal face)",
        "--cascade",
        metavar="FILE",
    ),
    Option(
        "detector.side",
        "detector.side",
        "integer",
        "longer side in pixels of the reduced copy that is searched",
        "--detect-side",
    ),
    Option(
        "detector.scale_factor",
        "detector.scale_factor",
        "number",
        "between two sizes of faces",
        "--detect-scale",
    ),
    Option(
        "detector.min_neighbors",
        "detector.min_neighbors",
        "integer",
        "hits that make a face",
        "--detect-neighbors",
    ),
    Option(
        "detector.min_face",
        "detector.min_face",
        "number",
        "smallest face, as a share of the picture's height",
        "--min-face",
    ),
    Option(
        "detector.threads",
        "detect_threads",
        "integer",
        "processor threads (4 where there are as many cores, else 1)",
        "--detect-threads",
    ),
    Option(
        "follow.search_s",
        "follow.search_s",
        "number",
        "seconds between searches of the whole picture while faces are followed",
        "--search",
    ),
    Option(
        "follow.idle_s",
        "follow.idle_s",
        "number",
        "the same while nobody is there and nothing moves",
        "--idle",
    ),
    Option(
        "follow.alert_s",
        "follow.alert_s",
        "number",
        "the same while nobody is there and something moves, or a face was lost",
        "--alert",
    ),
    Option(
        "follow.look_s",
        "follow.look_s",
        "number",
        "seconds between looks of the cascade at a face that is followed",
        "--look",
    ),
    Option("follow.looks", "follow.looks", "integer", "such looks in a frame at most", "--looks"),
    Option(
        "follow.alike",
        "follow.alike",
        "number",
        "least correlation with what a face looked like, 0 to 1",
        "--alike",
    ),
    Option(
        "follow.hold_s",
        "follow.hold_s",
        "number",
        "seconds for which a face that is not seen is reported on",
        "--hold",
    ),
    Option(
        "follow.return_s",
        "follow.return_s",
        "number",
        "seconds within which a face that went comes back under its number",
        "--return",
    ),
    Option(
        "follow.blind_s",
        "follow.blind_s",
        "number",
        "seconds for which a face is followed without the cascade finding it",
        "--blind",
    ),
    Option("read.read_s", "read.read_s", "number", "seconds between readings of a face", "--read"),
    Option("read.reads", "read.reads", "integer", "faces read in a frame at most", "--reads"),
    Option(
        "labels.settle_s",
        "steady.settle_s",
        "number",
        "seconds in which an old expression loses two thirds of its say",
        "--settle",
    ),
    Option(
        "labels.margin",
        "steady.margin",
        "number",
        "by which another label must lead before it is said, 0 to 1",
        "--margin",
    ),
    Option(
        "labels.sure_emotion",
        "steady.sure_emotion",
        "number",
        "least score of an emotion that is said, 0 to 1",
        "--sure-emotion",
    ),
    Option(
        "labels.sure_gender",
        "steady.sure_gender",
        "number",
        "least score of an apparent gender that is said, 0 to 1",
        "--sure-gender",
    ),
    Option(
        "labels.memory",
        "steady.memory",
        "integer",
        "readings of apparent gender that count",
        "--memory",
    ),
    Option(
        "budget.max_fps",
        "budget.max_fps",
        "number",
        "frames processed a second at most, 0 for no limit",
        "--max-fps",
    ),
    Option(
        "budget.cpu_share",
        "budget.cpu_share",
        "number",
        "cores' worth of processor time at most, such as 0.5; 0 for no limit",
        "--cpu-share",
    ),
    Option(
        "budget.hot_c",
        "budget.hot_c",
        "number",
        "degrees Celsius from which on the loop works less",
        "--hot",
    ),
    Option(
        "mqtt.host",
        "mqtt.host",
        "text",
        "the broker's name or address; without one nothing is sent",
        "--mqtt-host",
        metavar="HOST",
    ),
    Option(
        "mqtt.port",
        "mqtt.port",
        "integer",
        "0 for 1883, or 8883 with TLS",
        "--mqtt-port",
    ),
    Option(
        "mqtt.device",
        "mqtt.device",
        "text",
        "what this device is called, in topics too (the machine's name)",
        "--mqtt-device",
        metavar="NAME",
    ),
    Option(
        "mqtt.base",
        "mqtt.base",
        "text",
        "first part of all topics",
        "--mqtt-base",
        metavar="NAME",
    ),
    Option(
        "mqtt.username",
        "mqtt.username",
        "text",
        "for the broker",
        "--mqtt-username",
        metavar="NAME",
    ),
    Option(
        "mqtt.password",
        "mqtt.password",
        "text",
        "for the broker; better in password_file or as a systemd credential mqtt_password",
        "",
        secret=True,
    ),
    Option(
        "mqtt.password_file",
        "mqtt.password_file",
        "file",
        "a file whose first line is the password",
        "--mqtt-password-file",
        metavar="FILE",
    ),
    Option(
        "mqtt.tls",
        "mqtt.tls",
        "switch",
        "encrypt, and check the broker's certificate",
        "--mqtt-tls",
    ),
    Option(
        "mqtt.ca",
        "mqtt.ca",
        "file",
        "PEM file of authorities to trust instead of the system's",
        "--mqtt-ca",
        metavar="FILE",
    ),
    Option(
        "mqtt.certificate",
        "mqtt.certificate",
        "file",
        "PEM file by which the broker knows this device",
        "--mqtt-certificate",
        metavar="FILE",
    ),
    Option(
        "mqtt.key",
        "mqtt.key",
        "file",
        "PEM file of its key",
        "--mqtt-key",
        metavar="FILE",
    ),
    Option(
        "mqtt.version",
        "mqtt.version",
        "text",
        "of the protocol",
        "--mqtt-version",
        ("5", "3.1.1"),
    ),
    Option(
        "mqtt.transport",
        "mqtt.transport",
        "text",
        "of the connection",
        "--mqtt-transport",
        ("tcp", "websockets"),
    ),
    Option(
        "mqtt.discovery",
        "mqtt.discovery",
        "text",
        "first part of Home Assistant's discovery topics; empty announces nothing",
        "--mqtt-discovery",
        metavar="NAME",
    ),
    Option(
        "mqtt.keepalive_s",
        "mqtt.keepalive_s",
        "integer",
        "seconds of silence after which the other side is taken for gone",
        "--mqtt-keepalive",
    ),
    Option(
        "mqtt.heartbeat_s",
        "mqtt.heartbeat_s",
        "number",
        "seconds after which a state is repeated that does not change",
        "--mqtt-heartbeat",
    ),
    Option(
        "mqtt.interval_s",
        "mqtt.interval_s",
        "number",
        "seconds between two messages of one kind at least",
        "--mqtt-interval",
    ),
    Option(
        "mqtt.queue",
        "mqtt.queue",
        "integer",
        "messages that wait while the broker is away",
        "--mqtt-queue",
    ),
    Option(
        "metrics.port",
        "metrics.port",
        "integer",
        "where Prometheus may ask, at /metrics; 0 opens no port",
        "--metrics-port",
    ),
    Option(
        "metrics.address",
        "metrics.address",
        "text",
        "of this device, to listen on; 0.0.0.0 for whoever can reach it",
        "--metrics-address",
        metavar="ADDRESS",
    ),
)
SECTIONS = {
    "": "",
    "picture": "how pictures are wanted",
    "models": "the networks",
    "detector": "how faces are looked for",
    "follow": "how they are followed",
    "read": "how often they are read",
    "labels": "how readings become labels",
    "budget": "how much the loop may work",
    "mqtt": "reports to a broker",
    "metrics": "figures for Prometheus",
}
