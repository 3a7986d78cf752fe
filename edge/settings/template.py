"""Settings as the text of a TOML file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edge.settings.options import OPTIONS, SECTIONS
from edge.sources.uri import redact


def render_toml(values: Mapping[str, Any], origins: Mapping[str, str] | None = None) -> Iterator[str]:
    """Lines of a file that gives these values.

    Args:
        values: {key: value}; what is None stands as a comment, and what is secret as stars.
        origins: {key: where the value is from}, told behind it; what is from nowhere is a default. None
            tells each setting's meaning instead, and comments all of them.
    """
    for section, meaning in SECTIONS.items():
        if section:
            yield ""
            yield f"[{section}]  # {meaning}"
        for option in (each for each in OPTIONS if each.section == section):
            value = "********" if option.secret and values[option.key] else values[option.key]
            if option.key == "source":
                value = redact(value)  # a camera's address may hold its password
            line = f"{option.name} = {_toml(value)}" if value is not None else f"{option.name} ="
            if origins is None:
                yield f"# {option.text}" + (f": {', '.join(option.choices)}" if option.choices else "")
                yield f"#{line}"
            else:
                yield (f"{line}  # " if value is not None else f"#{line} ") + origins.get(
                    option.key, "default"
                )


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f'"{value[0]}x{value[1]}"'
    if isinstance(value, int | float):
        return repr(value)
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(each if each.isprintable() else f"\\u{ord(each):04x}" for each in escaped) + '"'
