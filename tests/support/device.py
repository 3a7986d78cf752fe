"""A copy of this system that an installer can change."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


def _name_opencv_as_the_device_does(packages: Path) -> None:
    """The desktop has opencv-python alone; a device requires the package of its files without windows."""
    for path in packages.glob("opencv_python-*.dist-info"):
        headless = packages / path.name.replace("opencv_python-", "opencv_python_headless-")
        headless.mkdir()
        metadata = (path / "METADATA").read_text()
        (headless / "METADATA").write_text(
            metadata.replace("\nName: opencv-python\n", "\nName: opencv-python-headless\n", 1)
        )


def link_packages(folder: Path, *, build_tools: bool = False) -> None:
    """Links the packages that are installed here, except emotiny and pip, to be used in place of an index.

    Args:
        folder: Folder for the links.
        build_tools: Whether to link those that build packages, too.
    """
    left_out = r"emotiny|__editable__|pip|.*\.pth$" + ("" if build_tools else "|setuptools|_distutils")
    for path in Path(np.__file__).parents[1].iterdir():
        if not re.match(left_out, path.name):
            (folder / path.name).symlink_to(path)
    _name_opencv_as_the_device_does(folder)


class Device:
    """A copy of this system: its /opt, /etc and /usr/local/bin are folders of the test.

    Attributes:
        opt: Its /opt.
        etc: Files that its /etc has in addition to this system's.
        bin: The same for /usr/local/bin.
        environment: Environment variables of the commands that it runs.
        systemctl_calls: Arguments of each call of systemctl, as one line each.
    """

    def __init__(self, folder: Path) -> None:
        self.opt, self.etc, self.bin = folder / "opt", folder / "etc", folder / "bin"
        self._works = folder / "work of etc", folder / "work of bin"
        self._log = folder / "systemctl.log"
        self._systemctl = folder / "systemctl"
        packages = folder / "packages"
        for made in (self.opt, self.etc, self.bin, *self._works, packages):
            made.mkdir()
        self._systemctl.write_text(
            f'#!/bin/sh\n[ "$1" != is-system-running ] || exec echo running\necho "$@" >>{self._log}\n'
        )
        self._systemctl.chmod(0o755)
        link_packages(packages)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHON": sys.executable,
            "PYTHONPATH": str(packages),
            "SYSTEMCTL": str(self._systemctl),
            "EMOTINY_SOURCE": "demo",
        }

    @property
    def systemctl_calls(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    def run(self, *command: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a command on the copy, and forgets the earlier calls of systemctl."""
        self._log.unlink(missing_ok=True)
        mounts = f"mount --bind {self.opt} /opt"
        uppers = {"/etc": self.etc, "/usr/local/bin": self.bin}
        for (lower, upper), work in zip(uppers.items(), self._works, strict=True):
            over = f"lowerdir={lower},upperdir={upper},workdir={work}"
            mounts += f" && mount -t overlay -o '{over}' none {lower}"
        mounts += ' || exit 99; exec "$@"'
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", mounts, "sh", *map(str, command)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env=self.environment | environment,
        )
        if done.returncode == 99:
            pytest.skip(f"no mounts of its own: {done.stderr.strip()}")
        return done


def may_mount() -> bool:
    """Whether a process may have mounts of its own here."""
    return (
        shutil.which("unshare") is not None
        and not subprocess.run(["unshare", "--mount", "true"], check=False).returncode
    )


def changing_nothing(*command: object) -> list[str]:
    """Returns a command that cannot change this system's /opt and /etc, where that can be had.

    For what is expected to be refused: root's tests must not install anything if it is not.
    """
    words = [*map(str, command)]
    if not may_mount():
        return words
    guard = 'mount -t tmpfs none /opt && mount --bind /etc /etc && mount -o remount,bind,ro /etc && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", guard, "sh", *words]


def own_device(folder: Path) -> Device:
    """Returns a device with its files in a folder; skips the test where a process may have no own mounts."""
    if not may_mount():
        pytest.skip("only root, with unshare (util-linux), may give a process an /opt and an /etc of its own")
    return Device(folder)
