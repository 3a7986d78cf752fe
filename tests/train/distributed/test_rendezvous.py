"""The rendezvous of workers, over plain sockets: in any order, with one missing, with a wrong cluster."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from edge.errors import ConfigError, EdgeError
from train.distributed.launcher import free_ports
from train.distributed.rendezvous import WorkerAddress, parse_tf_config, rendezvous


def free_addresses(count):
    return tuple(f"127.0.0.1:{port}" for port in free_ports(count))


def workers(count):
    addresses = free_addresses(count)
    return [WorkerAddress(addresses, index) for index in range(count)]


def meet(worker, timeout_s):
    """Returns the error that the worker's rendezvous raises, or None."""
    try:
        rendezvous(worker, timeout_s)
    except EdgeError as error:
        return error
    return None


def meet_at_last(worker, timeout_s):
    """Does the same, and tries again while another thread of this process tries the worker's port."""
    while "cannot listen there" in str(error := meet(worker, timeout_s)):
        time.sleep(0.05)
    return error


def test_all_connect_in_any_order():
    group = workers(3)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(meet, group[2], 30)
        chief = pool.submit(meet, group[0], 30)
        with pytest.raises(TimeoutError):
            first.result(0.3)  # the second is missing
        assert not chief.done()
        second = pool.submit(meet, group[1], 30)
        assert [each.result(30) for each in (first, chief, second)] == [None, None, None]
    # The chief's port is free again at once: TensorFlow takes it next.
    port = int(group[0].addresses[0].rpartition(":")[2])
    socket.create_server(("", port)).close()


def test_one_worker_waits_for_nobody():
    rendezvous(WorkerAddress(("127.0.0.1:1",), 0), 0.0)


def test_all_are_told_which_workers_are_missing():
    group = workers(4)
    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        chief = pool.submit(meet, group[0], 1.0)
        present = pool.submit(meet, group[2], 20)
        error, reported = chief.result(20), present.result(20)
    missing = f"worker 1 at {group[0].addresses[1]}, worker 3 at {group[0].addresses[3]}"
    assert str(error) == f"{missing} did not connect within 1 s"
    assert str(reported) == f"the chief at {group[0].addresses[0]} reports: {error}"
    assert time.monotonic() - started < 15


def test_a_chief_that_is_missing():
    lonely = workers(2)[1]
    with pytest.raises(
        EdgeError, match=f"the chief at {lonely.addresses[0]} did not answer within 0.5 s"
    ) as info:
        rendezvous(lonely, 0.5)
    assert info.value.exit_code == 1


def test_a_port_in_use():
    for worker in workers(2):
        port = int(worker.addresses[worker.index].rpartition(":")[2])
        with (
            socket.create_server(("", port)),
            pytest.raises(ConfigError, match="cannot listen there") as info,
        ):
            rendezvous(worker, 5)
        assert str(worker) in str(info.value)


def test_a_worker_of_another_cluster_is_refused():
    chief, _, third = workers(3)
    other = WorkerAddress((chief.addresses[0], *free_addresses(2)), 1)
    with ThreadPoolExecutor(2) as pool:
        errors = list(pool.map(meet, (chief, other), (30, 30)))
    assert isinstance(errors[0], ConfigError)
    assert "TF_CONFIG differs between the workers: worker 1 of " in str(errors[0])
    assert "does not fit" in str(errors[1])
    with ThreadPoolExecutor(3) as pool:  # the chief's port is free again
        # A worker's own port is free again once it has been tried: a second worker can use the same index.
        errors = list(pool.map(meet_at_last, (chief, third, replace(third)), (30, 10, 10)))
    assert "TF_CONFIG differs between the workers: worker 2 of " in str(errors[0])
    assert any("does not fit" in str(error) for error in errors[1:])


def test_other_programs_are_not_counted():
    chief, second = workers(2)
    host, port = "127.0.0.1", int(chief.addresses[0].rpartition(":")[2])
    with ThreadPoolExecutor(2) as pool:
        call = pool.submit(meet, chief, 20)
        for request in (b"GET / HTTP/1.1\r\n", b"[]\n", b'{"worker": 1}\n', b"\n"):
            for _ in range(100):
                try:
                    with socket.create_connection((host, port), timeout=5) as connection:
                        connection.sendall(request)
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
        assert not call.done()
        assert meet(second, 20) is None
        assert call.result(20) is None


GOOD = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 0}}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"cluster": None}, "names no cluster or no task"),
        ({"cluster": {}}, "names no cluster or no task"),
        ({"task": 1}, "names no cluster or no task"),
        ({"cluster": {"worker": ["a:1"], "ps": ["b:2"]}}, "tasks of kind ps; expected chief and worker only"),
        ({"cluster": {"worker": "a:1"}}, 'worker is "a:1", expected a list of "host:port"'),
        ({"cluster": {"worker": ["a"]}}, r'worker is \["a"\], expected a list of "host:port"'),
        ({"cluster": {"worker": [":1"]}}, 'expected a list of "host:port"'),
        ({"cluster": {"worker": ["a:0"]}}, 'expected a list of "host:port"'),
        ({"cluster": {"worker": ["a:65536"]}}, 'expected a list of "host:port"'),
        ({"cluster": {"worker": [7]}}, 'expected a list of "host:port"'),
        ({"task": {"type": "worker", "index": 2}}, "worker 2, expected a number from 0 to 1"),
        ({"task": {"type": "worker", "index": -1}}, "worker -1, expected a number from 0 to 1"),
        ({"task": {"type": "worker", "index": "0"}}, "worker '0', expected a number from 0 to 1"),
        ({"task": {"type": "worker"}}, "worker None, expected a number from 0 to 1"),
        ({"task": {"type": "evaluator", "index": 0}}, "a task of type 'evaluator', expected worker"),
        ({"task": {"index": 0}}, "a task of type None, expected worker"),
        ({"cluster": {"worker": ["a:1", "a:1"]}}, "a:1, a:1: expected each address once"),
        ({"cluster": {"chief": ["c:1", "d:1"], "worker": ["a:1"]}}, "one chief at most"),
    ],
)
def test_a_wrong_tf_config_is_refused(change, message):
    with pytest.raises(ConfigError, match=message) as info:
        parse_tf_config(json.dumps({**GOOD, **change}))
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("text", ["[]", "1", "null", '"x"'])
def test_other_json_is_refused(text):
    with pytest.raises(ConfigError, match="names no cluster or no task"):
        parse_tf_config(text)


@pytest.mark.parametrize("text", [None, ""])
def test_a_tf_config_that_is_not_set_is_refused(text):
    with pytest.raises(ConfigError, match=r'TF_CONFIG is not set: expected \{"cluster": '):
        parse_tf_config(text)


def test_the_chief_comes_first_among_the_addresses():
    text = '{"cluster": {"worker": ["b:2", "c:3"], "chief": ["a:1"]}, "task": {"type": "worker", "index": 1}}'
    worker = parse_tf_config(text)
    assert worker == WorkerAddress(("a:1", "b:2", "c:3"), 2)  # as TensorFlow counts
    assert str(worker) == "worker 2 of 3 at c:3"
