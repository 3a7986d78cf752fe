"""Options derived from the fields of a settings class."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from edge.option import option
from edge.settings.option import Option
from edge.settings.options import groups_of, options_of, sections_of


@dataclass(frozen=True)
class Group:
    size_wh: tuple[int, int] | None = field(
        default=None, metadata=option("size in pixels", "--size", name="size", default="any")
    )
    side: Literal[1, 2] = field(default=1, metadata=option("which side", "--side"))
    secret: str = field(default="", metadata=option("a secret", secret=True))


@dataclass(frozen=True)
class Example:
    name: str = field(default="x", metadata=option("a name", "--name"))
    group: Group = field(default_factory=Group, metadata=option("a group"))
    path: Path | None = field(default=None, metadata=option("a file", "--path"))
    on: bool = field(default=False, metadata=option("a switch", "--on"))
    share: float = field(default=0.5, metadata=option("a share", "--share"))


def test_each_field_is_an_option_and_those_outside_of_groups_come_first():
    assert options_of(Example) == (
        Option("name", "name", "text", "a name", "--name"),
        Option("path", "path", "file", "a file", "--path"),
        Option("on", "on", "switch", "a switch", "--on"),
        Option("share", "share", "number", "a share", "--share"),
        Option("group.size", "size_wh", "size", "size in pixels", "--size", default="any"),
        Option("group.side", "side", "integer", "which side", "--side", choices=("1", "2")),
        Option("group.secret", "secret", "text", "a secret", secret=True),
    )


def test_a_group_is_a_section():
    assert groups_of(Example) == {"group": Group}
    assert sections_of(Example) == {"": "", "group": "a group"}


def test_a_field_that_no_option_can_hold_is_refused():
    @dataclass
    class Wrong:
        items: list[str] = field(default_factory=list, metadata=option("a list", "--items"))

    with pytest.raises(TypeError, match=r"list\[str\]: expected str, float, int, bool, Path or a Literal"):
        options_of(Wrong)
