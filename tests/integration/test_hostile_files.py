"""Files without an end, and pipes that nobody writes to, wherever a file can be named."""

import os
import subprocess
import sys

import pytest

LIMIT_S = 60  # for a machine that does something else besides


@pytest.fixture
def files(tmp_path):
    """{name: path} of a pipe without a writer, an endless device, a link to it, and a settings file."""
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    folder = tmp_path / "settings"
    folder.mkdir()
    (folder / "config.toml").touch()
    os.mkfifo(folder / "mqtt_password")
    return {
        "PIPE": str(tmp_path / "pipe.json"),
        "LINK": str(tmp_path / "zero.json"),
        "ZERO": "/dev/zero",
        "SETTINGS": str(folder / "config.toml"),
    }


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("--source PIPE", 1, "pipe.json: a pipe; expected a regular file"),
        ("--source ZERO", 1, "/dev/zero: a device; expected a regular file"),
        ("--source demo --config PIPE", 2, "pipe.json: cannot be read: a pipe; expected a regular file"),
        ("--source demo --config ZERO", 2, "/dev/zero: cannot be read: a device; expected a regular file"),
        ("--source demo --config SETTINGS", 2, "mqtt_password: cannot be read: a pipe; expected"),
        ("--source demo --emotion-model PIPE", 2, "pipe.json: a pipe; expected a regular file"),
        ("--source demo --gender-model LINK", 2, "zero.json: a device; expected a regular file"),
        ("--source demo --detector haar --cascade PIPE", 2, "pipe.json: cannot be read: a pipe; expected"),
        ("--source demo --mqtt-password-file PIPE", 2, "pipe.json: cannot be read: a pipe; expected"),
        ("--source demo --mqtt-password-file ZERO", 2, "/dev/zero: cannot be read: a device; expected"),
        ("--source demo --mqtt-tls --mqtt-ca PIPE", 2, "pipe.json: cannot be read: a pipe; expected"),
        ("--source demo --mqtt-tls --mqtt-ca ZERO", 2, "/dev/zero: cannot be read: a device; expected"),
    ],
)
def test_no_file_without_an_end_is_waited_for(files, words, code, message):
    arguments = [files.get(word, word) for word in words.split()]
    done = subprocess.run(
        [sys.executable, "-m", "edge", "run", "--max-frames", "1", *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == code
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("emotiny: error: ")]
    assert message in line
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not os.access("/proc/kmsg", os.R_OK), reason="only root may read /proc/kmsg")
def test_the_kernel_s_messages_are_no_video():
    """It looks like a regular file, and reading it waits until the kernel says something."""
    done = subprocess.run(
        [sys.executable, "-m", "edge", "run", "--source", "/proc/kmsg"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 1
    assert "/proc/kmsg: cannot be read as a video" in done.stderr
    assert "Traceback" not in done.stderr
