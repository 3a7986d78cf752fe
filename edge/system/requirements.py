"""The packages that this one requires, as it was installed or as its source tree says.

Read with the standard library alone, since any of those packages may be missing.
"""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import operator
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# The folder of the source tree, or the folder that the package was installed to.
ROOT = Path(__file__).parents[2]
_DISTRIBUTION = "emotiny"

_OPERATORS = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def requirement(name: str, extra: str = "", root: Path = ROOT) -> str | None:
    """Returns what pip must be asked for, such as "numpy<2,>=1.24".

    Args:
        name: The name of a package.
        extra: The extra that requires it; empty for what every installation requires.
        root: The folder that the package lies in.

    Returns:
        The requirement that applies to this Python on this machine; None if none does, or none is known.
    """
    for line in _lines(root, extra):
        wanted, _, marker = line.partition(";")
        if _package(wanted) == _package(name) and _applies(marker.strip(), extra):
            return wanted.strip()
    return None


def _lines(root: Path, extra: str) -> Iterator[str]:
    """Yields the requirements, each with its marker.

    A source tree comes first: the metadata that lies in its environment may be of another version.
    """
    parser = configparser.ConfigParser(interpolation=None)
    if parser.read(root / "setup.cfg"):
        section, option = ("options.extras_require", extra) if extra else ("options", "install_requires")
        yield from parser.get(section, option, fallback="").splitlines()
        return
    try:
        yield from importlib.metadata.requires(_DISTRIBUTION) or ()
    except importlib.metadata.PackageNotFoundError:
        return


def _package(wanted: str) -> str:
    """Returns the normalized name of the package in a requirement (PEP 503)."""
    name = re.match(r"[\w.-]*", wanted.strip())
    return re.sub(r"[-_.]+", "-", name.group() if name else "").lower()


def _applies(marker: str, extra: str) -> bool:
    """Returns whether an environment marker (PEP 508) holds for this Python, this machine and an extra."""
    values = {
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "platform_machine": platform.machine(),
        "sys_platform": sys.platform,
        "extra": extra,
    }
    return not marker or _evaluate(ast.parse(marker, mode="eval").body, values)


def _evaluate(node: ast.expr, values: dict[str, str]) -> bool:
    # A marker is an expression of Python's grammar, too.
    if isinstance(node, ast.BoolOp):
        combine = all if isinstance(node.op, ast.And) else any
        return combine(_evaluate(each, values) for each in node.values)
    if isinstance(node, ast.Compare) and isinstance(node.left, ast.Name):
        (right,) = node.comparators
        left = values[node.left.id]
        wanted = str(ast.literal_eval(right))
        compare = _OPERATORS[type(node.ops[0])]
        if node.left.id == "python_version":
            return bool(compare(_version(left), _version(wanted)))
        return bool(compare(left, wanted))
    raise ValueError(f"marker {ast.dump(node)}: expected comparisons of a variable with a text")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
