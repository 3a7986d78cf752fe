"""The process that has the program take inputs, one after the other, and may die of one.

`python -m tests.fuzz.worker PLACE FOLDER` reads, for each input, a line of JSON and the input; it answers
each with a line of JSON.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import sys
import threading
import traceback
from pathlib import Path

from edge.errors import EdgeError
from edge.sources.picture_header import limit_opencv
from tests.fuzz.command import run_command
from tests.fuzz.target import BrokenPromiseError, Target, open_target

MAX_RESIDENT_KB = 400_000
EXIT_CODES = (1, 2, 3, 4)


class Complaints(logging.Handler):
    """Collects what the log and other threads must not hold: tracebacks, and messages of several lines."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Looks at a record."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - whatever a wrong format raises is to be reported
            message = f"cannot be formatted: {record.msg}\n{traceback.format_exc()}"
        if record.exc_info:
            message += f"\n{''.join(traceback.format_exception(*record.exc_info))}"
        if len(message.splitlines()) > 1:
            self.texts.append(f"logged by {record.name}: {message}")

    def on_thread_exception(self, caught: threading.ExceptHookArgs) -> None:
        """Looks at an exception that ended a thread."""
        lines = traceback.format_exception(caught.exc_type, caught.exc_value, caught.exc_traceback)
        self.texts.append(f"in a thread: {''.join(lines)}")


def main() -> None:
    """Tries inputs until there are no more."""
    replies = os.fdopen(os.dup(1), "w")
    requests = os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)  # what a library prints must not come between the answers
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open to the end
    limit_opencv()
    complaints = Complaints()
    logging.basicConfig(handlers=[complaints], level=logging.DEBUG)
    threading.excepthook = complaints.on_thread_exception
    target = open_target(sys.argv[1], Path(sys.argv[2]))
    for line in iter(requests.readline, b""):
        header = json.loads(line)
        answer = _answer(target, requests.read(header["bytes"]), complaints, sampled=header["sampled"])
        replies.write(json.dumps(answer) + "\n")
        replies.flush()


def _answer(target: Target, content: bytes, complaints: Complaints, *, sampled: bool) -> dict[str, object]:
    complaints.texts.clear()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # the peak of each input by itself
    children_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    kind, text, code = _try(target, content)
    resident_kb = _peak_kb()
    if sampled and kind != "failure":
        problem = run_command(target, content, code)
        kind, text = ("failure", problem) if problem else (kind, text)
    grown_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    if complaints.texts:
        kind, text = "failure", complaints.texts[0]
    for what, size_kb in (("", resident_kb), ("a child ", grown_kb if grown_kb > children_kb else 0)):
        if size_kb > MAX_RESIDENT_KB:
            kind, text = "failure", f"{what}takes {size_kb // 1000} MB of memory; {text}"
    return {"kind": kind, "text": text, "peak_kb": resident_kb, "child_kb": grown_kb}


def _try(target: Target, content: bytes) -> tuple[str, str, int | None]:
    """Returns the kind of the outcome, a text, and the exit code of the command line if it is known."""
    try:
        accepted = target.try_input(content)
    except EdgeError as error:
        return _refused(error)
    except SystemExit as ended:  # --help and --version
        kind = "failure" if ended.code else "accepted"
        return kind, f"the parser ends the program with {ended.code!r}", 0
    except BrokenPromiseError as error:
        return "failure", str(error), None
    except BaseException:  # noqa: BLE001 - that is what is searched for
        return "failure", traceback.format_exc(), None
    return ("accepted", "", 0) if accepted else ("refused", "", None)


def _refused(error: EdgeError) -> tuple[str, str, int | None]:
    text = " ".join(str(error).split())
    if not text or error.exit_code not in EXIT_CODES:
        return "failure", f"{type(error).__name__} with exit code {error.exit_code} says {text!r}", None
    return "refused", text, error.exit_code


def _peak_kb() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
