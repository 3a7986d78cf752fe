"""What is printed: by libraries of native code, and where an encoding lacks it."""

import os
import re
import subprocess
import sys

import pytest

from edge.system import stdio

_CHATTER = re.compile(rb"INFO: chatter")


def test_only_lines_that_match_are_kept_from_standard_error(capfd):
    with stdio.without_native_lines(_CHATTER):
        os.write(2, b"INFO: chatter of a library\nan error of it\n")
        os.write(2, b"a line of ours\n")
        os.write(2, b"INFO: chatter again\nno newline")
    os.write(2, b", after it\n")
    assert capfd.readouterr().err == "an error of it\na line of ours\nno newline, after it\n"


def test_an_error_keeps_what_was_printed_before_it(capfd):
    try:
        with stdio.without_native_lines(_CHATTER):
            os.write(2, b"the reason\n")
            raise ValueError
    except ValueError:
        pass
    assert capfd.readouterr().err == "the reason\n"


def test_nothing_is_kept_back_where_there_is_no_file_in_memory(capfd, monkeypatch):
    monkeypatch.delattr(os, "memfd_create")
    with stdio.without_native_lines(_CHATTER):
        os.write(2, b"INFO: chatter\n")
    assert capfd.readouterr().err == "INFO: chatter\n"


def test_a_run_prints_nothing_that_emotiny_did_not_write():
    done = subprocess.run(
        [sys.executable, "-m", "edge", "run", "--source", "demo", "--fast", "--max-frames", "3"],
        env=os.environ | {"EMOTINY_RUNTIME": "litert"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(re.match(r"INFO edge\.|emotiny: ", line) for line in done.stderr.splitlines()), done.stderr


@pytest.mark.parametrize(("encoding", "shown"), [("utf-8:strict", r"\udcff…"), ("latin-1", r"\udcff\u2026")])
def test_the_name_of_a_file_need_not_be_in_the_encoding_of_the_output(tmp_path, encoding, shown):
    """As with a locale of UTF-8 or Latin-1; with that of C, Python writes the bytes that it has read."""
    (tmp_path / "a\udcff….toml").write_text('source = "demo"\n')
    done = subprocess.run(
        [sys.executable, "-m", "edge", "config", "--config", b"a\xff\xe2\x80\xa6.toml"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert f'source = "demo"  # a{shown}.toml' in done.stdout.decode(encoding.partition(":")[0])
