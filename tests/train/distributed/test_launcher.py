"""The launcher of workers, with ordinary programs: addresses, exit codes, signals and logs."""

import sys

import pytest

from edge.errors import ConfigError, OutputError
from train.distributed.launcher import free_ports, launch

# Sets `index`, the index of the worker.
_INDEX = "import os, json, signal, sys, time; index = json.loads(os.environ['TF_CONFIG'])['task']['index']; "
_IGNORE_SIGTERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN); "


def python(code):
    return [sys.executable, "-c", _INDEX + code]


def test_each_worker_has_its_address_and_all_but_the_chief_a_log(tmp_path):
    code = "print(index, len(set(json.loads(os.environ['TF_CONFIG'])['cluster']['worker'])))"
    assert launch(3, python(code), tmp_path / "logs") == 0
    logs = {path.name: path.read_text() for path in (tmp_path / "logs").iterdir()}
    assert logs == {"worker-1.log": "1 3\n", "worker-2.log": "2 3\n"}


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("sys.exit(4) if index else time.sleep(60)", 4),
        ("sys.exit(1 if index else 0)", 1),
        # A worker that only lost another one exits with 1; here it does so first, and is not the cause.
        ("time.sleep(1) if index else None; sys.exit(5 if index else 1)", 5),
    ],
)
def test_the_exit_code_is_that_of_the_worker_that_failed_by_itself(tmp_path, caplog, code, expected):
    assert launch(2, python(code), tmp_path) == expected
    assert f"worker 1 of 2 exited with {expected}; see {tmp_path / 'worker-1.log'}" in caplog.text


def test_a_worker_that_ignores_sigterm_is_killed(tmp_path):
    # The last line is written only if the first worker outlives the launcher.
    alive = tmp_path / "alive"
    code = f"{_IGNORE_SIGTERM}os.kill(os.getpid(), 9) if index else time.sleep(60); open({str(alive)!r}, 'w')"
    assert launch(2, python(code), tmp_path, grace_s=0.5) == 128 + 9
    assert not alive.exists()


def test_what_cannot_be_started_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="0 workers, expected 1 or more"):
        launch(0, ["true"], tmp_path)
    with pytest.raises(ConfigError, match="cannot start /no/such/program: No such file"):
        launch(1, ["/no/such/program"], tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"cannot write .*/file/logs/worker-1\.log: Not a directory"):
        launch(2, ["true"], tmp_path / "file" / "logs")


def test_free_ports_are_all_different():
    assert len(set(free_ports(50))) == 50
