"""An option: one setting's names on the command line, in a file and in the environment, and its parser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

VARIABLE_PREFIX = "EMOTINY_"
# Printed in place of a secret value.
HIDDEN = "********"

Kind = Literal["text", "number", "integer", "switch", "file", "size"]


@dataclass(frozen=True)
class Option:
    """One setting.

    Attributes:
        key: Name in a settings file: "section.name" or, outside of all sections, "name".
        field: Name of the field in its settings class.
        kind: Kind of its value.
        text: Meaning, with unit and range.
        flag: Flag on the command line; empty for none.
        choices: Texts of all allowed values; empty if they cannot be listed.
        default: Description of the default; empty if the default itself is shown.
        secret: Whether the value must never be printed.
    """

    key: str
    field: str
    kind: Kind
    text: str
    flag: str = ""
    choices: tuple[str, ...] = ()
    default: str = ""
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return VARIABLE_PREFIX + self.key.replace(".", "_").upper()

    @property
    def section(self) -> str:
        """The section of a settings file that it belongs to; empty outside of all sections."""
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Its name within the section."""
        return self.key.rpartition(".")[2]

    @property
    def metavar(self) -> str:
        """The placeholder of its value in the command line's help."""
        if self.choices:
            return f"{{{','.join(self.choices)}}}"
        return {"text": self.name.upper(), "file": "FILE", "size": "WxH"}.get(self.kind, "N")

    def parse(self, text: str) -> Any:
        """Returns the value written in a flag's argument, an environment variable or a credential.

        Raises:
            ValueError: the text is not such a value. The message quotes the text, unless the option is
                secret, and names what was expected.
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

    def convert(self, value: Any) -> Any:
        """Returns the setting's value for a value read from a TOML file.

        Numbers and switches must be TOML numbers and booleans. All else must be a TOML string, which is
        parsed as a flag's argument is.

        Raises:
            ValueError: the value is of another type or not allowed. The message quotes the value, unless the
                option is secret, and names what was expected.
        """
        types = _TOML_TYPES.get(self.kind, (str,))
        # A bool is an int to Python, but not to the writer of a file.
        if not isinstance(value, types) or (isinstance(value, bool) and self.kind != "switch"):
            shown = HIDDEN if self.secret else repr(value)
            raise ValueError(f"{shown}: expected {_EXPECTED[self.kind]}")
        return value if self.kind == "switch" else self.parse(str(value))


def parse_size(text: str) -> tuple[int, int]:
    """Returns width and height in pixels from text such as "640x480".

    Raises:
        ValueError: the text is not a size.
    """
    width, _, height = text.partition("x")
    try:
        return int(width), int(height)
    except ValueError:
        raise ValueError(f"{text!r}: expected WIDTHxHEIGHT, such as 640x480") from None


def _parse_text(text: str) -> str:
    if "\0" in text:
        raise ValueError(f"{text!r}: expected no NUL character")
    return text


def _parse_file(text: str) -> Path:
    # Path("") is the current folder, which nobody means by an empty text.
    if not text:
        raise ValueError("an empty text: expected a file's name")
    return Path(_parse_text(text))


def _parse_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r}: expected a number") from None


def _parse_integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r}: expected a whole number") from None


def _parse_switch(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError(f"{text!r}: expected true or false")


_PARSERS: dict[Kind, Callable[[str], Any]] = {
    "text": _parse_text,
    "number": _parse_number,
    "integer": _parse_integer,
    "switch": _parse_switch,
    "file": _parse_file,
    "size": parse_size,
}
# A file's values of the other kinds are strings.
_TOML_TYPES: dict[Kind, tuple[type, ...]] = {"number": (int, float), "integer": (int,), "switch": (bool,)}
_EXPECTED: dict[Kind, str] = {
    "text": "a text in quotes",
    "number": "a number",
    "integer": "a whole number",
    "switch": "true or false",
    "file": "a file's name in quotes",
    "size": 'a size in quotes, such as "640x480"',
}
