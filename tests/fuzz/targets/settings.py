"""Settings: a TOML file, environment variables, options of the command line."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from edge.cli.parser import parser
from edge.errors import EdgeError
from edge.output.mqtt.client import make_client
from edge.output.mqtt.settings import MqttSettings
from edge.output.prometheus.server import check_port
from edge.output.prometheus.settings import MetricsSettings
from edge.pipeline.loop import Pipeline
from edge.settings.loader import collect, settings_of
from edge.settings.settings import OPTIONS, SECTIONS, Settings, build, values_of
from edge.settings.template import render_toml
from edge.sources.factory import check_source
from tests.fuzz.mutate import Kind
from tests.fuzz.target import Command, Target

_RUN_S = 10.0
_FRAMES = 2
_PLAIN = {"HOME": "/nowhere"}
_DEMO = ("--source", "demo", "--fast", "--max-frames", "2")

_VALUES = (
    *("demo", "auto", "0", "999999", "/dev/video9", "rtsp://me:secret@127.0.0.1:1/x", "http://127.0.0.1:1/"),
    *("gst://videotestsrc ! appsink", "csi://0", "picamera2://0", "nowhere.mp4", ".", "/", "//", "x" * 300),
    *("640x480", "16x16", "8192x16", "x", "0x0", "1e3", "true", "false", "nan", "-inf", "1e308", "-1", "0"),
    *("a.mp4", "a.png", "9100", "::1%x", "127.0.0.1"),
    *("\u0661", "\u2028", "\U0001f600", "\U000e0001", "%s", "{}", "\\u0000", "a\tb", "kitchen", "tcp", "5"),
)
_TOML_WORDS = (
    *(b"[[", b"]]", b"[", b"]", b"{", b"}", b'"""', b"'''", b"=", b".", b"#", b"\n", b"\r\n", b"\0", b"\\"),
    *(
        b"1979-05-27T07:32:00Z",
        b"07:32:00",
        b"0xffff_ffff",
        b"0b1",
        b"+1",
        b"1e400",
        b"nan",
        b"-nan",
        b"[1, 2]",
    ),
    *(b"0x" + b"f" * 5000, b"\xef\xbb\xbf", b"\xff", b"\xe2\x80\xa8", b"\\uD800", b"\\U00110000", b"\\udfff"),
)


def use(settings: Settings, folder: Path, *, runs: bool) -> None:
    """Does with settings what a run does at its beginning, and may run the demo with them.

    Args:
        settings: The settings.
        folder: Folder for the file that the run writes.
        runs: Whether to run the demo, which takes much longer than all else.

    Raises:
        EdgeError: A run could not begin with them.
    """
    "\n".join(render_toml(values_of(settings), {}))
    check_source(settings.source, settings.picture, reconnect=settings.reconnect)
    if settings.mqtt.host:
        make_client(settings.mqtt)
    if settings.metrics.port:
        check_port(replace(settings.metrics, port=0))
    if not runs:
        return
    # Without what opens a port or waits for a camera, or writes elsewhere.
    annotate = settings.annotate and folder / settings.annotate.name
    quiet = replace(settings, source="demo", fast=True, annotate=annotate)
    quiet = replace(quiet, mqtt=MqttSettings(device="fuzz"), metrics=MetricsSettings())
    try:
        with Pipeline.from_settings(quiet) as pipeline:
            pipeline.run(_Deadline(), _FRAMES)
    finally:
        if annotate:
            with suppress(OSError):
                annotate.unlink()


def _runs(content: bytes) -> bool:
    return zlib.crc32(content) % 4 == 0


class _Deadline:
    """Ends a run that its settings make slow."""

    def __init__(self) -> None:
        self._end_s = time.monotonic() + _RUN_S

    def is_set(self) -> bool:
        return time.monotonic() > self._end_s

    def wait(self, timeout: float) -> bool:
        time.sleep(min(timeout, 0.01))  # a governor's pause is no work
        return True


