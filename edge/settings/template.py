"""Settings as the text of a TOML file: those of a run with their origins, or a template to fill in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edge.settings.option import HIDDEN, Option
from edge.settings.settings import OPTIONS, SECTIONS
from edge.sources.uri import redact


def render_toml(values: Mapping[str, Any], origins: Mapping[str, str] | None = None) -> Iterator[str]:
    """Yields the lines of a settings file with these values.

    Secrets are replaced by stars, and so is the password in a camera's address. A value of None becomes a
    comment, as TOML has no null.

    Args:
        values: {key: value} of all settings.
        origins: {key: where the value comes from}, written behind the value; a key that is missing has its
            default. None for a template: every value is a comment below its meaning.
    """
    for section, meaning in SECTIONS.items():
        if section:
            yield ""
            yield f"[{section}]  # {meaning}"
        for option in (each for each in OPTIONS if each.section == section):
            value = values[option.key]
            line = f"{option.name} =" + (f" {_toml(_shown(option, value))}" if value is not None else "")
            if origins is None:
                yield f"# {_meaning(option)}"
                yield f"#{line}"
            else:
                origin = _printable(origins.get(option.key, "default"))
                yield f"{line}  # {origin}" if value is not None else f"#{line} {origin}"


def _shown(option: Option, value: Any) -> Any:
    if option.secret and value:
        return HIDDEN
    return redact(value) if option.key == "source" else value


def _meaning(option: Option) -> str:
    choices = f": {', '.join(option.choices)}" if option.choices else ""
    return option.text + choices + (f" (default: {option.default})" if option.default else "")


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f'"{value[0]}x{value[1]}"'
    if isinstance(value, int | float):
        return repr(value)
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_printable(escaped)}"'


def _printable(text: str) -> str:
    """Replaces by TOML's escapes what would end a line or could not be printed."""
    return "".join(each if each.isprintable() else _escape(ord(each)) for each in text)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
