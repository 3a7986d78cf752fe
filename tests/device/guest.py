"""Systems in which tests run shell commands: a container, a virtual machine, a Debian tree."""

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
from typing import Protocol

HERE = Path(__file__).parent
_POLL_S = 0.2

# Writes frames of the demo to a recording: path, number of frames. For a guest in which the package is
# installed.
DRAW_DEMO = """
import sys, cv2, edge
from pathlib import Path
from edge.sources.demo import Demo
demo = Demo(Path(edge.__file__).parent / "sources" / "demo_faces")
out = cv2.VideoWriter(sys.argv[1], cv2.VideoWriter.fourcc(*"MJPG"), 15, (640, 480))
for number in range(int(sys.argv[2])):
    out.write(cv2.cvtColor(demo.frame(number), cv2.COLOR_GRAY2BGR))
out.release()
"""


@dataclass(frozen=True)
class CommandResult:
    """What a command did.

    Attributes:
        code: Exit code; 124 if the command took too long.
        out: What it wrote to both standard streams.
    """

    code: int
    out: str


class Guest(Protocol):
    """Runs shell commands as root; files that the tests pass to it are in /payload."""

    def execute(self, command: str, limit_s: float) -> CommandResult:
        """Runs a command, and kills it after so many seconds."""

    def close(self) -> None:
        """Switches it off."""


def run(guest: Guest, command: str, *, limit_s: float = 120, code: int | None = 0) -> str:
    """Runs a command and returns what it wrote; asserts that it exits with `code`, unless that is None."""
    result = guest.execute(command, limit_s)
    assert code in (None, result.code), f"{command}\nexited with {result.code}:\n{result.out}"
    return result.out.rstrip("\n")


def write_file(guest: Guest, path: str, text: str) -> None:
    """Writes a file, and creates its folder."""
    encoded = base64.b64encode(text.encode()).decode()
    name = shlex.quote(path)
    run(guest, f'mkdir -p "$(dirname {name})" && base64 -d >{name} <<<{encoded}')


def wait_until(guest: Guest, command: str, *, limit_s: float = 60) -> float:
    """Runs a command until it succeeds, and returns the seconds that it took.

    Raises:
        AssertionError: The command still fails after `limit_s`.
    """
    start_s = time.monotonic()
    while (result := guest.execute(command, limit_s)).code:
        assert time.monotonic() - start_s < limit_s, (
            f"{command}\nstill fails after {limit_s:g} s:\n{result.out}"
        )
        time.sleep(_POLL_S)
    return time.monotonic() - start_s


class Container:
    """A Debian tree under systemd-nspawn."""

    def __init__(self, root: Path, payload: Path) -> None:
        """Boots the tree."""
        self._console = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._process = subprocess.Popen(
            ["timeout", "--kill-after=20", "3600", str(HERE / "container.sh"), str(root), str(payload)],
            stdout=self._console,
            stderr=self._console,
        )
        self._first_pid = self._find_first_process()
        try:
            # A system is "degraded" when all units were started and some of them failed.
            wait_until(self, "systemctl is-system-running --wait | grep -E 'running|degraded'")
        except AssertionError:
            self.close()
            raise

    def execute(self, command: str, limit_s: float) -> CommandResult:
        """Runs a command in it."""
        return _run_in_namespaces(self._first_pid, ("--all",), command, limit_s)

    def close(self) -> None:
        """Switches it off."""
        self.execute("systemctl poweroff", 20)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            os.kill(self._first_pid, 9)
            self._process.wait(30)
        self._console.close()

    def _find_first_process(self) -> int:
        """Returns the id that the container's first process has outside of it."""
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
    """A Debian tree that is not booted; programs of another processor are emulated."""

    def __init__(self, root: Path, payload: Path) -> None:
        """Starts the process in whose namespaces commands run."""
        self._work = Path(tempfile.mkdtemp(prefix="emotiny-"))
        self._process = subprocess.Popen(
            [str(HERE / "userland.sh"), str(root), str(payload), str(self._work)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout
        output = self._process.stdout.readline()
        if output != "ready\n":
            output += self._process.stdout.read()
            self.close()
            raise AssertionError(f"{root} does not start: {output}")

    def execute(self, command: str, limit_s: float) -> CommandResult:
        """Runs a command in it."""
        return _run_in_namespaces(self._process.pid, ("--mount", "--net", "--root", "--wd"), command, limit_s)

    def close(self) -> None:
        """Discards what was written in it."""
        self._process.kill()
        self._process.communicate()
        self._work.rmdir()


class Machine:
    """A virtual machine."""

    def __init__(self, disk: Path, payload: Path, folder: Path) -> None:
        """Boots the machine.

        Args:
            disk: Folder with a kernel and a disk.
            payload: Folder that becomes /payload.
            folder: Folder for temporary files.
        """
        with tarfile.open(folder / "payload.tar", "w") as tar:
            tar.add(payload, "payload")
        self._console = folder / "console"
        socket_path = folder / "agent"
        arguments = (disk, folder / "payload.tar", socket_path, self._console)
        self._process = subprocess.Popen(
            ["timeout", "--kill-after=20", "3600", str(HERE / "machine.sh"), *map(str, arguments)]
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
            assert self._receive() == {"ready": True}
        except AssertionError as error:
            self._process.kill()
            raise AssertionError(f"the machine does not boot: {self._console.read_text()[-2000:]}") from error
        run(self, "tar -xf /dev/vdb -C /")

    def execute(self, command: str, limit_s: float) -> CommandResult:
        """Runs a command in it."""
        self._socket.settimeout(limit_s + 60)
        self._socket.sendall(json.dumps({"command": command, "limit_s": limit_s}).encode() + b"\n")
        return CommandResult(**self._receive())  # type: ignore[arg-type]

    def close(self) -> None:
        """Switches it off and discards what was written in it."""
        self._socket.close()
        self._lines.close()
        self._process.terminate()
        self._process.wait(20)

    def _receive(self) -> dict[str, object]:
        try:
            line = self._lines.readline()
        except OSError as error:  # it stays so: what follows could be the reply to an earlier request
            console = self._console.read_text()[-2000:]
            raise AssertionError(f"the machine does not answer: {console}") from error
        assert line, f"the machine is gone: {self._console.read_text()[-2000:]}"
        reply: dict[str, object] = json.loads(line)
        return reply


def _run_in_namespaces(pid: int, options: tuple[str, ...], command: str, limit_s: float) -> CommandResult:
    """Runs a command in namespaces of a process, which the options of nsenter name."""
    arguments = ("nsenter", "--target", str(pid), *options, "--", "/bin/bash", "-c", command)
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
    # A file and not a pipe, which a background process of the command would keep open.
    with tempfile.TemporaryFile() as file:
        try:
            done = subprocess.run(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                timeout=limit_s,
                check=False,
                env=environment,
            )
            code = done.returncode
        except subprocess.TimeoutExpired:
            code = 124
        file.seek(0)
        return CommandResult(code, file.read().decode(errors="replace"))


def _descendants(pid: int) -> list[int]:
    pids = []
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            pids += [int(child), *_descendants(int(child))]
    return pids
