"""The systems that the tests boot: built once, kept in a cache, and rebuilt when their inputs change."""

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
# Where Debian keeps the addresses of its mirrors, in the new and the old format.
_SOURCES = ("/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list")
_PYTHON = "3.11"  # that of bookworm
_GLIBC = ("2014", *(f"_2_{minor}" for minor in range(17, 37)))  # up to that of bookworm
_PIP = (sys.executable, "-m", "pip")
# virtual_camera.py replaces parts of this version.
_PICAMERA2 = ("picamera2==0.3.38", "simplejpeg==1.9.0", "videodev2==0.0.4", "OpenEXR==3.5.3")
_PIDNG = "PiDNG==4.0.9"  # is published without a wheel

Announce = Callable[[str], None]


@dataclass(frozen=True)
class _Disk:
    """How a disk of a virtual machine is built.

    Attributes:
        suite: Debian's release.
        packages: Debian packages next to the kernel, separated by commas.
        script: Script in this folder that installs Python packages.
    """

    suite: str
    packages: str
    script: str


_CAMERA = _Disk(
    "bookworm",
    "linux-headers-amd64,v4l2loopback-dkms,v4l-utils,ffmpeg,mosquitto,mosquitto-clients",
    "fill_camera.sh",
)
# Debian packages that picamera2 imports, those that compile PiDNG, and iproute2, which every board has and
# which brings the library (libbpf) with which systemd enforces SocketBindDeny=.
_PICAMERA = _Disk(
    "trixie",
    "python3-libcamera,libcamera-ipa,libcamera-tools,python3-numpy,python3-prctl,python3-av,python3-piexif,"
    "python3-libarchive-c,python3-jsonschema,python3-tqdm,python3-pil,python3-pip,python3-dev,python3-setuptools,"
    "python3-wheel,gcc,libc6-dev,iproute2",
    "fill_picamera.sh",
)


