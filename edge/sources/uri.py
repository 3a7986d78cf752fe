"""The text of `--source`: what it names, and how it is shown without passwords."""

from __future__ import annotations

import re

from edge.errors import ConfigError

# Python refuses to parse a number of thousands of digits, and no camera has one of ten.
_MAX_DIGITS = 9


def v4l2_path(source: str) -> str | None:
    """Returns the path of the V4L2 device that the source names, or None if it names something else."""
    if _is_number(source):
        return f"/dev/video{int(source)}"
    return source if source.startswith(("/dev/video", "/dev/v4l/")) else None


def camera_number(scheme: str, text: str) -> int:
    """Parses the number after `scheme://`.

    Raises:
        ConfigError: the text is not a number.
    """
    if not _is_number(text):
        raise ConfigError(f"source {scheme}://{text}: expected a camera's number, as in {scheme}://0")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MAX_DIGITS


def redact(source: str) -> str:
    """Replaces what may be a password by `***`.

    These are the text before an @, the query of an address, and a password property in a pipeline.
    """
    source = re.sub(r"(:/+).*@", r"\1***@", source, flags=re.DOTALL)
    source = re.sub(r"(:/+[^\s?]*\?)\S+", r"\1***", source)
    return re.sub(r"((?:pw|password|passphrase)\s*=\s*)(\"[^\"]*\"|\S+)", r"\1***", source)
