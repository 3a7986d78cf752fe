"""What the tests boot: built once, kept in a cache, and built anew when what it is made of changes."""

from __future__ import annotations

import configparser
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).parent
TREE = HERE.parents[1]
# Debian's, in its own sources' two forms.
_SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")
_PYTHON = "3.11"  # bookworm's
_GLIBC = ("2014", "_2_17", "_2_27", "_2_28", "_2_31", "_2_34", "_2_35", "_2_36")

Say = Callable[[str], None]


class Images:
    """Folders in the cache; each is made when it is first asked for."""

    def __init__(self, cache: Path, say: Say) -> None:
        """Makes nothing yet.

        Args:
            cache: where all lies.
            say: is told what takes long.
        """
        self._cache = cache
        self._say = say

    def wheels(self) -> Path:
        """A folder of all wheels that an installation of the package asks an index for."""
        wanted = [*requirements(), "setuptools>=64", "wheel"]

        def fetch(folder: Path) -> None:
            here = platform.machine()
            platforms = [word for glibc in _GLIBC for word in ("--platform", f"manylinux{glibc}_{here}")]
            pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check")
            kind = ("--only-binary=:all:", "--implementation", "cp", "--python-version", _PYTHON)
            _call([*pip, *kind, *platforms, "--dest", str(folder), *wanted])

        return self._made("wheels", wanted, fetch)

    def root(self) -> Path:
        """A Debian tree with systemd and a broker, for a container."""
        script = HERE / "build_root.sh"
        packages = "mosquitto,mosquitto-clients"

        def build(folder: Path) -> None:
            _call([str(script), str(folder), mirror(), packages])

        return self._made("root", [script.read_text(), packages], build)

    def disk(self) -> Path:
        """A folder with a kernel and a disk for a virtual machine with cameras."""
        scripts = [HERE / name for name in ("build_root.sh", "build_image.sh", "agent.py", "agent.service")]

        def build(folder: Path) -> None:
            _call([str(HERE / "build_image.sh"), str(folder), mirror(), str(self.wheels()), *requirements()])

        return self._made("disk", [*(script.read_text() for script in scripts), *requirements()], build)

    def package(self, folder: Path) -> Path:
        """The package's wheel, built from a copy: a build leaves folders behind."""
        tree = copy_of_tree(folder / "tree")
        pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder))
        _call([*pip, str(tree)])
        (built,) = folder.glob("emotiny-*.whl")
        return built

    def _made(self, name: str, inputs: Sequence[str], make: Callable[[Path], None]) -> Path:
        digest = hashlib.sha256("\n".join(inputs).encode()).hexdigest()[:12]
        folder = self._cache / f"{name}-{digest}"
        if (folder / ".done").exists():
            return folder
        for old in self._cache.glob(f"{name}-*"):
            shutil.rmtree(old)
        self._say(f"building {folder}, once")
        began_s = time.monotonic()
        folder.mkdir(parents=True)
        make(folder)
        (folder / ".done").touch()
        self._say(f"built in {time.monotonic() - began_s:.0f} s")
        return folder


def requirements() -> list[str]:
    """What the package asks for on a device."""
    config = configparser.ConfigParser()
    config.read(TREE / "setup.cfg")
    lines = config["options"]["install_requires"].splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def mirror() -> str:
    """The first address in this machine's own Debian sources."""
    for path in map(Path, _SOURCES):
        if path.exists():
            found = re.search(r"^(?:URIs:|deb(?: \[.*?\])?)\s+(\S+)", path.read_text(), re.MULTILINE)
            if found:
                return found[1]
    raise RuntimeError(f"no address of a Debian mirror in {' or '.join(_SOURCES)}")


def copy_of_tree(folder: Path) -> Path:
    """What of the repository an installation reads, in a new folder."""
    folder.mkdir(parents=True)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "Makefile"):
        shutil.copy(TREE / name, folder)
    for name in ("edge", "models", "quantize", "train", "systemd"):
        shutil.copytree(TREE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _call(command: Sequence[str]) -> None:
    done = subprocess.run(
        ["nice", "-n", "5", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-4000:]}")
