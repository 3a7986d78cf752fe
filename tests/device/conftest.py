"""Real systems: a container under systemd, a virtual machine with cameras, Debians of a board's processor."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import pytest

from edge.sources.demo import Demo
from edge.types import Gray
from tests.device.guest import Container, Guest, Machine, Userland, put, run
from tests.device.images import TREE, Images, copy_of_tree

# {command: the Debian package that has it}
BUILDING = {"mmdebstrap": "mmdebstrap"}
CONTAINER = BUILDING | {"systemd-nspawn": "systemd-container", "nsenter": "util-linux"}
MACHINE = BUILDING | {"qemu-system-x86_64": "qemu-system-x86", "mkfs.ext4": "e2fsprogs"}
ENTERED = BUILDING | {"nsenter": "util-linux"}
EMULATED = ENTERED | {"qemu-aarch64-static": "qemu-user-static", "arch-test": "arch-test"}
# These have programs for x86-64 in them, whose emulation would take too long.
X86 = ("the virtual machine", "picamera2", "arm64 beside x86-64", "GStreamer")
# Of Debian's releases.
PYTHON_OF = {"bookworm": "3.11", "trixie": "3.13"}

Note = Callable[[str, object], None]


def pytest_addoption(parser):
    parser.addoption("--results", type=Path, metavar="FOLDER", help="where the tables of results are written")


@pytest.fixture(scope="session")
def cache() -> Path:
    return Path(os.environ.get("EMOTINY_CACHE") or Path.home() / ".cache" / "emotiny")


@pytest.fixture(scope="session")
def say(request) -> Callable[[str], None]:
    """Tells whoever waits what is being done."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n    {text}", flush=True)

    return say


@pytest.fixture(scope="session")
def images(cache, say) -> Images:
    return Images(cache, say)


@pytest.fixture(scope="module")
def note(request, cache, say) -> Iterator[Note]:
    """Takes rows of a table of results, which is shown and written at the end of a part."""
    rows: list[tuple[str, str]] = []
    yield lambda what, result: rows.append((what, str(result)))
    if not rows:
        return
    part = request.module.__name__.rpartition(".")[2].removeprefix("test_")
    wide = max(len(what) for what, _ in rows)
    say("\n    ".join(f"{what:{wide}}  {result}" for what, result in rows))
    folder = request.config.getoption("--results") or cache
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"| {part} | result |", "|---|---|", *(f"| {what} | {result} |" for what, result in rows)]
    (folder / f"{part}.md").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def container(images, say, tmp_path_factory) -> Iterator[Guest]:
    """A booted container in which nothing is installed yet; /payload holds the repository and wheels."""
    _need("the container", CONTAINER, say)
    payload = tmp_path_factory.mktemp("payload")
    copy_of_tree(payload / "tree")
    shutil.copytree(images.wheels(), payload / "wheels")
    began_s = time.monotonic()
    guest = Container(images.root(), payload)
    say(f"a container is up, after {time.monotonic() - began_s:.0f} s")
    yield guest
    guest.close()


@pytest.fixture(scope="session")
def machine(images, say, tmp_path_factory) -> Iterator[Guest]:
    """A booted virtual machine with the service installed and its cameras plugged in."""
    _need("the virtual machine", MACHINE, say)
    folder = tmp_path_factory.mktemp("machine")
    payload = folder / "payload"
    payload.mkdir()
    shutil.copytree(TREE / "systemd", payload / "systemd")
    wheel = images.package(folder)
    shutil.copy(wheel, payload)
    for clip in sorted(_clips()):
        shutil.copy(clip, payload)
    guest = _boot(images.disk(), payload, folder, say)
    install = "/opt/emotiny/bin/pip install --quiet --disable-pip-version-check --no-index --no-deps"
    run(guest, f"{install} /payload/{wheel.name}", limit_s=300)
    put(guest, "/etc/emotiny/config.toml", 'source = "demo"')
    run(guest, "cp /payload/systemd/*.service /etc/systemd/system/ && systemctl daemon-reload")
    yield guest
    guest.close()


@pytest.fixture(scope="session")
def picamera_machine(images, say, tmp_path_factory) -> Iterator[Guest]:
    """A booted virtual machine with libcamera and picamera2, in which nothing is installed yet.

    /payload holds the package's wheel, its source tree, `wheels` that it needs, and in `pictures` a folder
    of what each virtual camera may show, as 0.jpg and so on: demo, still, and a clip of people where there is
    one.
    """
    _need("picamera2", MACHINE, say)
    folder = tmp_path_factory.mktemp("picamera")
    payload = folder / "payload"
    payload.mkdir()
    images.package(payload)
    foreign = shutil.ignore_patterns("*aarch64.whl")
    shutil.copytree(images.wheels_of(PYTHON_OF["trixie"]), payload / "wheels", ignore=foreign)
    demo = Demo(TREE / "edge" / "sources" / "demo_faces")
    _write_jpegs(payload / "pictures" / "demo", [demo.frame(6 * number) for number in range(20)])
    _write_jpegs(payload / "pictures" / "still", [demo.frame(0)])
    for clip in sorted(_clips())[-1:]:
        _write_jpegs(payload / "pictures" / "clip", list(_grays(clip))[:120:3])
    guest = _boot(images.picamera_disk(), payload, folder, say)
    yield guest
    guest.close()


