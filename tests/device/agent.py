#!/usr/bin/python3
"""In the virtual machine: runs the shell commands that come over a virtio port, one JSON object a line."""

import json
import subprocess
import sys
import tempfile
import time
from typing import Any


def main() -> None:
    """Answers commands until the machine goes."""
    with open(sys.argv[1], "r+b", buffering=0) as port:  # noqa: PTH123
        port.write(b'{"ready": true}\n')
        waiting = b""
        while True:
            part = port.read(65536)
            if not part:  # nobody is at the other end
                time.sleep(0.1)
                continue
            *lines, waiting = (waiting + part).split(b"\n")
            for line in lines:
                port.write(json.dumps(answer(json.loads(line))).encode() + b"\n")


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """What came of a command: its exit code, 124 where it took too long, and all that it wrote."""
    # Not a pipe: what a command leaves running would keep that open.
    with tempfile.TemporaryFile() as file:
        try:
            code = subprocess.run(
                ["/bin/bash", "-c", request["command"]],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                timeout=request["limit_s"],
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            code = 124
        file.seek(0)
        return {"code": code, "out": file.read().decode(errors="replace")}


if __name__ == "__main__":
    main()
