"""Writes a recipe as TOML, with a comment on each key: the file that a recipe of one's own starts from."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from train.recipes.face_recipe import AnyRecipe, FaceRecipe
from train.recipes.recipe import Recipe
from train.recipes.recipe_file import NETWORKS

_WIDTH = 100
_HEAD = (
    "A recipe: everything that decides the result of a training. `python -m train fit FILE.toml` trains it. "
    "Keys that are left out have their defaults; `false` stands for none."
)
_NETWORK = (
    "the kind of network: sepnet (small, the kind that is shipped), residual (a teacher), published (one of "
    "those of `python -m train recipes`), or proposal (finds faces in pictures of any size)."
)
_ENTRY = re.compile(r"    (\w+): (.*)")


def recipe_toml(recipe: AnyRecipe, name: str) -> str:
    """Returns a recipe as a TOML file under another name."""
    lines = [*_comment(_HEAD), "", *_comment(_first_paragraph(type(recipe)))]
    lines += _table(recipe, "", {"name": name})
    return "\n".join(lines) + "\n"


def _table(values: Any, path: str, changed: dict[str, Any]) -> Iterator[str]:
    """Yields the lines of a dataclass: plain keys first, since a table's head ends them."""
    texts = _descriptions(type(values))
    own = {field.name: changed.get(field.name, getattr(values, field.name)) for field in fields(values)}
    for key, value in own.items():
        if not _is_table(value):
            yield ""
            yield from _comment(texts.get(key, _text_of_shared_key(key)))
            yield f"{key} = {_toml(value)}"
    for key, value in own.items():
        below = f"{path}.{key}" if path else key
        if is_dataclass(value):
            yield ""
            yield from _comment(f"{key}: {texts.get(key, _text_of_shared_key(key))}")
            yield f"[{below}]"
            if key == "spec":
                yield from _comment(_NETWORK)
                kinds = {kind: network for network, kind in NETWORKS.items()}
                yield f"network = {_toml(kinds[type(value)])}"
            yield from _table(value, below, {})
        elif _is_table(value):
            for index, each in enumerate(value):
                yield ""
                if not index:
                    yield from _comment(f"{key}: {texts[key]} A table [[{below}]] for each, in order.")
                yield f"[[{below}]]"
                described = _descriptions(type(each)) if not index else {}
                for field in fields(each):
                    yield from _comment(described.get(field.name, ""))
                    yield f"{field.name} = {_toml(getattr(each, field.name))}"


def _is_table(value: Any) -> bool:
    return is_dataclass(value) or (isinstance(value, tuple) and bool(value) and is_dataclass(value[0]))


def _toml(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)  # of a text or a number, TOML's own form


def _descriptions(kind: type[Any]) -> dict[str, str]:
    """Returns what a dataclass's docstring says of each attribute."""
    _, _, block = (inspect.getdoc(kind) or "").partition("\nAttributes:\n")
    texts: dict[str, str] = {}
    name = ""
    for line in block.splitlines():
        if match := _ENTRY.fullmatch(line):
            name, text = match[1], match[2]
            texts[name] = text
        elif line.startswith("        "):
            texts[name] += f" {line.strip()}"
        else:
            break
    return texts


def _text_of_shared_key(key: str) -> str:
    """Returns what `Recipe` says of a key that `FaceRecipe` describes as the same."""
    return {**_descriptions(Recipe), **_descriptions(FaceRecipe)}.get(key, "")


def _first_paragraph(kind: type[Any]) -> str:
    return (inspect.getdoc(kind) or "").partition("\n\nAttributes:")[0]


def _comment(text: str) -> Iterator[str]:
    """Yields the lines of a comment; each paragraph is wrapped, and an indented one kept as it is."""
    for paragraph in text.split("\n\n") if text else ():
        lines = paragraph.splitlines()
        if not paragraph.startswith("    "):
            lines = textwrap.wrap(re.sub(r"\bNone\b", "false", " ".join(lines)), _WIDTH - 2)
        yield from (f"# {line}" for line in lines)
