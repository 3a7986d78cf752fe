"""The real program, in a process of its own."""

import subprocess
import sys

LIMIT_S = 60  # for a machine that does something else besides


def start(*arguments, **more):
    command = [sys.executable, "-W", "error", "-m", "edge", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def finish(process):
    out, err = process.communicate(timeout=LIMIT_S)
    assert "Traceback" not in err
    return process.returncode, out, err
