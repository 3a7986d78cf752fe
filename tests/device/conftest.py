"""Fixtures of real systems: a container with systemd, virtual machines with cameras, Debians on arm64."""

from __future__ import annotations

import contextlib
import json
import os
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
from tests.device.guest import Container, Guest, Machine, Userland, run, write_file
from tests.device.images import TREE, Images, copy_tree
from tests.device.requirements import obstacles

HERE = Path(__file__).parent
# {release of Debian: version of its Python}
PYTHON_OF = {"bookworm": "3.11", "trixie": "3.13"}
# Of a clip, what a virtual camera shows every third one of.
_FRAMES = 120

Record = Callable[[str, object], None]


def pytest_addoption(parser):
    parser.addoption("--results", type=Path, metavar="FOLDER", help="write the tables of results to FOLDER")
    parser.addoption("--allow-skip", action="store_true", help="skip the tests that cannot run here")


def pytest_collection_modifyitems(config, items):
    """Fails before the first test if some cannot run here; skips these instead if that is allowed."""
    module_of = {item: item.path.stem for item in items if item.path.parent == HERE}
    reasons_of = {module: obstacles([module]) for module in set(module_of.values())}
    stopped = [item for item, module in module_of.items() if reasons_of[module]]
    if stopped and not config.getoption("--allow-skip"):
        lines = [f"{len(stopped)} tests cannot run here; ALLOW_SKIP=1 skips them"]
        raise pytest.UsageError("\n".join([*lines, *obstacles({module_of[item] for item in stopped})]))
    for item in stopped:
        item.add_marker(pytest.mark.skip(reason="; ".join(reasons_of[module_of[item]])))


@pytest.fixture(scope="session")
def cache() -> Path:
    return Path(os.environ.get("EMOTINY_CACHE") or Path.home() / ".cache" / "emotiny")


@pytest.fixture(scope="session")
def announce(request) -> Callable[[str], None]:
    """Prints what is being done, while pytest captures everything else."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def announce(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n    {text}", flush=True)

    return announce


@pytest.fixture(scope="session")
def images(cache, announce) -> Images:
    return Images(cache, announce)


@pytest.fixture(scope="module")
def record(request, cache, announce) -> Iterator[Record]:
    """Adds a row to a module's table of results, which is printed and written after its last test."""
    rows: list[tuple[str, str]] = []
    yield lambda name, result: rows.append((name, str(result)))
    if not rows:
        return
    part = request.module.__name__.rpartition(".")[2].removeprefix("test_")
    width = max(len(name) for name, _ in rows)
    announce("\n    ".join(f"{name:{width}}  {result}" for name, result in rows))
    folder = request.config.getoption("--results") or cache
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"| {part} | result |", "|---|---|", *(f"| {name} | {result} |" for name, result in rows)]
    (folder / f"{part}.md").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="session")
def container(images, announce, tmp_path_factory) -> Iterator[Guest]:
    """A booted container without the package; /payload holds the repository and wheels."""
    payload = tmp_path_factory.mktemp("payload")
    copy_tree(payload / "tree")
    shutil.copytree(images.wheels(), payload / "wheels")
    start_s = time.monotonic()
    guest = Container(images.root(), payload)
    announce(f"a container is up, after {time.monotonic() - start_s:.0f} s")
    yield guest
    guest.close()


@pytest.fixture(scope="session")
def machine(images, announce, tmp_path_factory) -> Iterator[Guest]:
    """A booted virtual machine in which the service is installed."""
    folder = tmp_path_factory.mktemp("machine")
    payload = folder / "payload"
    payload.mkdir()
    shutil.copytree(TREE / "systemd", payload / "systemd")
    wheel = images.package(folder)
    shutil.copy(wheel, payload)
    for clip in sorted(_clips()):
        shutil.copy(clip, payload)
    guest = _boot(images.disk(), payload, folder, announce)
    install = "/opt/emotiny/bin/pip install --quiet --disable-pip-version-check --no-index --no-deps"
    run(guest, f"{install} /payload/{wheel.name}", limit_s=300)
    write_file(guest, "/etc/emotiny/config.toml", 'source = "demo"')
    run(guest, "cp /payload/systemd/*.service /etc/systemd/system/ && systemctl daemon-reload")
    yield guest
    guest.close()


