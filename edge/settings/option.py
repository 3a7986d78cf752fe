"""One setting: what it is called on the command line, in a file and in the environment; how it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

PREFIX = "EMOTINY_"
# Stands for the value of what is secret.
HIDDEN = "********"

Kind = Literal["text", "number", "integer", "switch", "file", "size"]


@dataclass(frozen=True)
class Option:
    """One setting.

    Attributes:
        key: in the file, "section.name" or, outside of all sections, "name".
        attribute: of `edge.settings.settings.Settings`, "group.name" or "name".
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
            ValueError: none; the message says what was expected, and the text unless that is secret.
        """
        try:
            value = _PARSERS[self.kind](text)
        except ValueError as error:
            if not self.secret:
                raise
            raise ValueError(f"{HIDDEN}: {str(error).rpartition(': ')[2]}") from None
        if self.choices and str(value) not in self.choices:
            raise ValueError(f"{text!r}: expected one of {', '.join(self.choices)}")
        return value

    def accept(self, value: Any) -> Any:
        """The value that a file's value means: numbers are numbers there, and all else is as in a flag.

        Raises:
            ValueError: none; the message says what was expected, and the value unless that is secret.
        """
        right: dict[Kind, tuple[type, ...]] = {"number": (int, float), "integer": (int,), "switch": (bool,)}
        kinds = right.get(self.kind, (str,))
        # A bool is an int to Python, and to nobody else.
        if not isinstance(value, kinds) or (isinstance(value, bool) and self.kind != "switch"):
            shown = HIDDEN if self.secret else repr(value)
            raise ValueError(f"{shown}: expected {_EXPECTED[self.kind]}")
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
