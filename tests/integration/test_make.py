"""`make` finds a Python for the desktop, says which, and names what to install where there is none."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.sources import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
# Answers its version when it is asked for one, and has no venv module.
PYTHON = """#!/bin/sh
[ "$1" = -c ] && {{ {answer}; }}
exit 1
"""


def words_of(variable):
    (line,) = re.findall(rf"^{variable} := (.*)", MAKEFILE, re.MULTILINE)
    return set(line.split())


def test_every_variable_that_the_makefile_asks_for_may_be_given():
    """Another one is refused, which tests/integration/test_first_hour_mistakes.py shows."""
    used = set(re.findall(r"\$\((?:if \$\(|or \$\()?([A-Z_]+)\b", MAKEFILE))
    defined = set(re.findall(r"^([A-Z_]+) *:?=", MAKEFILE, re.MULTILINE))
    by_make = {"CURDIR", "MAKECMDGOALS", "MAKEFILE_LIST"}
    given = words_of("VARIABLES") | {"SOURCE_DATE_EPOCH"}
    assert used - defined - by_make - set(re.findall(r"^define (\w+)", MAKEFILE, re.MULTILINE)) == given
    assert words_of("FOLDERS") <= defined


@pytest.fixture
def make(tmp_path):
    """Runs make in a folder without environments, where the only Pythons are those that a test puts there."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "make", "stat", "git", "nproc"):
        (tools / name).symlink_to(Path(shutil.which(name) or name).resolve())
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("Makefile", "setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, tree / name)

    def run(*words, **pythons):
        for name, answer in pythons.items():
            path = tools / f"python{name[1:].replace('_', '.')}"
            path.write_text(PYTHON.format(answer=answer))
            path.chmod(0o755)
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "PYTHON"))
        }
        return subprocess.run(
            ["make", *words],
            cwd=tree,
            env=environment | {"PATH": str(tools)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_the_first_python_that_starts_makes_the_environment(make):
    """A shim of pyenv is there, but does not start."""
    done = make("test", p3_11="exit 127", p3_12="echo 3.12.9; exit 0", p3_13="echo 3.13.1; exit 0")
    assert done.returncode == 2
    first, second = done.stdout.splitlines()
    assert first.startswith("setting up .venv with Python 3.12.9: ")
    assert second == "error: no venv module: sudo apt install python3.12-venv"


@pytest.mark.parametrize("given", ["python3.13", "PATH/python3.13"])
def test_the_python_that_is_given_comes_first(make, tmp_path, given):
    given = given.replace("PATH", str(tmp_path / "bin"))
    done = make("train", f"PYTHON={given}", p3_11="echo 3.11.2; exit 0", p3_13="echo 3.13.1; exit 0")
    assert done.stdout.startswith("setting up .venv with Python 3.13.1: ")


def test_without_any_that_fits_the_error_names_what_to_install(make):
    for words, tried in (
        (("test",), "python3.13 python3"),
        (("test", "PYTHON=python3.14"), "is one: python3.14;"),
    ):
        done = make(*words, p3_14="exit 1", p3="exit 1")
        assert done.returncode == 2
        assert tried in done.stdout
        assert "Python 3.11, 3.12 or 3.13" in done.stdout
        assert "sudo apt install python3 python3-venv, or make test PYTHON=/path/to/python3.13" in done.stdout
        assert "setting up" not in done.stdout