@pytest.fixture(scope="session")
def picamera_machine(images, announce, tmp_path_factory) -> Iterator[Guest]:
    """A booted virtual machine with libcamera and picamera2, without the package.

    /payload holds the wheel of the package, its source tree, the wheels that it needs in `wheels`, and in
    `pictures` a folder for each virtual camera, with what it shows as 0.jpg and so on: demo, still, and clip
    if there is a clip of people.
    """
    folder = tmp_path_factory.mktemp("picamera")
    payload = folder / "payload"
    payload.mkdir()
    images.package(payload)
    other_processor = shutil.ignore_patterns("*aarch64.whl")
    shutil.copytree(images.wheels_for(PYTHON_OF["trixie"]), payload / "wheels", ignore=other_processor)
    demo = Demo(TREE / "edge" / "sources" / "demo_faces")
    _write_jpegs(payload / "pictures" / "demo", [demo.frame(6 * number) for number in range(20)])
    _write_jpegs(payload / "pictures" / "still", [demo.frame(0)])
    for clip in sorted(_clips_of_people())[-1:]:
        _write_jpegs(payload / "pictures" / "clip", list(_gray_frames(clip))[:_FRAMES:3])
    guest = _boot(images.picamera_disk(), payload, folder, announce)
    yield guest
    guest.close()


class OpenUserland(Protocol):
    """Opens Debian trees that are not booted."""

    def __call__(self, suite: str, architecture: str, packages: tuple[str, ...]) -> Guest:
        """Opens a tree with Python; /payload holds the wheel of the package, those that it needs, and clips.

        Each clip is there as it is (.mp4), and as the gray frames that this machine decodes from it, without
        loss (.avi).

        Args:
            suite: Debian's release.
            architecture: Debian's name of the processor.
            packages: Further Debian packages.
        """


@pytest.fixture(scope="module")
def userland(images, announce, tmp_path_factory) -> Iterator[OpenUserland]:
    with contextlib.ExitStack() as guests:

        def open_userland(suite: str, architecture: str, packages: tuple[str, ...]) -> Guest:
            payload = tmp_path_factory.mktemp("payload")
            images.package(payload)
            shutil.copytree(images.wheels_for(PYTHON_OF[suite]), payload / "wheels")
            for clip in _clips():
                shutil.copy(clip, payload)
                _write_gray_copy(clip, payload / f"{clip.stem}.avi")
            name = f"{'more-' if packages else ''}{architecture}-{suite}"
            root = images.userland(name, suite, architecture, ("python3", "python3-venv", "make", *packages))
            guest = guests.enter_context(contextlib.closing(Userland(root, payload)))
            announce(f"{suite} of {architecture} is open")
            return guest

        yield open_userland


def _boot(disk: Path, payload: Path, folder: Path, announce: Callable[[str], None]) -> Guest:
    announce("booting a virtual machine; its processor is emulated, so that this takes a minute")
    start_s = time.monotonic()
    guest = Machine(disk, payload, folder)
    announce(f"it is up, after {time.monotonic() - start_s:.0f} s")
    return guest


def _clips() -> list[Path]:
    data = os.environ.get("EMOTINY_DATA")
    return list((Path(data) / "clips").glob("*.mp4")) if data else []


def _clips_of_people() -> list[Path]:
    """Returns the clips with a face of 40 pixels or more in each of the first frames."""

    def shows_people(clip: Path) -> bool:
        frames = json.loads(clip.with_suffix(".json").read_text())["frames"][:_FRAMES]
        return all(any(face["box"][2] >= 40 and not face["ignore"] for face in frame) for frame in frames)

    return [clip for clip in _clips() if shows_people(clip)]


def _gray_frames(clip: Path) -> Iterator[Gray]:
    source = cv2.VideoCapture(str(clip))
    assert source.isOpened()
    while (read := source.read())[0]:
        yield np.asarray(cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    source.release()


def _write_gray_copy(clip: Path, path: Path) -> None:
    """Writes the gray frames that this machine decodes from a clip, so that others read the same ones."""
    source = cv2.VideoCapture(str(clip))
    size_wh = int(source.get(cv2.CAP_PROP_FRAME_WIDTH)), int(source.get(cv2.CAP_PROP_FRAME_HEIGHT))
    out = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"FFV1"), source.get(cv2.CAP_PROP_FPS), size_wh)
    source.release()
    assert out.isOpened()
    for gray in _gray_frames(clip):
        out.write(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR))
    out.release()


def _write_jpegs(folder: Path, grays: Sequence[Gray]) -> None:
    """Writes frames as libcamera's virtual cameras read them: 0.jpg and so on, with colour at half size.

    The frames are cropped to 4 to 3 and scaled to 640x480.
    """
    folder.mkdir(parents=True)
    for index, gray in enumerate(grays):
        height, width = gray.shape
        left = (width - min(width, height * 4 // 3)) // 2
        scaled = cv2.resize(gray[:, left : width - left], (640, 480), interpolation=cv2.INTER_AREA)
        options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420]
        assert cv2.imwrite(str(folder / f"{index}.jpg"), cv2.cvtColor(scaled, cv2.COLOR_GRAY2BGR), options)
