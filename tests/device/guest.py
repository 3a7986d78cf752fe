"""A system of its own that tests give commands to, and the service in it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shlex
import socket
import subprocess
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

HERE = Path(__file__).parent
_POLL_S = 0.2

# The demo as a recording, for what plays one: in a guest that has the package.
DRAW = """
import cv2, edge
from pathlib import Path
from edge.sources.demo import Demo
demo = Demo(Path(edge.__file__).parent / "sources" / "demo_faces")
out = cv2.VideoWriter("/var/tmp/demo.avi", cv2.VideoWriter.fourcc(*"MJPG"), 15, (640, 480))
for number in range(90):
    out.write(cv2.cvtColor(demo.frame(number), cv2.COLOR_GRAY2BGR))
out.release()
"""


@dataclass(frozen=True)
class Done:
    """A command that ended: its exit code, 124 where it took too long, and all that it wrote."""

    code: int
    out: str


class Guest(Protocol):
    """Runs shell commands as root; /payload holds what it was given."""

    def do(self, command: str, limit_s: float) -> Done:
        """Runs a command, for so many seconds at most."""

    def close(self) -> None:
        """Powers it off."""


def run(guest: Guest, command: str, *, limit_s: float = 120, code: int | None = 0) -> str:
    """What a command writes; it must end with `code`, unless that is None."""
    done = guest.do(command, limit_s)
    assert code in (None, done.code), f"{command}\nended with {done.code}:\n{done.out}"
    return done.out.rstrip("\n")


def put(guest: Guest, path: str, text: str) -> None:
    """Writes a file, and the folders that it lies in."""
    coded = base64.b64encode(text.encode()).decode()
    name = shlex.quote(path)
    run(guest, f'mkdir -p "$(dirname {name})" && base64 -d >{name} <<<{coded}')


def wait(guest: Guest, command: str, *, limit_s: float = 60) -> float:
    """Seconds until a command succeeds."""
    began_s = time.monotonic()
    while (done := guest.do(command, limit_s)).code:
        assert time.monotonic() - began_s < limit_s, (
            f"{command}\nstill fails after {limit_s:g} s:\n{done.out}"
        )
        time.sleep(_POLL_S)
    return time.monotonic() - began_s


class Container:
    """A Debian tree under systemd-nspawn."""

    def __init__(self, root: Path, payload: Path) -> None:
        """Boots it."""
        self._console = _scratch()
        self._process = subprocess.Popen(
            ["timeout", "--kill-after=20", "3600", str(HERE / "container.sh"), str(root), str(payload)],
            stdout=self._console,
            stderr=self._console,
        )
        self._first_pid = self._first()
        try:
            # "degraded" is a system whose units are all started, some of them in vain.
            wait(self, "systemctl is-system-running --wait | grep -E 'running|degraded'")
        except AssertionError:
            self.close()
            raise

    def do(self, command: str, limit_s: float) -> Done:
        """Runs a command in it."""
        return _entered(self._first_pid, ("--all",), command, limit_s)

    def close(self) -> None:
        """Powers it off."""
        self.do("systemctl poweroff", 20)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.kill(self._first_pid, 9)
            self._process.wait(30)
        self._console.close()

    def _first(self) -> int:
        """The container's first process, as it is numbered out here."""
        until_s = time.monotonic() + 60
        while time.monotonic() < until_s and self._process.poll() is None:
            for pid in _descendants(self._process.pid):
                with contextlib.suppress(OSError):
                    if "\nNSpid:\t" in (text := Path(f"/proc/{pid}/status").read_text()):
                        numbers = text.split("\nNSpid:\t")[1].split("\n")[0].split()
                        if len(numbers) > 1 and numbers[-1] == "1":
                            return pid
            time.sleep(_POLL_S)
        self._process.kill()
        self._console.seek(0)
        raise AssertionError(f"the container does not start: {self._console.read()[-2000:]!r}")


