"""The pages of the documentation, and the code on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
]
TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
_FENCE = re.compile(r" *```(\w*)$")
# Python is a program and YAML is for Home Assistant; what a block without a language holds, its lines say.
_OTHER_LANGUAGES = ("python", "yaml")


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        page: Name of the page.
        line: Number of its first line.
        language: Language that a fence names; "" without one.
        lines: Its lines, without the indentation that all have.
    """

    page: str
    line: int
    language: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def commands_in(page: Path) -> list[str]:
    """Returns the code of a page, also in the text: one command each, without comments."""
    code = [span.replace("\n", " ") for span in re.findall(r"`([^`]+)`", TEXTS[page.name])]
    code += [line for block in blocks_of(page) for line in block.lines]
    return [_without_comment(part) for line in code for part in re.split(r"; | && | \| ", line)]


def blocks_of(page: Path) -> Iterator[Block]:
    """Yields the blocks of code of a page: fenced ones, and those that are indented by four spaces or more.

    An empty line ends an indented block.
    """
    lines = TEXTS[page.name].splitlines()
    number = 0
    while number < len(lines):
        first = number
        fence = _FENCE.match(lines[number])
        if fence:
            number = lines.index("```", first + 1)
            yield Block(page.name, first + 2, fence[1], tuple(lines[first + 1 : number]))
        elif lines[first].startswith("    ") and not (first and lines[first - 1].strip()):
            while number < len(lines) and lines[number].startswith("    "):
                number += 1
            yield Block(page.name, first + 1, "", _dedented(lines[first:number]))
            continue
        number += 1


def command_lines(block: Block) -> Iterator[str]:
    """Yields the lines of a block that is typed: continued ones as one, without comments."""
    if block.language in _OTHER_LANGUAGES:
        return
    for line in re.sub(r" *\\\n *", " ", block.text).splitlines():
        if command := _without_comment(line).strip():
            yield command


def _without_comment(line: str) -> str:
    return re.sub(r"(^|\s)#.*", "", line)


def _dedented(lines: list[str]) -> tuple[str, ...]:
    indent = min(len(line) - len(line.lstrip()) for line in lines)
    return tuple(line[indent:] for line in lines)
