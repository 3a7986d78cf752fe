"""Explains why this user may not open a device, and names the command that changes it."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from pathlib import Path


def may_open(node: Path) -> bool:
    """Returns whether this process may read and write a device node, by its mode and group."""
    return os.access(node, os.R_OK | os.W_OK, effective_ids=True)


def explain_denied(node: Path) -> str:
    """Returns why this user may not open a device that exists, with the fix.

    Args:
        node: The path of the device node. udev normally makes it readable and writable for a group.
    """
    status = node.stat()
    group, owner = _group(status.st_gid), user_name(status.st_uid)
    mode = f"{stat.filemode(status.st_mode)} {owner}:{group}"
    if not status.st_mode & stat.S_IRGRP or not status.st_mode & stat.S_IWGRP or status.st_gid == 0:
        subsystem = "dma_heap" if node.parent.name == "dma_heap" else "video4linux"
        return (
            f"its mode is {mode}, expected crw-rw---- root:video; fix: "
            f"`sudo udevadm trigger --subsystem-match={subsystem}`, in a container start it with "
            f"`--device {node} --group-add video`"
        )
    if status.st_gid in {os.getegid(), *os.getgroups()}:
        return (
            f"this user is in its group {group} ({mode}): a container or a unit's DeviceAllow= denies it; "
            f"fix: start the container with `--device {node}`"
        )
    if status.st_gid in os.getgrouplist(user_name(os.geteuid()), os.getegid()):
        return (
            f"this user joined its group {group} after the last login; fix: log in again, or `newgrp {group}`"
        )
    return f"only the group {group} may open it; fix: `sudo usermod -aG {group} $USER`, then log in again"


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:  # a group of a container, or of a domain that cannot be reached
        return str(number)


def user_name(number: int) -> str:
    """Returns the name of a user; the number if it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
