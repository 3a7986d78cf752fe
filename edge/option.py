"""What a user is told about a field of a settings class: its meaning, its flag, its name in a file.

It is written next to the field, and `edge.settings.options` makes flags, file keys, environment variables and
help texts of it.
"""

from __future__ import annotations

from dataclasses import dataclass

METADATA_KEY = "option"


@dataclass(frozen=True)
class OptionMetadata:
    """What the field itself does not say.

    Attributes:
        text: meaning of the setting, or of the group that the field holds, with unit and range.
        flag: on the command line; empty for none, where a value must not appear in a shell's history.
        name: in a settings file; empty for the field's name.
        default: description of the default, where its value would mean nothing to a user.
        secret: whether the value is never printed.
    """

    text: str
    flag: str = ""
    name: str = ""
    default: str = ""
    secret: bool = False


def option(
    text: str, flag: str = "", *, name: str = "", default: str = "", secret: bool = False
) -> dict[str, OptionMetadata]:
    """Returns the `metadata` of a dataclass field, described as in `OptionMetadata`."""
    return {METADATA_KEY: OptionMetadata(text, flag, name, default, secret)}
