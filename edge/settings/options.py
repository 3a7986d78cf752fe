"""The options of a settings class, derived from its fields: annotation, default and `edge.option.option`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from edge.option import METADATA_KEY, OptionMetadata
from edge.settings.option import Kind, Option

_KINDS: dict[type, Kind] = {str: "text", float: "number", int: "integer", bool: "switch", Path: "file"}


def groups_of(settings: type) -> dict[str, type]:
    """Returns {field: its class} for the fields of a settings class that hold another settings class."""
    hints = get_type_hints(settings)
    return {each.name: hints[each.name] for each in fields(settings) if is_dataclass(hints[each.name])}


def sections_of(settings: type) -> dict[str, str]:
    """Returns {section of a settings file: its meaning}; "" stands for settings outside of all sections."""
    groups = groups_of(settings)
    return {"": ""} | {each.name: _metadata(each).text for each in fields(settings) if each.name in groups}


def options_of(settings: type) -> tuple[Option, ...]:
    """Returns an option for each field, first those outside of all sections, then section by section.

    Raises:
        TypeError: no option can have values of a field's annotation.
        KeyError: a field's metadata is not made by `option`.
    """
    options = list(_options(settings, ""))
    for section, group in groups_of(settings).items():
        options += _options(group, section)
    return tuple(options)


def _options(settings: type, section: str) -> Iterator[Option]:
    hints = get_type_hints(settings)
    for each in fields(settings):
        if is_dataclass(hints[each.name]):
            continue
        metadata = _metadata(each)
        kind, choices = _kind(hints[each.name])
        yield Option(
            key=f"{section}.{metadata.name or each.name}".lstrip("."),
            field=each.name,
            kind=kind,
            text=metadata.text,
            flag=metadata.flag,
            choices=choices,
            default=metadata.default,
            secret=metadata.secret,
        )


def _metadata(each: Field[Any]) -> OptionMetadata:
    metadata: OptionMetadata = each.metadata[METADATA_KEY]
    return metadata


def _kind(annotation: Any) -> tuple[Kind, tuple[str, ...]]:
    """Returns the kind of value that an annotation allows and, for a Literal, the values themselves."""
    if get_args(annotation)[1:] == (type(None),):
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        values = get_args(annotation)
        return _KINDS[type(values[0])], tuple(map(str, values))
    if annotation == tuple[int, int]:
        return "size", ()
    if annotation not in _KINDS:
        raise TypeError(f"{annotation}: expected {', '.join(kind.__name__ for kind in _KINDS)} or a Literal")
    return _KINDS[annotation], ()
