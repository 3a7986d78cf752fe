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
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

HERE = Path(__file__).parent
TREE = HERE.parents[1]
# Debian's, in its own sources' two forms.
_SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")
_PYTHON = "3.11"  # bookworm's
_GLIBC = ("2014", *(f"_2_{minor}" for minor in range(17, 37)))  # up to bookworm's
_PIP = (sys.executable, "-m", "pip")
# virtual_camera.py replaces parts of this one.
_PICAMERA2 = ("picamera2==0.3.38", "simplejpeg==1.9.0", "videodev2==0.0.4", "OpenEXR==3.5.3")
_PIDNG = "PiDNG==4.0.9"  # has no wheel

Say = Callable[[str], None]


@dataclass(frozen=True)
class _Disk:
    """What a disk for a virtual machine is made of.

    Attributes:
        suite: of Debian.
        packages: of Debian, with commas, beside the kernel.
        script: in this folder, puts in what is wanted of Python.
    """

    suite: str
    packages: str
    script: str


_CAMERA = _Disk(
    "bookworm",
    "linux-headers-amd64,v4l2loopback-dkms,v4l-utils,ffmpeg,mosquitto,mosquitto-clients",
    "fill_camera.sh",
)
# All that picamera2 imports and Debian has, and what compiles PiDNG.
_PICAMERA = _Disk(
    "trixie",
    "python3-libcamera,libcamera-ipa,libcamera-tools,python3-numpy,python3-prctl,python3-av,python3-piexif,"
    "python3-libarchive-c,python3-jsonschema,python3-tqdm,python3-pil,python3-pip,python3-dev,python3-setuptools,"
    "python3-wheel,gcc,libc6-dev",
    "fill_picamera.sh",
)


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
            _call([*_pip_download(platform.machine(), _PYTHON), "--dest", str(folder), *wanted])

        return self._made("wheels", wanted, fetch)

    def root(self) -> Path:
        """A Debian tree with systemd and a broker, for a container."""
        script = HERE / "build_root.sh"
        packages = "mosquitto,mosquitto-clients"

        def build(folder: Path) -> None:
            _call([str(script), str(folder), mirror(), "bookworm", packages])

        return self._made("root", [script.read_text(), packages], build)

    def disk(self) -> Path:
        """A folder with a kernel and a disk for a virtual machine with V4L2 cameras."""
        return self._disk("disk", _CAMERA, requirements(), self.wheels)

    def picamera_disk(self) -> Path:
        """The same for one with libcamera and picamera2, without the service's packages."""
        wanted = (*_PICAMERA2, _PIDNG)

        def fetch(folder: Path) -> None:
            _call([*_pip_download("x86_64", "3.13"), "--no-deps", "--dest", str(folder), *_PICAMERA2])
            sources = (*_PIP, "download", "--quiet", "--disable-pip-version-check", "--no-binary=:all:")
            _call([*sources, "--no-deps", "--dest", str(folder), _PIDNG])

        return self._disk(
            "picamera", _PICAMERA, wanted, lambda: self._made("picamera2-wheels", wanted, fetch)
        )

    def userland(self, name: str, suite: str, architecture: str, packages: Sequence[str]) -> Path:
        """A Debian tree without a kernel or a first process.

        Args:
            name: in the cache; what had it before is removed.
            suite: of Debian.
            architecture: as Debian calls it; what is not this machine's is built in emulation, in minutes.
            packages: of Debian.
        """
        scripts = [HERE / name for name in ("build_userland.sh", "emulate.sh")]
        words = (suite, architecture, ",".join(packages))

        def build(folder: Path) -> None:
            _call([str(scripts[0]), str(folder), mirror(), architecture, suite, words[-1]])

        root = self._made(name, [*(script.read_text() for script in scripts), *words], build)
        _call([str(scripts[1]), architecture])  # which a boot forgets
        return root

    def wheels_of(self, python: str) -> Path:
        """A folder of what a Python's installation of the package asks an index for, with the light runtime.

        In one folder lie those for aarch64 and for x86-64, of the same versions.

        Args:
            python: its version, as in 3.11.
        """
        # pip would take the conditions of this Python for the other's.
        target = {"python_version": python, "platform_machine": "aarch64"}
        asked = map(Requirement, [*requirements(), *requirements("tflite")])
        wanted = [
            f"{one.name}{one.specifier}" for one in asked if not one.marker or one.marker.evaluate(target)
        ]

        def fetch(folder: Path) -> None:
            _call([*_pip_download("aarch64", python), "--dest", str(folder), *wanted])
            pinned = ["==".join(wheel.name.split("-")[:2]) for wheel in folder.glob("*.whl")]
            _call([*_pip_download("x86_64", python), "--no-deps", "--dest", str(folder), *pinned])

        return self._made(f"python{python}-wheels", wanted, fetch)

    def package(self, folder: Path) -> Path:
        """The package's wheel, built from a copy: a build leaves folders behind."""
        tree = copy_of_tree(folder / "tree")
        pip = (*_PIP, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder))
        _call([*pip, str(tree)])
        (built,) = folder.glob("emotiny-*.whl")
        return built

    def _disk(self, name: str, disk: _Disk, wanted: Sequence[str], wheels: Callable[[], Path]) -> Path:
        """A folder with a kernel and a disk, with what is wanted of Python from a folder of wheels."""
        names = ("build_root.sh", "build_image.sh", disk.script, "agent.py", "agent.service")
        scripts = [(HERE / script).read_text() for script in names]

        def build(folder: Path) -> None:
            words = (disk.suite, disk.packages, str(wheels()), str(HERE / disk.script), *wanted)
            _call([str(HERE / "build_image.sh"), str(folder), mirror(), *words])

        return self._made(name, [*scripts, disk.suite, disk.packages, *wanted], build)

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


def requirements(extra: str = "") -> list[str]:
    """What the package asks for on a device, or what an extra adds."""
    config = configparser.ConfigParser()
    config.read(TREE / "setup.cfg")
    section, key = ("options.extras_require", extra) if extra else ("options", "install_requires")
    lines = config[section][key].splitlines()
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


def _pip_download(machine: str, python: str) -> tuple[str, ...]:
    """The begin of a command that fetches wheels for a processor and a Python."""
    platforms = [word for glibc in _GLIBC for word in ("--platform", f"manylinux{glibc}_{machine}")]
    pip = (*_PIP, "download", "--quiet", "--disable-pip-version-check")
    return (*pip, "--only-binary=:all:", "--implementation", "cp", "--python-version", python, *platforms)


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