class Toml(Target):
    """A settings file."""

    kind: ClassVar[Kind] = "text"

    dictionary = (
        *_TOML_WORDS,
        *(section.encode() for section in SECTIONS if section),
        *(option.key.encode() for option in OPTIONS),
        *(option.name.encode() for option in OPTIONS),
        *(choice.encode() for option in OPTIONS for choice in option.choices),
        *(value.encode() for value in _VALUES),
    )

    def corpus(self) -> list[bytes]:
        template = "\n".join(render_toml(values_of(Settings(mqtt=MqttSettings(device="kitchen")))))
        lines = [line.lstrip("#") for line in template.split("\n") if not line.startswith("# ")]
        whole = "\n".join(line for line in lines if not line.rstrip().endswith("="))
        files = [
            *(whole, template, "", 'source = "demo"\n', '[mqtt]\nhost = "127.0.0.1"\nport = 1\n'),
            '[mqtt]\nhost = "h"\nusername = "u"\npassword = "p"\ntls = true\nversion = "3.1.1"\n',
            'source = "demo"\n[picture]\nsize = "320x240"\nrotate = 90\nmirror = true\n',
            '[models]\nemotion = "no.tflite"\nthreads = 2\n[detector]\nkind = "haar"\ncascade = "no.xml"\n',
        ]
        values = values_of(Settings())
        files += ["\n".join(_only(key, values)) for key in values if values[key] is not None]
        return [text.encode() for text in files]

    def try_input(self, content: bytes) -> bool:
        arguments = parser().parse_args(["run", "--config", str(self._write(content))])
        use(settings_of(arguments, _PLAIN), self.folder, runs=_runs(content))
        return True

    @contextmanager
    def command(self, content: bytes) -> Iterator[Command | None]:
        path = str(self._write(content))
        # One in four runs the loop; the others are quicker.
        if len(content) % 4:
            yield _config(["--config", path], _PLAIN)
        else:
            yield Command(["run", "--config", path, *_DEMO], _PLAIN, any_code=True)

    def _write(self, content: bytes) -> Path:
        path = self.folder / "config.toml"
        path.write_bytes(content)
        return path


def _only(key: str, values: Mapping[str, object]) -> list[str]:
    """Returns the lines of a file with one setting."""
    section, _, name = key.rpartition(".")
    lines = render_toml(values_of(Settings()) | {key: values[key]}, {key: "-"})
    found = next(line for line in lines if line.startswith(f"{name} =") and line.endswith("# -"))
    return [f"[{section}]" if section else "", found.removesuffix("  # -")]


class Environment(Target):
    """Variables `NAME=VALUE`, with NUL between them."""

    kind: ClassVar[Kind] = "text"

    dictionary = (
        *(option.variable.encode() + b"=" for option in OPTIONS),
        *(value.encode() for value in _VALUES),
        *(
            b"\0EMOTINY_CONFIG=",
            b"\0CREDENTIALS_DIRECTORY=",
            b"\0XDG_CONFIG_HOME=",
            b"\0HOME=",
            b"\0EMOTINY_",
        ),
        *(
            b"\xff",
            b"\0",
            b"=",
            b"\n",
            b"/" + b"x" * 300,
            b"/dev/full",
            b"/proc/self/mem",
            b"\xf0\x9f\x98\x80",
        ),
    )

    def corpus(self) -> list[bytes]:
        plain = [f"{each.variable}={'1' if each.kind == 'number' else 'true'}".encode() for each in OPTIONS]
        return [
            *plain,
            b"EMOTINY_SOURCE=demo\0EMOTINY_PICTURE_SIZE=320x240\0EMOTINY_FOLLOW_SEARCH=0.2",
            b"EMOTINY_MQTT_HOST=127.0.0.1\0EMOTINY_MQTT_USERNAME=u\0EMOTINY_MQTT_PASSWORD=p\0EMOTINY_MQTT_TLS=1",
            b"EMOTINY_MQTT_PASSWORD_FILE=/dev/null\0EMOTINY_MQTT_VERSION=3.1.1\0EMOTINY_LOG_LEVEL=debug",
            b"EMOTINY_CONFIG=/no/such.toml",
            b"CREDENTIALS_DIRECTORY=/tmp\0XDG_CONFIG_HOME=/tmp\0HOME=/",
            b"",
        ]

    def try_input(self, content: bytes) -> bool:
        use(settings_of(parser().parse_args(["run"]), _variables(content)), self.folder, runs=_runs(content))
        return True

    @contextmanager
    def command(self, content: bytes) -> Iterator[Command | None]:
        yield _config([], _variables(content))