class Images:
    """Folders in the cache; each is built when it is first asked for."""

    def __init__(self, cache: Path, announce: Announce) -> None:
        """Builds nothing yet.

        Args:
            cache: Folder of the cache.
            announce: Receives what takes long.
        """
        self._cache = cache
        self._announce = announce

    def wheels(self) -> Path:
        """Returns a folder with all wheels that an installation of the package downloads."""
        wanted = [*requirements(), "setuptools>=64", "wheel"]

        def fetch(folder: Path) -> None:
            _call([*_pip_download(platform.machine(), _PYTHON), "--dest", str(folder), *wanted])

        return self._cached("wheels", wanted, fetch)

    def root(self) -> Path:
        """Returns a Debian tree with systemd and a broker, for a container."""
        script = HERE / "build_root.sh"
        packages = "mosquitto,mosquitto-clients"

        def build(folder: Path) -> None:
            _call([str(script), str(folder), mirror(), "bookworm", packages])

        return self._cached("root", [script.read_text(), packages], build)

    def disk(self) -> Path:
        """Returns a folder with a kernel and a disk for a virtual machine with V4L2 cameras."""
        return self._disk("disk", _CAMERA, requirements(), self.wheels)

    def picamera_disk(self) -> Path:
        """Returns the same for one with libcamera and picamera2, without the packages of the service."""
        wanted = (*_PICAMERA2, _PIDNG)

        def fetch(folder: Path) -> None:
            _call([*_pip_download("x86_64", "3.13"), "--no-deps", "--dest", str(folder), *_PICAMERA2])
            sources = (*_PIP, "download", "--quiet", "--disable-pip-version-check", "--no-binary=:all:")
            _call([*sources, "--no-deps", "--dest", str(folder), _PIDNG])

        return self._disk(
            "picamera", _PICAMERA, wanted, lambda: self._cached("picamera2-wheels", wanted, fetch)
        )

    def userland(self, name: str, suite: str, architecture: str, packages: Sequence[str]) -> Path:
        """Returns a Debian tree without a kernel, which is not booted.

        Args:
            name: Name in the cache; an older tree of this name is removed.
            suite: Debian's release.
            architecture: Debian's name of the processor; another one than this machine's is emulated, and
                its tree takes minutes to build.
            packages: Debian packages.
        """
        scripts = [HERE / name for name in ("build_userland.sh", "emulate.sh")]
        inputs = (suite, architecture, ",".join(packages))

        def build(folder: Path) -> None:
            _call([str(scripts[0]), str(folder), mirror(), architecture, suite, inputs[-1]])

        root = self._cached(name, [*(script.read_text() for script in scripts), *inputs], build)
        _call([str(scripts[1]), architecture])  # the kernel forgets it at every boot
        return root

    def wheels_for(self, python: str) -> Path:
        """Returns a folder with the wheels of an installation with the extra `tflite`.

        It holds wheels for aarch64 and for x86-64, of the same versions.

        Args:
            python: Version of Python, such as 3.11.
        """
        # pip would evaluate the markers for the Python that it runs in.
        target = {"python_version": python, "platform_machine": "aarch64"}
        parsed = map(Requirement, [*requirements(), *requirements("tflite")])
        wanted = [
            f"{each.name}{each.specifier}"
            for each in parsed
            if not each.marker or each.marker.evaluate(target)
        ]

        def fetch(folder: Path) -> None:
            _call([*_pip_download("aarch64", python), "--dest", str(folder), *wanted])
            pinned = ["==".join(wheel.name.split("-")[:2]) for wheel in folder.glob("*.whl")]
            _call([*_pip_download("x86_64", python), "--no-deps", "--dest", str(folder), *pinned])

        return self._cached(f"python{python}-wheels", wanted, fetch)

    def package(self, folder: Path) -> Path:
        """Builds the wheel of the package, from a copy because a build leaves folders behind."""
        tree = copy_tree(folder / "tree")
        pip = (*_PIP, "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder))
        _call([*pip, str(tree)])
        (built,) = folder.glob("emotiny-*.whl")
        return built

    def _disk(self, name: str, disk: _Disk, wanted: Sequence[str], wheels: Callable[[], Path]) -> Path:
        """Returns a folder with a kernel and a disk on which the wanted Python packages are installed."""
        names = ("build_root.sh", "build_image.sh", disk.script, "agent.py", "agent.service")
        scripts = [(HERE / script).read_text() for script in names]

        def build(folder: Path) -> None:
            arguments = (disk.suite, disk.packages, str(wheels()), str(HERE / disk.script), *wanted)
            _call([str(HERE / "build_image.sh"), str(folder), mirror(), *arguments])

        return self._cached(name, [*scripts, disk.suite, disk.packages, *wanted], build)

    def _cached(self, name: str, inputs: Sequence[str], build: Callable[[Path], None]) -> Path:
        digest = hashlib.sha256("\n".join(inputs).encode()).hexdigest()[:12]
        folder = self._cache / f"{name}-{digest}"
        if (folder / ".done").exists():
            return folder
        for old in self._cache.glob(f"{name}-*"):
            shutil.rmtree(old)
        self._announce(f"building {folder}, once")
        start_s = time.monotonic()
        folder.mkdir(parents=True)
        build(folder)
        (folder / ".done").touch()
        self._announce(f"built in {time.monotonic() - start_s:.0f} s")
        return folder


def requirements(extra: str = "") -> list[str]:
    """Returns the requirements of the package on a device, or those that an extra adds."""
    config = configparser.ConfigParser()
    config.read(TREE / "setup.cfg")
    section, key = ("options.extras_require", extra) if extra else ("options", "install_requires")
    lines = config[section][key].splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def mirror() -> str:
    """Returns the first address in the apt sources of this machine."""
    for path in map(Path, _SOURCES):
        if path.exists():
            match = re.search(r"^(?:URIs:|deb(?: \[.*?\])?)\s+(\S+)", path.read_text(), re.MULTILINE)
            if match:
                return match[1]
    raise RuntimeError(f"no address of a Debian mirror in {' or '.join(_SOURCES)}")


def copy_tree(folder: Path) -> Path:
    """Copies what an installation reads of the repository to a new folder."""
    folder.mkdir(parents=True)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE", "Makefile"):
        shutil.copy(TREE / name, folder)
    for name in ("edge", "models", "quantize", "train", "systemd"):
        shutil.copytree(TREE / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def _pip_download(machine: str, python: str) -> tuple[str, ...]:
    """Returns the beginning of a command that downloads wheels for a processor and a Python."""
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
        raise RuntimeError(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout[-4000:]}")
