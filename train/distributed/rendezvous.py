"""Workers of one training find each other, within a bound, before TensorFlow is asked to connect them.

TensorFlow 2.18 waits up to an hour for a worker that never comes, and neither Ctrl-C nor SIGTERM ends it
there. So the workers meet over plain sockets first, at the addresses that TensorFlow uses afterwards: each
tells the first one its number and its cluster, and the first one says when all are there, or who is missing.
"""

from __future__ import annotations

import json
import socket
import time
from contextlib import ExitStack
from dataclasses import dataclass

from edge.errors import ConfigError, EdgeError

_EXAMPLE = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
_LINE_BYTES = 4096


@dataclass(frozen=True)
class WorkerAddress:
    """One worker's place among all.

    Attributes:
        addresses: "host:port" of each worker; the first is the chief.
        index: which of them this process is, from 0.
    """

    addresses: tuple[str, ...]
    index: int

    def __str__(self) -> str:
        return f"worker {self.index} of {len(self.addresses)} at {self.addresses[self.index]}"


def parse_place(text: str | None) -> WorkerAddress:
    """The place that TensorFlow's environment variable TF_CONFIG gives this process.

    Args:
        text: its value, JSON with the addresses of all workers, and type and index of this one.

    Raises:
        ConfigError: it is not set, no JSON, names no worker or tasks of another kind than "chief" and
            "worker", or this process is none of those named.
    """
    if not text:
        raise ConfigError(f"TF_CONFIG is not set: expected {_EXAMPLE}")
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"TF_CONFIG is no JSON ({error}): expected {_EXAMPLE}") from error
    cluster = config.get("cluster") if isinstance(config, dict) else None
    task = config.get("task") if isinstance(config, dict) else None
    if not isinstance(cluster, dict) or not cluster or not isinstance(task, dict):
        raise ConfigError(f"TF_CONFIG {text} names no cluster or no task: expected {_EXAMPLE}")
    foreign = sorted(set(cluster) - {"chief", "worker"})
    if foreign:
        raise ConfigError(f"TF_CONFIG: tasks of kind {', '.join(foreign)}; expected chief and worker only")
    addresses: list[str] = []
    for kind in ("chief", "worker"):  # TensorFlow counts them in this order
        listed = cluster.get(kind, [])
        if not isinstance(listed, list) or not all(map(_is_address, listed)):
            raise ConfigError(f'TF_CONFIG: {kind} is {json.dumps(listed)}, expected a list of "host:port"')
        if kind == task.get("type"):
            index = task.get("index")
            if type(index) is not int or not 0 <= index < len(listed):
                raise ConfigError(
                    f"TF_CONFIG: {kind} {index!r}, expected a number from 0 to {len(listed) - 1}"
                )
            place = len(addresses) + index
        addresses += listed
    if task.get("type") not in cluster:
        raise ConfigError(f"TF_CONFIG: a task of type {task.get('type')!r}, expected {' or '.join(cluster)}")
    if len(set(addresses)) < len(addresses) or len(cluster.get("chief", [])) > 1:
        raise ConfigError(f"TF_CONFIG: {', '.join(addresses)}: expected each address once, one chief at most")
    return WorkerAddress(tuple(addresses), place)


def rendezvous(place: WorkerAddress, within_s: float) -> None:
    """Returns once all workers are there, at about the same time in each of them.

    Args:
        place: this worker's.
        within_s: seconds to wait for the others at most.

    Raises:
        ConfigError: this worker's port is in use, or the workers were given different clusters.
        EdgeError: another worker did not come, or went away again; the message says which.
    """
    if len(place.addresses) == 1:
        return
    deadline = time.monotonic() + within_s
    if place.index == 0:
        _gather(place, deadline, within_s)
    else:
        _report(place, deadline, within_s)


def _gather(place: WorkerAddress, deadline: float, within_s: float) -> None:
    """The chief's part."""
    with ExitStack() as stack:
        door = stack.enter_context(_listen(place))
        present: dict[int, socket.socket] = {}
        while len(present) < len(place.addresses) - 1:
            door.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                visitor, _ = door.accept()
            except TimeoutError as error:
                numbers = (number for number in range(1, len(place.addresses)) if number not in present)
                missing = ", ".join(f"worker {number} at {place.addresses[number]}" for number in numbers)
                problem = f"{missing} did not come within {within_s:g} s"
                _tell(present, problem)
                raise EdgeError(problem) from error
            stack.enter_context(visitor)
            visitor.settimeout(5)
            try:
                said = json.loads(visitor.makefile("rb").readline(_LINE_BYTES))
                number, addresses = said["worker"], tuple(said["addresses"])
            except (OSError, ValueError, KeyError, TypeError):
                continue  # a stranger: whatever else tries this port
            if addresses != place.addresses or number not in range(1, len(addresses)) or number in present:
                problem = (
                    f"worker {number} of {', '.join(addresses)} does not fit {', '.join(place.addresses)}"
                )
                _tell({**present, -1: visitor}, problem)
                raise ConfigError(f"TF_CONFIG differs between the workers: {problem}")
            present[number] = visitor
        _tell(present, "")


def _tell(present: dict[int, socket.socket], problem: str) -> None:
    for visitor in present.values():
        try:
            visitor.sendall(json.dumps({"problem": problem}).encode() + b"\n")
            visitor.recv(1)  # they hang up first, so that the port is free for TensorFlow at once
        except OSError:
            continue  # gone already; TensorFlow notices as soon as it connects


def _report(place: WorkerAddress, deadline: float, within_s: float) -> None:
    """Everybody else's part."""
    chief = f"the chief at {place.addresses[0]}"
    host, port = _split(place.addresses[0])
    _listen(place).close()  # a port in use is found out here, with a clear message
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise EdgeError(f"{chief} did not come within {within_s:g} s")
        try:
            with socket.create_connection((host, port), timeout=min(left, 5)) as line:
                line.sendall(
                    json.dumps({"worker": place.index, "addresses": place.addresses}).encode() + b"\n"
                )
                line.settimeout(
                    max(0.001, deadline + 5 - time.monotonic())
                )  # the chief's clock ends it first
                answer = line.makefile("rb").readline(_LINE_BYTES)
        except TimeoutError:
            continue
        except OSError:
            time.sleep(0.1)  # nobody listens there yet
            continue
        if not answer:
            raise EdgeError(f"{chief} went away while its workers were gathering")
        problem = json.loads(answer)["problem"]
        if problem:
            raise EdgeError(f"{chief} says: {problem}")
        return


def _listen(place: WorkerAddress) -> socket.socket:
    _, port = _split(place.addresses[place.index])
    try:
        return socket.create_server(("", port), backlog=len(place.addresses))
    except OSError as error:
        raise ConfigError(f"{place}: cannot listen there ({error.strerror or error})") from error


def _is_address(value: object) -> bool:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65536


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
