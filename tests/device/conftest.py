"""Real systems for the service: a container under systemd, and a virtual machine with cameras."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.device.guest import Container, Guest, Machine, put, run
from tests.device.images import TREE, Images, copy_of_tree

# {command: the Debian package that has it}
BUILDING = {"mmdebstrap": "mmdebstrap"}
CONTAINER = BUILDING | {"systemd-nspawn": "systemd-container", "nsenter": "util-linux"}
MACHINE = BUILDING | {"qemu-system-x86_64": "qemu-system-x86", "mkfs.ext4": "e2fsprogs"}

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
    disk = images.disk()
    say("booting a virtual machine; its processor is emulated, so that this takes a minute")
    began_s = time.monotonic()
    guest = Machine(disk, payload, folder)
    say(f"it is up, after {time.monotonic() - began_s:.0f} s")
    install = "/opt/emotiny/bin/pip install --quiet --disable-pip-version-check --no-index --no-deps"
    run(guest, f"{install} /payload/{wheel.name}", limit_s=300)
    put(guest, "/etc/emotiny/config.toml", 'source = "demo"')
    run(guest, "cp /payload/systemd/*.service /etc/systemd/system/ && systemctl daemon-reload")
    yield guest
    guest.close()


def _clips() -> list[Path]:
    data = os.environ.get("EMOTINY_DATA")
    return list((Path(data) / "clips").glob("*.mp4")) if data else []


def _need(part: str, commands: dict[str, str], say: Callable[[str], None]) -> None:
    """Skips a part that cannot run here, and says why, once."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    absent = sorted(
        {package for command, package in commands.items() if not shutil.which(command, path=path)}
    )
    why = ""
    if part == "the virtual machine" and platform.machine() != "x86_64":
        why = f"it is an x86-64 one, this is {platform.machine()}: too slow"
    elif os.geteuid() != 0:
        why = "it needs root: sudo make test-device"
    elif absent:
        why = f"it needs Debian packages: apt-get install {' '.join(absent)}"
    if why:
        say(f"{part} is skipped: {why}")
        pytest.skip(why)
