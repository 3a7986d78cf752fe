"""Workers meet, or say within a bound who is missing. Plain sockets: no TensorFlow is started."""

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from edge.errors import ConfigError, EdgeError
from train.distributed.launcher import _free_ports
from train.distributed.rendezvous import WorkerAddress, parse_place, rendezvous


def places(count):
    addresses = tuple(f"127.0.0.1:{port}" for port in _free_ports(count))
    return [WorkerAddress(addresses, index) for index in range(count)]


def met(place, within_s):
    try:
        rendezvous(place, within_s)
    except EdgeError as error:
        return error
    return None


def test_all_come_in_any_order():
    all_of_them = places(3)
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(met, all_of_them[2], 30)
        chief = pool.submit(met, all_of_them[0], 30)
        with pytest.raises(TimeoutError):
            first.result(0.3)  # the second is not there yet
        assert not chief.done()
        second = pool.submit(met, all_of_them[1], 30)
        assert [each.result(30) for each in (first, chief, second)] == [None, None, None]
    # The chief's port is free again at once: TensorFlow takes it next.
    port = int(all_of_them[0].addresses[0].rpartition(":")[2])
    socket.create_server(("", port)).close()


def test_one_worker_waits_for_nobody():
    rendezvous(WorkerAddress(("127.0.0.1:1",), 0), 0.0)


def test_who_is_missing_is_named_to_all():
    all_of_them = places(4)
    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        chief = pool.submit(met, all_of_them[0], 1.0)
        present = pool.submit(met, all_of_them[2], 20)
        error, heard = chief.result(20), present.result(20)
    missing = f"worker 1 at {all_of_them[0].addresses[1]}, worker 3 at {all_of_them[0].addresses[3]}"
    assert str(error) == f"{missing} did not come within 1 s"
    assert str(heard) == f"the chief at {all_of_them[0].addresses[0]} says: {error}"
    assert time.monotonic() - started < 15


def test_a_chief_that_does_not_come():
    lonely = places(2)[1]
    with pytest.raises(
        EdgeError, match=f"the chief at {lonely.addresses[0]} did not come within 0.5 s"
    ) as info:
        rendezvous(lonely, 0.5)
    assert info.value.exit_code == 1


def test_a_port_in_use():
    for place in places(2):
        port = int(place.addresses[place.index].rpartition(":")[2])
        with (
            socket.create_server(("", port)),
            pytest.raises(ConfigError, match="cannot listen there") as info,
        ):
            rendezvous(place, 5)
        assert str(place) in str(info.value)


def test_two_with_one_number_and_another_cluster():
    chief, second, _ = places(3)
    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(met, place, 10) for place in (chief, second)]
        # The port of its own is free again as soon as it has been tried: the same place can be taken twice.
        calls.append(
            pool.submit(met, WorkerAddress((chief.addresses[0], "127.0.0.1:9", "127.0.0.1:8"), 1), 10)
        )
        first, *others = (call.result(30) for call in calls)
    assert isinstance(first, ConfigError)
    assert "TF_CONFIG differs between the workers: worker 1 of " in str(first)
    assert any("does not fit" in str(error) for error in others)


def test_strangers_are_not_counted():
    chief, second = places(2)
    host, port = "127.0.0.1", int(chief.addresses[0].rpartition(":")[2])
    with ThreadPoolExecutor(2) as pool:
        call = pool.submit(met, chief, 20)
        for said in (b"GET / HTTP/1.1\r\n", b"[]\n", b'{"worker": 1}\n', b"\n"):
            for _ in range(100):
                try:
                    with socket.create_connection((host, port), timeout=5) as line:
                        line.sendall(said)
                    break
                except ConnectionRefusedError:
                    time.sleep(0.05)
        assert not call.done()
        assert met(second, 20) is None
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
def test_a_wrong_place_is_refused(change, message):
    with pytest.raises(ConfigError, match=message) as info:
        parse_place(json.dumps({**GOOD, **change}))
    assert "\n" not in str(info.value)


@pytest.mark.parametrize("text", ["[]", "1", "null", '"x"'])
def test_other_json_is_refused(text):
    with pytest.raises(ConfigError, match="names no cluster or no task"):
        parse_place(text)


@pytest.mark.parametrize("text", [None, ""])
def test_no_place_is_refused(text):
    with pytest.raises(ConfigError, match=r'TF_CONFIG is not set: expected \{"cluster": '):
        parse_place(text)


def test_where_a_place_is():
    text = '{"cluster": {"worker": ["b:2", "c:3"], "chief": ["a:1"]}, "task": {"type": "worker", "index": 1}}'
    place = parse_place(text)
    assert place == WorkerAddress(("a:1", "b:2", "c:3"), 2)  # the chief first, as TensorFlow counts
    assert str(place) == "worker 2 of 3 at c:3"
