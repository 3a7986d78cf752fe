"""The text of `--source`: what it names, and how it is shown without passwords."""

from __future__ import annotations

import re

from edge.errors import ConfigError

# Python refuses to parse a number of thousands of digits, and no camera has one of ten.
_MAX_DIGITS = 9
# An address's user and password, after what is left of its scheme.
_LOGIN = r"^((?:\w+:)?/*)[^@]*:.*@"
# A name such as user-pw, password or pwd, its equals sign, and its value, quoted or up to a space.
_PASSWORD_PROPERTY = r"((?:pw|pwd|passwd|password|passphrase|\bpass)\s*=\s*)(\"[^\"]*\"|'[^']*'|\S+)"


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

    These are the text before an @, also where the address has lost its slashes or its scheme, the query of an
    address, and a password's property in a pipeline or path.
    """
    source, is_address = re.subn(r"(:/+).*@", r"\1***@", source, flags=re.DOTALL)
    if not is_address:
        source = re.sub(_LOGIN, r"\1***@", source, flags=re.DOTALL)
    source = re.sub(r"(:/+[^\s?]*\?)\S+", r"\1***", source)
    return re.sub(_PASSWORD_PROPERTY, r"\1***", source, flags=re.IGNORECASE)