class Userland:
    """A Debian tree that nothing is booted in; another processor's programs run emulated."""

    def __init__(self, root: Path, payload: Path) -> None:
        """Opens it."""
        self._work = Path(tempfile.mkdtemp(prefix="emotiny-"))
        self._process = subprocess.Popen(
            [str(HERE / "userland.sh"), str(root), str(payload), str(self._work)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout
        said = self._process.stdout.readline()
        if said != "ready\n":
            said += self._process.stdout.read()
            self.close()
            raise AssertionError(f"{root} does not start: {said}")

    def do(self, command: str, limit_s: float) -> Done:
        """Runs a command in it."""
        return _entered(self._process.pid, ("--mount", "--net", "--root", "--wd"), command, limit_s)

    def close(self) -> None:
        """Forgets what was written in it."""
        self._process.kill()
        self._process.communicate()
        self._work.rmdir()


class Machine:
    """A disk in a virtual machine."""

    def __init__(self, disk: Path, payload: Path, folder: Path) -> None:
        """Boots it.

        Args:
            disk: a folder with kernel and disk.
            payload: a folder.
            folder: for files.
        """
        with tarfile.open(folder / "payload.tar", "w") as tar:
            tar.add(payload, "payload")
        self._console = folder / "console"
        socket_path = folder / "agent"
        words = (disk, folder / "payload.tar", socket_path, self._console)
        self._process = subprocess.Popen(
            ["timeout", "--kill-after=20", "3600", str(HERE / "machine.sh"), *map(str, words)]
        )
        until_s = time.monotonic() + 20
        while not socket_path.exists():
            assert self._process.poll() is None and time.monotonic() < until_s, "no virtual machine starts"
            time.sleep(_POLL_S)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(socket_path))
        self._lines = self._socket.makefile("rb")
        self._socket.settimeout(240)
        try:
            assert self._answer() == {"ready": True}
        except (OSError, AssertionError) as error:
            self._process.kill()
            raise AssertionError(f"the machine does not boot: {self._console.read_text()[-2000:]}") from error
        run(self, "tar -xf /dev/vdb -C /")

    def do(self, command: str, limit_s: float) -> Done:
        """Runs a command in it."""
        self._socket.settimeout(limit_s + 60)
        self._socket.sendall(json.dumps({"command": command, "limit_s": limit_s}).encode() + b"\n")
        return Done(**self._answer())  # type: ignore[arg-type]

    def close(self) -> None:
        """Powers it off; nothing that it wrote is kept."""
        self._socket.close()
        self._lines.close()
        self._process.terminate()
        self._process.wait(20)

    def _answer(self) -> dict[str, object]:
        line = self._lines.readline()
        assert line, f"the machine is gone: {self._console.read_text()[-2000:]}"
        answer: dict[str, object] = json.loads(line)
        return answer


def _entered(pid: int, spaces: tuple[str, ...], command: str, limit_s: float) -> Done:
    """Runs a command beside a process, in those namespaces of it that nsenter is told of."""
    words = ("nsenter", "--target", str(pid), *spaces, "--", "/bin/bash", "-c", command)
    clean = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
    # In a file: what a command leaves running keeps a pipe open.
    with Path(os.devnull).open("rb") as nothing, _scratch() as file:
        try:
            done = subprocess.run(
                words, stdin=nothing, stdout=file, stderr=file, timeout=limit_s, check=False, env=clean
            )
            code = done.returncode
        except subprocess.TimeoutExpired:
            code = 124
        file.seek(0)
        return Done(code, file.read().decode(errors="replace"))


class Service:
    """A unit of the package in a guest, from a clean state on."""

    def __init__(self, guest: Guest, unit: str = "emotiny", file: str = "config") -> None:
        """Stops it and forgets what it was told before.

        Args:
            guest: it is installed there.
            unit: its name.
            file: of its settings, in /etc/emotiny, without suffix.
        """
        self.guest = guest
        self.unit = unit
        self._file = f"/etc/emotiny/{file}.toml"
        self._drop_ins = f"/etc/systemd/system/{unit}.service.d"
        run(guest, f"systemctl stop {unit}; rm -rf {self._drop_ins}; systemctl daemon-reload")
        run(guest, f"systemctl reset-failed {unit}", code=None)
        # A line of ours: --after-cursor would leave out one of the unit's.
        run(guest, "echo begin | systemd-cat; journalctl --sync")
        self._cursor = run(guest, "journalctl --quiet --lines=1 --show-cursor").partition("cursor: ")[2]

    def set(self, settings: str) -> None:
        """Writes its settings."""
        put(self.guest, self._file, settings + "\n")

    def drop_in(self, lines: str) -> None:
        """Changes its unit's section [Service]."""
        put(self.guest, f"{self._drop_ins}/test.conf", f"[Service]\n{lines}\n")
        run(self.guest, "systemctl daemon-reload")

    def start(self, *, code: int | None = 0) -> float:
        """Starts it, and gives the seconds until it is ready."""
        began_s = time.monotonic()
        run(self.guest, f"systemctl start {self.unit}", code=code)
        return time.monotonic() - began_s

    def do(self, command: str) -> float:
        """Has systemctl do something with it, and gives the seconds that takes."""
        began_s = time.monotonic()
        run(self.guest, f"systemctl {command} {self.unit}")
        return time.monotonic() - began_s

    def show(self, name: str) -> str:
        """One of its properties."""
        return run(self.guest, f"systemctl show --property={name} --value {self.unit}")

    def wait(self, limit_s: float = 60, **properties: str) -> float:
        """Seconds until its properties match these patterns."""
        tests = [
            f"systemctl show --property={name} --value {self.unit} | grep -qE '{pattern}'"
            for name, pattern in properties.items()
        ]
        try:
            return wait(self.guest, " && ".join(tests), limit_s=limit_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.journal()}") from error

    def pid(self) -> int:
        """Its process."""
        return int(self.show("MainPID"))

    def busy(self, seconds: float) -> float:
        """The share of a core that it takes in the next seconds."""
        before, began_s = int(self.show("CPUUsageNSec")), time.monotonic()
        time.sleep(seconds)
        return (int(self.show("CPUUsageNSec")) - before) / 1e9 / (time.monotonic() - began_s)

    def journal(self, *filters: str, of_unit: bool = True) -> str:
        """What it, and systemd about it, logged since it was cleaned."""
        unit = f"--unit={self.unit}" if of_unit else ""
        words = f"--output=cat --quiet --no-pager {unit} --cursor={shlex.quote(self._cursor)}"
        return run(self.guest, f"journalctl --sync; journalctl {words} {' '.join(filters)}")


def _descendants(pid: int) -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += [int(child), *_descendants(int(child))]
    return found


def _scratch() -> IO[bytes]:
    return tempfile.TemporaryFile()
