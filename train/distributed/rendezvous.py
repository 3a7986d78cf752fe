"""Lets the workers of one training find each other, within a time limit, before TensorFlow connects them.

TensorFlow 2.18 waits up to an hour for a worker that never comes, and neither Ctrl-C nor SIGTERM ends that
wait. So the workers first meet over plain sockets, at the addresses that TensorFlow uses afterwards: each
worker sends its index and its cluster to the first one, the chief, which answers as soon as all workers are
connected, or reports which are missing.
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
    """The address of one worker among all.

    Attributes:
        addresses: "host:port" of each worker; the first is the chief.
        index: index of this process in `addresses`.
    """

    addresses: tuple[str, ...]
    index: int

    def __str__(self) -> str:
        return f"worker {self.index} of {len(self.addresses)} at {self.addresses[self.index]}"


def parse_tf_config(text: str | None) -> WorkerAddress:
    """Parses TensorFlow's environment variable TF_CONFIG.

    Args:
        text: value of the variable: JSON with the addresses of all workers, and type and index of this one.

    Raises:
        ConfigError: the variable is not set or is no JSON; it names no worker, or tasks of another kind than
            "chief" and "worker"; or this process is none of those named.
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
    unknown = sorted(set(cluster) - {"chief", "worker"})
    if unknown:
        raise ConfigError(f"TF_CONFIG: tasks of kind {', '.join(unknown)}; expected chief and worker only")
    addresses: list[str] = []
    for kind in ("chief", "worker"):  # the order in which TensorFlow counts
        listed = cluster.get(kind, [])
        if not isinstance(listed, list) or not all(map(_is_address, listed)):
            raise ConfigError(f'TF_CONFIG: {kind} is {json.dumps(listed)}, expected a list of "host:port"')
        if kind == task.get("type"):
            index = task.get("index")
            if type(index) is not int or not 0 <= index < len(listed):
                raise ConfigError(
                    f"TF_CONFIG: {kind} {index!r}, expected a number from 0 to {len(listed) - 1}"
                )
            own_index = len(addresses) + index
        addresses += listed
    if task.get("type") not in cluster:
        raise ConfigError(f"TF_CONFIG: a task of type {task.get('type')!r}, expected {' or '.join(cluster)}")
    if len(set(addresses)) < len(addresses) or len(cluster.get("chief", [])) > 1:
        raise ConfigError(f"TF_CONFIG: {', '.join(addresses)}: expected each address once, one chief at most")
    return WorkerAddress(tuple(addresses), own_index)


def rendezvous(worker: WorkerAddress, timeout_s: float) -> None:
    """Waits until all workers are connected; returns in all of them at about the same time.

    Args:
        worker: address of this worker.
        timeout_s: longest time to wait for the others, seconds.

    Raises:
        ConfigError: this worker's port is in use, or the workers were given different clusters.
        EdgeError: another worker did not connect, or disconnected; the message names it.
    """
    if len(worker.addresses) == 1:
        return
    deadline = time.monotonic() + timeout_s
    if worker.index == 0:
        _wait_for_workers(worker, deadline, timeout_s)
    else:
        _connect_to_chief(worker, deadline, timeout_s)


def _wait_for_workers(chief: WorkerAddress, deadline: float, timeout_s: float) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(_listen(chief))
        connected: dict[int, socket.socket] = {}
        while len(connected) < len(chief.addresses) - 1:
            server.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                client, _ = server.accept()
            except TimeoutError as error:
                indices = (index for index in range(1, len(chief.addresses)) if index not in connected)
                missing = ", ".join(f"worker {index} at {chief.addresses[index]}" for index in indices)
                problem = f"{missing} did not connect within {timeout_s:g} s"
                _answer(connected, problem)
                raise EdgeError(problem) from error
            stack.enter_context(client)
            client.settimeout(5)
            try:
                request = json.loads(client.makefile("rb").readline(_LINE_BYTES))
                index, addresses = request["worker"], tuple(request["addresses"])
            except (OSError, ValueError, KeyError, TypeError):
                continue  # not a worker: some other program has tried this port
            if addresses != chief.addresses or index not in range(1, len(addresses)) or index in connected:
                problem = (
                    f"worker {index} of {', '.join(addresses)} does not fit {', '.join(chief.addresses)}"
                )
                _answer({**connected, -1: client}, problem)
                raise ConfigError(f"TF_CONFIG differs between the workers: {problem}")
            connected[index] = client
        _answer(connected, "")


def _answer(connected: dict[int, socket.socket], problem: str) -> None:
    for client in connected.values():
        try:
            client.sendall(json.dumps({"problem": problem}).encode() + b"\n")
            client.recv(1)  # the client closes first, so that TensorFlow can use the chief's port at once
        except OSError:
            continue  # disconnected; TensorFlow notices this when it connects


def _connect_to_chief(worker: WorkerAddress, deadline: float, timeout_s: float) -> None:
    chief = f"the chief at {worker.addresses[0]}"
    host, port = _split(worker.addresses[0])
    _listen(worker).close()  # reports a port that is in use with a clear message
    request = json.dumps({"worker": worker.index, "addresses": worker.addresses}).encode() + b"\n"
    while True:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise EdgeError(f"{chief} did not answer within {timeout_s:g} s")
        try:
            with socket.create_connection((host, port), timeout=min(remaining, 5)) as connection:
                connection.sendall(request)
                # Longer than the chief's own limit, so that its message arrives.
                connection.settimeout(max(0.001, deadline + 5 - time.monotonic()))
                answer = connection.makefile("rb").readline(_LINE_BYTES)
        except TimeoutError:
            continue
        except OSError:
            time.sleep(0.1)  # the chief does not listen yet
            continue
        if not answer:
            raise EdgeError(f"{chief} disconnected while the workers were connecting")
        problem = json.loads(answer)["problem"]
        if problem:
            raise EdgeError(f"{chief} reports: {problem}")
        return


def _listen(worker: WorkerAddress) -> socket.socket:
    _, port = _split(worker.addresses[worker.index])
    try:
        return socket.create_server(("", port), backlog=len(worker.addresses))
    except OSError as error:
        raise ConfigError(f"{worker}: cannot listen there ({error.strerror or error})") from error


def _is_address(value: object) -> bool:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65536


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
