"""Priorities of lines that a process writes to standard error, as systemd's journal reads them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")

LOGS = """
import logging
from edge.system.journal import start_logging
start_logging("debug")
for level in (10, 20, 25, 30, 40, 50):
    logging.log(level, "level %d", level)
try:
    1 / 0
except ZeroDivisionError:
    logging.exception("no number")
"""
WRONG = ("-m", "edge", "run", "--source", "demo", "--min-face", "2")


def ran(path, *arguments, stream=None):
    """Returns the lines that Python writes to standard error, a file that JOURNAL_STREAM names by default."""
    with path.open("wb") as file:
        status = os.fstat(file.fileno())
        environment = os.environ | {"JOURNAL_STREAM": stream or f"{status.st_dev}:{status.st_ino}"}
        subprocess.run([sys.executable, *arguments], stderr=file, check=False, timeout=60, env=environment)
    return path.read_text().splitlines()


def test_each_line_has_the_priority_of_its_level(tmp_path):
    lines = ran(tmp_path / "journal", "-c", LOGS)
    marks = ["<7>DEBUG", "<6>INFO", "<6>Level 25", "<4>WARNING", "<3>ERROR", "<2>CRITICAL"]
    for line, mark in zip(lines, marks, strict=False):
        assert line.startswith(mark)
    traceback = lines[len(marks) :]
    assert traceback[0] == "<3>ERROR root: no number"
    assert traceback[1] == "<3>Traceback (most recent call last):"
    assert all(line.startswith("<3>") for line in traceback)


def test_the_last_line_of_a_failure_has_the_priority_of_an_error(tmp_path):
    (line,) = ran(tmp_path / "journal", *WRONG)
    assert line.startswith("<3>emotiny: error: ")


@pytest.mark.parametrize("stream", ["1:1", "nonsense", "-"])
def test_lines_for_a_person_or_a_file_have_no_priority(tmp_path, stream):
    """Children inherit JOURNAL_STREAM from a service, and may have another standard error."""
    assert ran(tmp_path / "log", "-c", LOGS, stream=stream)[0] == "DEBUG root: level 10"
    (line,) = ran(tmp_path / "log", *WRONG, stream=stream)
    assert line.startswith("emotiny: error: ")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (WRONG, 2),
        (("-m", "edge", "run", "--source", "demo", "--output", "jsonl"), 4),
        (
            (
                "-m",
                "edge",
                "run",
                "--source",
                "demo",
                "--fast",
                "--max-frames",
                "2",
                "--annotate",
                "{}/a.png",
            ),
            0,
        ),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_exit_code_stays_if_nothing_can_be_printed(tmp_path, arguments, code, unbuffered):
    command = [sys.executable, *(word.format(tmp_path) for word in arguments)]
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with FULL.open("wb") as full, Path(os.devnull if code == 0 else FULL).open("wb") as out:
        done = subprocess.run(command, stdout=out, stderr=full, check=False, timeout=60, env=environment)
    assert done.returncode == code


def test_a_closed_standard_error_is_no_journal():
    check = (
        "import os, sys\nos.close(2)\nfrom edge.system.journal import is_journal\n"
        "sys.exit(int(is_journal({'JOURNAL_STREAM': '1:1'})))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False, timeout=60).returncode == 0
