#!/usr/bin/python3
"""Runs shell commands inside the virtual machine; requests and replies are lines of JSON on a virtio port."""

import json
import subprocess
import sys
import tempfile
import time
from typing import Any


def main() -> None:
    """Replies to requests until the machine is switched off."""
    with open(sys.argv[1], "r+b", buffering=0) as port:  # noqa: PTH123
        port.write(b'{"ready": true}\n')
        unfinished = b""
        while True:
            received = port.read(65536)
            if not received:  # nothing is connected to the other end
                time.sleep(0.1)
                continue
            *lines, unfinished = (unfinished + received).split(b"\n")
            for line in lines:
                reply = memoryview(json.dumps(execute(json.loads(line))).encode() + b"\n")
                while reply:  # the port takes 32 KiB at a time
                    reply = reply[port.write(reply) :]


def execute(request: dict[str, Any]) -> dict[str, Any]:
    """Runs a command and returns its output and exit code; the code is 124 if it took too long."""
    # A file and not a pipe, which a background process of the command would keep open.
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
