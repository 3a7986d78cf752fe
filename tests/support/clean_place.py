"""A terminal in a place where nothing of this project is set, stored or running."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.device import link_packages

_ROOT = Path(__file__).parents[2]
LIMIT_S = 300.0  # for a machine that does something else besides


@dataclass(frozen=True)
class Answer:
    """What a command answered.

    Attributes:
        code: Exit code.
        out: Standard output.
        err: Standard error.
    """

    code: int
    out: str
    err: str


class CleanPlace:
    """An empty folder to type commands in, with a home of its own and no variable of this process but PATH.

    Attributes:
        here: The folder that the next command is typed in; `cd` changes it.
        tools: A folder of commands that come before those of the system.
        environment: The environment variables of the commands.
    """

    def __init__(self, folder: Path) -> None:
        """Creates the folders within another one, which must be empty."""
        self._log = folder / "log"
        self.here, self.tools, home = folder / "here", folder / "bin", folder / "home"
        for made in (self._log, self.here, self.tools, home):
            made.mkdir()
        self.environment = {
            "HOME": str(home),
            "PATH": f"{self.tools}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
        }

    def add_tool(self, name: str, *command: object, **environment: object) -> None:
        """Adds a command that runs another one with some more environment variables."""
        path = self.tools / name
        path.parent.mkdir(parents=True, exist_ok=True)
        given = " ".join(f"'{key}={value}'" for key, value in environment.items())
        path.write_text(f'#!/bin/sh\nexec env {given} {" ".join(map(str, command))} "$@"\n')
        path.chmod(0o755)

    def cd(self, folder: Path | str) -> None:
        """Changes the folder that the next command is typed in."""
        self.here = self.here / folder

    def type(
        self,
        line: str,
        *,
        until: str = "",
        keys: str = "",
        limit_s: float = LIMIT_S,
        variables: Mapping[str, str] | None = None,
    ) -> Answer:
        """Types a line, and waits for its end.

        Args:
            line: What is typed, for bash.
            until: Ctrl-C is typed when this pattern is in the output; "" to wait for the end.
            keys: What is typed into the command.
            limit_s: Seconds after which the command fails the test.
            variables: Further environment variables.

        Raises:
            AssertionError: It does not end in time, or without Ctrl-C although that was to be typed.
        """
        files = self._log / "out", self._log / "err"
        with files[0].open("w") as out, files[1].open("w") as err:
            process = subprocess.Popen(
                # What was started behind a shell is deaf to Ctrl-C, unless it is told otherwise.
                ["env", "--default-signal=INT", "bash", "-c", line],
                cwd=self.here,
                env={**self.environment, **(variables or {})},
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=err,
                text=True,
                # A group of its own, as a shell gives it, so that Ctrl-C reaches all of its processes.
                start_new_session=True,
            )
        try:
            if process.stdin is not None:
                process.stdin.write(keys)
                process.stdin.close()
            if until:
                self._wait_for(until, process, limit_s)
                os.killpg(process.pid, signal.SIGINT)
            process.wait(limit_s)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Answer(process.returncode, *(file.read_text(errors="replace") for file in files))

    def _wait_for(self, pattern: str, process: subprocess.Popen[str], limit_s: float) -> None:
        until_s = time.monotonic() + limit_s
        while True:
            ended = process.poll() is not None
            text = "".join(file.read_text(errors="replace") for file in sorted(self._log.iterdir()))
            if re.search(pattern, text):
                return
            assert not ended and time.monotonic() < until_s, f"no {pattern!r} in {text}"
            time.sleep(0.05)


def add_checkout(place: CleanPlace, *environments: str) -> None:
    """Adds the files that make reads, and environments that are set up already and run the code under test.

    Args:
        place: The place.
        environments: Folders of the environments.
    """
    for name in ("Makefile", "setup.cfg", "pyproject.toml"):
        shutil.copy(_ROOT / name, place.here / name)
    for folder in environments:
        python = f"../{place.here.name}/{folder}/bin/python"
        place.add_tool(python, sys.executable, PYTHONPATH=_ROOT, PYTHONDONTWRITEBYTECODE=1)
        (place.here / folder / ".done").touch()


def without_an_index(place: CleanPlace, folder: Path) -> None:
    """Lets pip find in a place all that this environment has, and nothing else; `python3` is of its version.

    Args:
        place: The place.
        folder: Empty folder for links to the packages.
    """
    link_packages(folder, build_tools=True)
    place.add_tool("python3", sys.executable)
    place.environment |= {
        "PYTHONPATH": str(folder),
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it as the value of --build-isolation
    }