def _variables(content: bytes) -> dict[str, str]:
    pairs = (entry.partition(b"=") for entry in content.split(b"\0"))
    named = {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs if name}
    # What a stranger cannot set is no input, and would lead elsewhere.
    allowed: Mapping[str, str] = {
        name: value
        for name, value in named.items()
        if name.startswith("EMOTINY_") or name in ("HOME", "XDG_CONFIG_HOME", "CREDENTIALS_DIRECTORY")
    }
    return _PLAIN | dict(allowed)


class CommandLine(Target):
    """Words of a command line, with NUL between them."""

    kind: ClassVar[Kind] = "text"

    dictionary = (
        *(option.flag.encode() + b"\0" for option in OPTIONS if option.flag),
        *(value.encode() for value in _VALUES),
        *(
            b"\0--no-mqtt-tls\0",
            b"\0--config\0",
            b"\0--",
            b"=",
            b"\0",
            b"\xff",
            b"--help",
            b"-h",
            b"--version",
        ),
        *(b"run", b"check", b"config", b"cameras", b"forget", b"bench", b"report", b"schema", b"\n"),
    )

    def corpus(self) -> list[bytes]:
        flags = [each for each in OPTIONS if each.flag]
        words = {"switch": "", "size": "\x00640x480", "integer": "\x001", "number": "\x001"}
        plain = [f"run\0{each.flag}{words.get(each.kind, chr(0) + 'demo')}".encode() for each in flags]
        return [
            *plain,
            b"run\0--source\0demo\0--size\x00320x240\0--rotate\x0090\0--threads\x002\0--output\0jsonl",
            b"config\0--mqtt-host\0127.0.0.1\0--mqtt-username\0u\0--mqtt-tls\0--mqtt-version\x003.1.1",
            b"bench\0--size\x00320x240\0--frames\x001\0--runs\x001",
            *(b"cameras", b"schema", b"report", b"forget", b"--version"),
        ]

    def try_input(self, content: bytes) -> bool:
        arguments = parser().parse_args(_words(content))
        if arguments.command in ("run", "check", "forget"):
            use(settings_of(arguments, _PLAIN), self.folder, runs=_runs(content))
        elif arguments.command == "config":
            collect(arguments, _PLAIN)
        return True

    @contextmanager
    def command(self, content: bytes) -> Iterator[Command | None]:
        words = _words(content)
        # Not those that write files where the words say, or that take a minute.
        writes = any(word.startswith(("--write", "--annotate")) for word in words)
        if writes or words[:1] not in (["run"], ["config"], ["schema"], ["cameras"]):
            yield None
        elif words[0] in ("run", "config"):
            yield _config(words[1:], _PLAIN)
        else:
            yield Command(words, _PLAIN)


def _config(words: Sequence[str], variables: dict[str, str]) -> Command:
    """Returns a command line of `config`, which reads and checks settings and uses none of them."""
    code = 0
    try:
        raw = collect(parser().parse_args(["config", *words]), variables)
        build(raw.values, raw.origins)
    except EdgeError as error:
        code = error.exit_code
    except SystemExit as ended:
        code = int(ended.code or 0)
    return Command(["config", *words], variables, code)


def _words(content: bytes) -> list[str]:
    return [os.fsdecode(word) for word in content.split(b"\0")]
