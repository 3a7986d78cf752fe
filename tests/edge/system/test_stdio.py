"""What libraries of native code print to standard error."""

import os
import re
import subprocess
import sys

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
