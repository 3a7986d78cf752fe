"""Metadata for fields of settings classes: a setting's meaning, its flag, its name in a file.

`edge.settings.options` derives flags, file keys, variables and help texts from them.
"""

from __future__ import annotations

from dataclasses import dataclass

METADATA_KEY = "option"


@dataclass(frozen=True)
class OptionMetadata:
    """What a user must know of a setting, apart from its type and default.

    Attributes:
        text: Meaning of the setting, with unit and range; for a group of settings, its title.
        flag: Flag on the command line. Empty for none, as for what a shell's history must not hold.
        name: Name in a settings file; empty for the name of the field.
        default: Description of the default, if the value itself would not mean anything to a user.
        secret: Whether the value must never be printed.
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
