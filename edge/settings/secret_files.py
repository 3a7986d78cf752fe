"""Warns of files with a password that other users can read, or that this one cannot."""

from __future__ import annotations

import logging
import os
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.settings.settings import OPTIONS
from edge.system.permissions import user_name

logger = logging.getLogger(__name__)

_PASSWORD_FILE = "mqtt.password_file"


def warn_of_readable_secrets(
    values: Mapping[str, Any], origins: Mapping[str, str], settings_path: Path | None, credentials: str | None
) -> None:
    """Logs a line for each file with a password that others than this user and root can read, with the fix.

    Args:
        values: {key: value} of what is set.
        origins: {key: where the value comes from}.
        settings_path: Settings file; None for no file.
        credentials: Folder in which systemd hands over secrets to the service alone; None without systemd.
    """
    files = {
        Path(origins[option.key]): option.key
        for option in OPTIONS
        if option.secret and values.get(option.key) and origins[option.key] != option.variable
    }
    if values.get(_PASSWORD_FILE):
        files[Path(values[_PASSWORD_FILE])] = _PASSWORD_FILE
    for path, key in files.items():
        # The access list of a credential shows as rights of its group.
        if credentials and path.is_relative_to(credentials):
            continue
        try:
            status = path.stat()
        except OSError:
            continue
        foreign = status.st_uid not in (0, os.geteuid())
        if not foreign and not status.st_mode & 0o077:
            continue
        if path == settings_path:
            fix = f"move it to {path.with_name(key.replace('.', '_'))}, and `chmod 600` that"
        elif key == _PASSWORD_FILE and credentials:
            fix = "leave mqtt.password_file out, and put the password into /etc/emotiny/mqtt_password"
        else:
            fix = _fix(path, status, keeps_owner=key != _PASSWORD_FILE)
        logger.warning(
            "%s: other users can read the password in it (%s %s); fix: %s",
            *(path, stat.filemode(status.st_mode), user_name(status.st_uid), fix),
        )


def warn_of_unreadable_secrets(folder: Path) -> None:
    """Logs a line for each secret next to the settings that this user has no right to read, with the fix.

    Args:
        folder: the settings' folder.
    """
    for option in OPTIONS:
        path = folder / option.key.replace(".", "_")
        if not option.secret:
            continue
        try:
            path.open("rb").close()
        except PermissionError:
            logger.warning(
                "%s: this user may not read it, so the broker gets no password; fix: run with sudo",
                path,
            )
        except OSError:
            continue


def _fix(path: Path, status: os.stat_result, *, keeps_owner: bool) -> str:
    name = shlex.quote(str(path))
    if status.st_uid == os.geteuid():
        return f"`chmod 600 {name}`"
    if status.st_uid == 0 and keeps_owner:
        return f"`sudo chmod 600 {name}`"
    return f"`sudo chown {user_name(os.geteuid())} {name} && sudo chmod 600 {name}`"
