"""The installer, as far as it goes without root and without a board."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "systemd" / "install.sh"


def run(*words, **environment):
    return subprocess.run(
        [str(SCRIPT), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"SYSTEMCTL": "false"} | environment,
    )


@pytest.fixture
def path(tmp_path):
    """Makes a PATH on which commands answer as they would elsewhere."""

    def make(**commands):
        for name, body in commands.items():
            command = tmp_path / name.replace("_", "-")
            command.write_text(f"#!/bin/sh\n{body}\n")
            command.chmod(0o755)
        return f"{tmp_path}:{os.environ['PATH']}"

    return make


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck: apt-get install shellcheck")
def test_shellcheck_finds_nothing():
    done = subprocess.run(["shellcheck", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("words", "commands", "said"),
    [
        ((), {"id": "echo 1000"}, "needs root: sudo "),
        (("--uninstall",), {"id": "echo 1000"}, "needs root: sudo "),
        (("--wheels",), {}, "--wheels : expected a folder of wheels"),
        (("--wheels", "/nowhere"), {}, "--wheels /nowhere: expected a folder of wheels"),
        (("missing.whl",), {}, "missing.whl: no such wheel"),
        (("--force",), {}, "--force: expected a wheel, --wheels FOLDER, --no-apt or --uninstall"),
        (
            (),
            {
                "id": "echo 0",
                "python3": 'case "$*" in *"(3, 10)"*) exit 1;; *) echo Python 3.8.10;; esac',
            },
            "Python 3.8.10 is too old, 3.10 or later is needed",
        ),
        (
            (),
            {"id": "echo 0", "python3": 'case "$*" in *maxsize*) exit 1;; esac'},
            "this system is of 32 bits",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line_before_anything_is_touched(words, commands, said, path):
    done = run(*words, PATH=path(**commands))
    assert done.returncode == 2
    assert done.stderr.startswith("emotiny: error: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_help_says_how_it_is_used():
    done = run("--help")
    assert done.returncode == 0
    assert "--uninstall" in done.stdout
    assert "set -euo" not in done.stdout
