"""Gives an input to the real command line, and looks at its exit code and at what it prints."""

from __future__ import annotations

import re
import signal
import subprocess
import sys

from tests.fuzz.target import Target, base_environment

_LINE = re.compile(r"(?:DEBUG|INFO|WARNING|ERROR|CRITICAL) [\w.]+: |emotiny: |$")
_ERROR = "emotiny: error: "
_EXIT_CODES = (0, 1, 2, 3, 4)


def run_command(target: Target, content: bytes, code: int | None) -> str:
    """Runs the command line for an input.

    Args:
        target: What the input is for.
        content: The input.
        code: Exit code that is expected; None if it is not known.

    Returns:
        What is wrong; empty if nothing is, or if there is no command line for this input.
    """
    with target.command(content) as command:
        if command is None:
            return ""
        try:
            done = subprocess.run(
                [sys.executable, "-m", "edge", *command.words],
                cwd=target.folder,
                # As with a locale of UTF-8: the one of C writes whatever it reads.
                env=base_environment() | {"PYTHONIOENCODING": "utf-8:strict"} | command.variables,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=target.command_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"the command line takes more than {target.command_s:g} s: {command.words}"
    err = done.stderr.decode(errors="backslashreplace")
    expected = None if command.any_code else code if command.code is None else command.code
    if target.libraries_print:
        err = "".join(
            line for line in err.splitlines(keepends=True) if _LINE.match(line) or "Traceback" in line
        )
    problem = problem_of(command.words[0] if command.words else "", done.returncode, err, expected)
    return f"{problem}: {command.words}\n{err[-3000:]}" if problem else ""


def problem_of(name: str, returned: int, err: str, code: int | None) -> str:
    """Returns what is wrong with a command line that has ended; empty if nothing is.

    Args:
        name: Name of the command.
        returned: Its exit code; negative for a signal.
        err: What it printed to standard error.
        code: Exit code that is expected; None for any that is documented.
    """
    if returned < 0:
        return f"the command line ends by {signal.Signals(-returned).name}"
    if "Traceback" in err:
        return "the command line prints a traceback"
    if returned not in _EXIT_CODES or (code is not None and returned != code):
        expected = _EXIT_CODES if code is None else code
        return f"the command line ends with exit code {returned}, expected {expected}"
    errors = sum(line.startswith(_ERROR) for line in err.split("\n"))
    # `check` prints a line for each thing that it looked at, and no error.
    if errors != (1 if returned else 0) and not (name == "check" and not errors):
        return f"the command line prints {errors} errors with exit code {returned}"
    if strange := [line for line in err.split("\n") if not _LINE.match(line)]:
        return f"the command line prints {strange[0]!r} beside its messages"
    return ""
