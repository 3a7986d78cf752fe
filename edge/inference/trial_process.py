"""The process in which `edge.inference.trial` tries networks: opens each, and has it read some pictures.

Standard input holds, for each network, a line of JSON and the content of the file. A line of JSON is written
to standard output before and after each step, so that the last one tells what this process died of.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np

from edge.errors import ModelError
from edge.inference.contract import PROPOSAL_STRIDE, Contract
from edge.inference.interpreter import chosen_runtime
from edge.inference.network import Network

# What the networks may take beyond what the imports took.
_MEMORY_BYTES = 128 << 20
_PROCESSOR_S = 10
# A proposal network reads pictures of many sizes: the least, that of the second opinion, a part of a frame.
_FURTHER_HW = ((8, 8), (64, 64), (240, 320))


def main() -> None:
    """Tries all networks on standard input."""
    # What a runtime writes to standard output must not come between the steps.
    with os.fdopen(os.dup(1), "w") as output:
        os.dup2(2, 1)
        chosen_runtime()  # imports it
        _limit_resources()
        for line in iter(sys.stdin.buffer.readline, b""):
            header = json.loads(line)
            content = sys.stdin.buffer.read(header["bytes"])
            contract = Contract.from_json(header["contract"])

            def report(step: str, reason: str = "", sha256: str = contract.sha256) -> None:
                output.write(json.dumps({"sha256": sha256, "step": step, "reason": reason}) + "\n")
                output.flush()

            report("opening")
            try:
                network = Network(Path(header["path"]), contract, content)
                report("reading")
                _read_pictures(network)
            except ModelError as error:
                report("refused", str(error))
            else:
                report("passed")


def _read_pictures(network: Network) -> None:
    """Has a network read a black, a white and a noisy picture of each size.

    Raises:
        ModelError: it cannot, or returns something else than its contract says.
    """
    contract = network.contract
    sizes = (contract.size, contract.size), *(_FURTHER_HW if contract.task == "proposal" else ())
    random = np.random.default_rng(0)
    for height, width in sizes:
        sized = network.resized((height, width)) if (height, width) != sizes[0] else network
        cells = (height // PROPOSAL_STRIDE, width // PROPOSAL_STRIDE) if contract.task == "proposal" else ()
        expected = (*cells, len(contract.labels))
        for picture in (
            np.zeros((height, width), np.uint8),
            np.full((height, width), 255, np.uint8),
            random.integers(0, 256, (height, width), np.uint8),
        ):
            codes = sized.run(picture)
            if codes.shape != expected or codes.dtype != contract.output_dtype:
                raise ModelError(
                    f"model {network.path}: returns {codes.dtype} {list(codes.shape)} for a picture of "
                    f"{width}x{height}; expected {contract.output_dtype} {list(expected)}"
                )


def _limit_resources() -> None:
    """Keeps a network from taking the machine's memory and time, and from leaving a core dump."""
    page_bytes = resource.getpagesize()
    used_bytes = int(Path("/proc/self/statm").read_text().split()[0]) * page_bytes
    used_s = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + 1
    for kind, limit in (
        (resource.RLIMIT_AS, used_bytes + _MEMORY_BYTES),
        (resource.RLIMIT_CPU, used_s + _PROCESSOR_S),
        (resource.RLIMIT_CORE, 0),
    ):
        # A stricter limit is there already, or a sandbox forbids the call: the trial goes on without.
        with suppress(OSError, ValueError):
            # The harder limit kills, the softer one says with SIGXCPU what for.
            resource.setrlimit(kind, (limit, limit + 1))


if __name__ == "__main__":
    main()
