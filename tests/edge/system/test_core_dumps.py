"""No core dump of the program, whatever the shell that started it allows."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

LIMIT_S = 60


# As a user may have set it in the shell that starts the program.
ALLOW = ("sh", "-c", 'ulimit -c unlimited && exec "$@"', "sh")


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*ALLOW, sys.executable, *words],
        cwd=folder,
        env=os.environ | {"EMOTINY_MQTT_PASSWORD": "only for us"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def dumps_core(process: subprocess.Popen[str], folder: Path) -> bool:
    """Aborts the process as systemd's watchdog does, and returns whether the system wrote a core dump."""
    assert process.stdout is not None
    assert process.stdout.readline()  # it is at work
    process.send_signal(signal.SIGABRT)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = status
    process.stdout.close()
    assert os.WTERMSIG(status) == signal.SIGABRT
    cores = [path for path in folder.iterdir() if path.name.startswith("core")]
    dumped = os.WCOREDUMP(status) or bool(cores)
    for path in cores:
        path.unlink()
    return dumped


BUSY = "import time; print('ready', flush=True); time.sleep(60)"


@pytest.fixture(autouse=True)
def _may_allow_core_dumps() -> None:
    if subprocess.run([*ALLOW, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("this user may not allow core dumps")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which a crashing program leaves a core dump, if the system writes one at all."""
    if not dumps_core(start(tmp_path, "-c", BUSY), tmp_path):
        pytest.skip("this system writes no core dumps")
    return tmp_path


def test_the_program_leaves_no_core_dump(folder: Path) -> None:
    process = start(folder, "-m", "edge", "run", "--source", "demo", "--output", "jsonl")
    assert not dumps_core(process, folder)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("missing", ["resource.setrlimit", "ctypes.CDLL"])
def test_either_measure_is_enough(folder: Path, missing: str) -> None:
    """The kernel ignores the limit where a program receives core dumps."""
    code = (
        "import ctypes, resource\n"
        "class Nothing:\n    def prctl(*_): pass\n"
        f"{missing} = lambda *_: Nothing\n"
        f"from edge.system.core_dumps import forbid_core_dumps\nforbid_core_dumps()\n{BUSY}"
    )
    assert not dumps_core(start(folder, "-c", code), folder)


def test_the_limit_of_the_running_program_is_0(tmp_path: Path) -> None:
    process = start(tmp_path, "-m", "edge", "run", "--source", "demo", "--output", "jsonl")
    assert process.stdout is not None
    assert process.stdout.readline()
    limits = Path(f"/proc/{process.pid}/limits").read_text()
    process.terminate()
    process.communicate(timeout=LIMIT_S)
    assert re.search(r"^Max core file size +0 +0 +bytes", limits, re.MULTILINE)


@pytest.fixture
def as_another_user() -> list[str]:
    """The beginning of a command that a user without rights runs."""
    if os.geteuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("root needs setpriv (util-linux) to become another user")
    command = ["setpriv", "--reuid=65534", "--clear-groups"]
    # Such as one below /root, with a shared library that only root may read.
    if subprocess.run([*command, sys.executable, "-c", ""], capture_output=True, check=False).returncode:
        pytest.skip(f"another user than root cannot run {sys.executable}")
    return command


@pytest.mark.parametrize("forbids", [False, True])
def test_the_environment_is_closed_to_other_programs_of_the_user(
    as_another_user: list[str], forbids: bool
) -> None:
    code = f"from edge.system.core_dumps import forbid_core_dumps\nif {forbids}: forbid_core_dumps()\n{BUSY}"
    command = [*as_another_user, sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        read = subprocess.run(
            [*as_another_user, "cat", f"/proc/{process.pid}/environ"],
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        process.kill()
    assert (read.returncode != 0) == forbids
    assert ("PATH=" in read.stdout) != forbids


def test_the_program_reads_a_video_by_its_descriptor_although_it_is_not_dumpable(
    tmp_path: Path, as_another_user: list[str]
) -> None:
    """Its folder in /proc belongs to root then."""
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    code = (
        "from edge.system.core_dumps import forbid_core_dumps; forbid_core_dumps()\n"
        "import os, sys\nfrom edge.sources.factory import open_source\n"
        "assert os.geteuid() == 0 or os.stat('/proc/self/fd').st_uid == 0\n"
        "print(sum(frame is not None for frame in open_source('/dev/fd/0', fast=True)))"
    )
    with path.open("rb") as file:
        ran = subprocess.run(
            [*as_another_user, sys.executable, "-c", code],
            stdin=file,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "1\n", "")
