"""Parses JSON and TOML that people write, within bounds that are checked before the parser sees the text.

Python's parsers are recursive and not made for hostile text: a thousand brackets raise RecursionError, and
tomllib takes a minute for one header of 50,000 parts.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from edge.files import read_regular

# No contract, result or settings file of ours has more than 8 levels.
MAX_DEPTH = 32

# Strings are skipped, as brackets in them mean nothing. One that does not end reaches to the end of the text:
# every character is looked at once.
_JSON_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)
_TOML_TOKENS = re.compile(
    r'"""(?:\\.|[^\\])*?(?:"{3,5}|\\?\Z)'
    r"|'''.*?(?:'{3,5}|\Z)"
    r'|"(?:[^"\\\n]|\\.)*"?'
    r"|'[^'\n]*'?"
    r"|\#[^\n]*"
    r"|[\[{]|[\]}]|\.|\n",
    re.DOTALL,
)


def read_text(path: Path, max_bytes: int) -> str:
    """Reads a UTF-8 text file within the bounds of `read_regular`.

    Raises:
        OSError: as there.
        ValueError: the file is not UTF-8.
    """
    content = read_regular(path, max_bytes)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ValueError("no UTF-8 text") from error


def read_secret(path: Path, max_bytes: int) -> str:
    """Returns the secret in the first line of a UTF-8 file, as Windows' editors write it, too.

    Returns:
        The first line without its end and without a byte order mark; empty if nothing is in the file.

    Raises:
        OSError: as `read_regular` does.
        ValueError: the file is not UTF-8, or its first line is empty and a later one is not.
    """
    # Only at these ends: str.splitlines would cut a password at any of ten characters.
    first, _, rest = read_text(path, max_bytes).removeprefix("\ufeff").partition("\n")
    first = first.removesuffix("\r")
    if first.strip():
        return first
    if rest.strip():
        raise ValueError("its first line is empty; expected the password there")
    return ""


def parse_json(text: str) -> Any:
    """Returns the value of a JSON text.

    Raises:
        ValueError: the text is not JSON, or has more than `MAX_DEPTH` levels.
    """
    depth = 0
    for token in _JSON_TOKENS.finditer(text):
        depth = _depth_after(token[0], depth)
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from error


def parse_toml(text: str) -> dict[str, Any]:
    """Returns the table of a TOML text.

    Raises:
        ValueError: the text is not TOML, or has more than `MAX_DEPTH` levels or, on one line, as many dots
            between the parts of keys.
    """
    # Imported here, as most runs have no file and need not wait for the parser.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    depth = parts = 0
    for match in _TOML_TOKENS.finditer(text):
        token = match[0]
        if token == "\n":
            parts = 0  # a key ends with its line
        elif token == ".":
            parts += 1
            if parts > MAX_DEPTH:
                raise ValueError(_too_deep())
        else:
            depth = _depth_after(token, depth)
    try:
        return tomllib.loads(text)
    except ValueError as error:  # also for more digits than Python reads
        raise ValueError(f"no TOML: {error}") from error


def _depth_after(token: str, depth: int) -> int:
    """Returns the number of open brackets after a token.

    Raises:
        ValueError: there are more than `MAX_DEPTH`.
    """
    if token in ("[", "{"):
        if depth == MAX_DEPTH:
            raise ValueError(_too_deep())
        return depth + 1
    return depth - 1 if token in ("]", "}") else depth


def _too_deep() -> str:
    return f"nested more than {MAX_DEPTH} levels deep"