class OpenUserland(Protocol):
    """Opens Debian trees that nothing is booted in."""

    def __call__(self, part: str, suite: str, architecture: str, packages: tuple[str, ...]) -> Guest:
        """A tree with Python; /payload holds the package's wheel, `wheels` that it needs, and clips.

        Each clip lies there as it is, .mp4, and as the gray pictures that this machine reads in it, without
        a loss, .avi.

        Args:
            part: of the tests, in words.
            suite: of Debian.
            architecture: as Debian calls it.
            packages: of Debian, further ones.
        """


@pytest.fixture(scope="module")
def userland(images, say, tmp_path_factory) -> Iterator[OpenUserland]:
    with contextlib.ExitStack() as guests:

        def open_userland(part: str, suite: str, architecture: str, packages: tuple[str, ...]) -> Guest:
            _need(part, ENTERED if architecture == "amd64" else EMULATED, say)
            payload = tmp_path_factory.mktemp("payload")
            images.package(payload)
            shutil.copytree(images.wheels_of(PYTHON_OF[suite]), payload / "wheels")
            for clip in _clips():
                shutil.copy(clip, payload)
                _grays_of(clip, payload / f"{clip.stem}.avi")
            name = f"{'more-' if packages else ''}{architecture}-{suite}"
            root = images.userland(name, suite, architecture, ("python3", "python3-venv", "make", *packages))
            guest = guests.enter_context(contextlib.closing(Userland(root, payload)))
            say(f"{suite} of {architecture} is open")
            return guest

        yield open_userland


def _boot(disk: Path, payload: Path, folder: Path, say: Callable[[str], None]) -> Guest:
    say("booting a virtual machine; its processor is emulated, so that this takes a minute")
    began_s = time.monotonic()
    guest = Machine(disk, payload, folder)
    say(f"it is up, after {time.monotonic() - began_s:.0f} s")
    return guest


def _clips() -> list[Path]:
    data = os.environ.get("EMOTINY_DATA")
    return list((Path(data) / "clips").glob("*.mp4")) if data else []


def _grays(clip: Path) -> Iterator[Gray]:
    source = cv2.VideoCapture(str(clip))
    assert source.isOpened()
    while (read := source.read())[0]:
        yield np.asarray(cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    source.release()


def _grays_of(clip: Path, path: Path) -> None:
    """Writes what one machine reads in a clip so that every other reads the same."""
    source = cv2.VideoCapture(str(clip))
    size_wh = int(source.get(cv2.CAP_PROP_FRAME_WIDTH)), int(source.get(cv2.CAP_PROP_FRAME_HEIGHT))
    out = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), source.get(cv2.CAP_PROP_FPS), size_wh)
    source.release()
    assert out.isOpened()
    for gray in _grays(clip):
        out.write(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR))
    out.release()


def _write_jpegs(folder: Path, grays: Sequence[Gray]) -> None:
    """Writes pictures as a virtual camera of libcamera's wants them: 0.jpg and so on, colour at half size.

    They are cut to a camera's proportions, 4 to 3, and scaled to 640x480.
    """
    folder.mkdir(parents=True)
    for number, gray in enumerate(grays):
        height, width = gray.shape
        cut = (width - min(width, height * 4 // 3)) // 2
        scaled = cv2.resize(gray[:, cut : width - cut], (640, 480), interpolation=cv2.INTER_AREA)
        half = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
        assert cv2.imwrite(str(folder / f"{number}.jpg"), cv2.cvtColor(scaled, cv2.COLOR_GRAY2BGR), half)


def _need(part: str, commands: dict[str, str], say: Callable[[str], None]) -> None:
    """Skips a part that cannot run here, and says why, once."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    absent = sorted(
        {package for command, package in commands.items() if not shutil.which(command, path=path)}
    )
    why = ""
    if part in X86 and platform.machine() != "x86_64":
        why = f"it is of x86-64, this is {platform.machine()}: too slow"
    elif os.geteuid() != 0:
        why = "it needs root: sudo make test-device"
    elif absent:
        why = f"it needs Debian packages: apt-get install {' '.join(absent)}"
    if why:
        say(f"{part} is skipped: {why}")
        pytest.skip(why)
