"""Two replicas and two workers train as one does; what is dead or wrong ends in one line, in time."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edge.errors import ConfigError
from train.distributed.launcher import _free_ports, launch

_TOY = str(Path(__file__).parents[2] / "support" / "distributed_toy.py")
# Seconds, on a machine that is busy with other things too.
_PATIENCE_S = 240

# Both sum the same numbers in another order: float32 rounds at 6e-8, over some dozen steps of training that
# came to 3e-7 in the loss and 1e-6 in a weight. With the statistics of shares instead of whole batches,
# weights that count double or a last batch with the mean of a full one it is 1e-3 or more.
_LOSS, _WEIGHT = 1e-5, 1e-4

pytestmark = pytest.mark.train


def run(*arguments, **environment):
    """What a lone process of the toy says and ends with."""
    return subprocess.run(
        [sys.executable, _TOY, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )


def errors_of(text):
    return [line for line in text.splitlines() if line.startswith("train: error: ")]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    done = run("none", folder / "toy.npz")
    assert done.returncode == 0, done.stderr
    return np.load(folder / "toy-0.npz")


def assert_same(found, alone):
    assert int(found["replicas"]) == 2
    for kind in ("plain", "normalized"):
        assert found[f"{kind}/steps"] == 2 * 17  # 16 batches of 9 and one of 1
        np.testing.assert_allclose(found[f"{kind}/shown"], alone[f"{kind}/shown"], atol=_LOSS)
        names = [name for name in alone if name.startswith(f"{kind}/weight")]
        assert len(names) == {"plain": 4, "normalized": 13}[kind]
        for name in (*names, f"{kind}/logits"):
            np.testing.assert_allclose(found[name], alone[name], atol=_WEIGHT)
        np.testing.assert_allclose(found[f"{kind}/saved"], found[f"{kind}/logits"], atol=1e-5)
        assert not found[f"{kind}/synchronized"]  # a checkpoint says nothing of how it was trained


def test_one_process_learns(alone):
    for kind in ("plain", "normalized"):
        loss = alone[f"{kind}/shown"][:, 0]
        assert loss[1] < loss[0] - 0.1


def test_two_devices_train_as_one(alone, tmp_path):
    done = run("mirrored", tmp_path / "toy.npz")
    assert done.returncode == 0, done.stderr
    assert_same(np.load(tmp_path / "toy-0.npz"), alone)


def test_two_workers_train_as_one(alone, tmp_path):
    result = tmp_path / "run" / "toy.npz"
    result.parent.mkdir()
    assert launch(2, [sys.executable, _TOY, "auto", str(result)], tmp_path / "logs") == 0
    first, second = (np.load(result.with_name(f"toy-{index}.npz")) for index in (0, 1))
    assert_same(first, alone)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])  # they never drift apart
    # Only the chief's checkpoints are where they were asked for.
    assert sorted(path.name for path in result.parent.glob("*.keras")) == [
        "normalized-2-0.keras",
        "plain-2-0.keras",
    ]
    assert "normalized epoch 1" in (tmp_path / "logs" / "worker-1.log").read_text()


def two(tmp_path, *arguments):
    """Two workers without a launcher."""
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(2)]
    for index in (0, 1):
        place = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        with (tmp_path / f"{index}.txt").open("wb") as errors:
            yield subprocess.Popen(
                [sys.executable, _TOY, "workers", str(tmp_path / "toy.npz"), *arguments],
                env={**os.environ, "TF_CONFIG": json.dumps(place)},
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )


@pytest.mark.parametrize("dead", [0, 1])
def test_a_dead_worker_ends_the_other_with_one_line(tmp_path, dead):
    workers = list(two(tmp_path, "--epochs", "100000", "--silence", "15"))
    try:
        for worker in workers:
            assert any("epoch 1 " in line for line in worker.stdout), "ended before its second epoch"
        workers[dead].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        workers[1 - dead].stdout.read()
        assert workers[1 - dead].wait(_PATIENCE_S) == 1
        assert time.monotonic() - killed < 60
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    [line] = errors_of((tmp_path / f"{1 - dead}.txt").read_text())
    assert line.startswith(f"train: error: worker {1 - dead} of 2: another worker is gone or hangs (")
    assert line.endswith("start all again, and the run goes on from its last finished epoch")


def test_the_launcher_ends_all_when_one_fails(tmp_path, caplog):
    command = [sys.executable, _TOY, "auto", str(tmp_path / "toy.npz"), "--epochs", "100000", "--leave", "1"]
    assert launch(2, command, tmp_path) == 3
    assert f"worker 1 of 2 ended with 3; see {tmp_path / 'worker-1.log'}" in caplog.text


def test_the_launcher_on_its_own(tmp_path):
    """Ordinary programs, so that it is quick: places, exit codes, signals, what is left behind."""
    say = "import os, json; print(json.loads(os.environ['TF_CONFIG'])['task']['index'])"
    assert launch(3, [sys.executable, "-c", say], tmp_path) == 0
    assert [(tmp_path / f"worker-{index}.log").read_text() for index in (1, 2)] == ["1\n", "2\n"]
    assert not (tmp_path / "worker-0.log").exists()

    index = "import os, json, sys, time; i = json.loads(os.environ['TF_CONFIG'])['task']['index']; "
    started = time.monotonic()
    assert launch(2, [sys.executable, "-c", index + "sys.exit(4) if i else time.sleep(60)"], tmp_path) == 4
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    code = index + deaf + "os.kill(os.getpid(), 9) if i else time.sleep(60)"
    assert launch(2, [sys.executable, "-c", code], tmp_path, grace_s=0.5) == 128 + 9
    # One that only lost the other is quicker here, and not the cause.
    code = index + "time.sleep(1) if i else None; sys.exit(5 if i else 1)"
    assert launch(2, [sys.executable, "-c", code], tmp_path) == 5
    assert launch(2, [sys.executable, "-c", index + "sys.exit(1 if i else 0)"], tmp_path) == 1
    assert time.monotonic() - started < 40

    with pytest.raises(ConfigError, match="0 workers, expected 1 or more"):
        launch(0, ["true"], tmp_path)
    with pytest.raises(ConfigError, match="cannot start /no/such/program: No such file"):
        launch(1, ["/no/such/program"], tmp_path)


def test_a_wrong_place_is_said_in_one_line(tmp_path):
    done = run("auto", tmp_path / "toy.npz", TF_CONFIG="{")
    assert done.returncode == 2
    [line] = errors_of(done.stderr)
    assert line.startswith("train: error: TF_CONFIG is no JSON (Expecting")
    assert "Traceback" not in done.stderr


def test_what_is_chosen():
    from train.distributed.strategy import choose

    def gpus(count):
        return lambda: count

    assert choose("none", "torch", "{}", gpus(2)) == "none"
    assert choose("auto", "tensorflow", None, gpus(0)) == "none"
    assert choose("auto", "tensorflow", None, gpus(1)) == "none"
    assert choose("auto", "tensorflow", None, gpus(2)) == "mirrored"
    assert choose("auto", "tensorflow", "{}", gpus(2)) == "workers"
    assert choose("mirrored", "tensorflow", "{}", gpus(0)) == "mirrored"
    assert choose("workers", "tensorflow", None, gpus(2)) == "workers"
    assert choose("auto", "torch", None, gpus(2)) == "none"
    for name, config in (("mirrored", None), ("workers", "{}"), ("auto", "{}")):
        with pytest.raises(ConfigError, match=f"strategy {name}: only TensorFlow can distribute.*is torch"):
            choose(name, "torch", config, gpus(2))
    with pytest.raises(
        ConfigError, match="strategy 'several', expected one of auto, none, mirrored, workers"
    ):
        choose("several", "tensorflow", None, gpus(2))


def test_one_device_alone_is_not_mirrored():
    code = "from train.distributed.strategy import distributed\nwith distributed('mirrored'): pass"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=Path(_TOY).parents[2],
        timeout=_PATIENCE_S,
        check=False,
    )
    assert done.stderr.rstrip().endswith("is alone, expected two GPUs or more")
    assert "ConfigError: strategy mirrored: " in done.stderr


def test_the_command_trains_a_recipe_with_two_workers(tmp_path):
    random = np.random.default_rng(0)
    lines = ["emotion,pixels,Usage"]
    for number in range(70):
        pixels = " ".join(map(str, random.integers(0, 256, 48 * 48)))
        lines.append(f"{number % 7},{pixels},{'PublicTest' if number >= 56 else 'Training'}")
    (tmp_path / "fer2013.csv").write_text("\n".join(lines))
    words = ("workers", "2", "fit", "mini-xception", "--epochs", "1", "--runs", str(tmp_path / "logs"))
    command = [sys.executable, "-m", "train", *words, "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "run" / "log.csv").read_text().splitlines()) == 2
    assert (tmp_path / "run" / "report.html").exists()
    best = tmp_path / "run" / "best.keras"
    before = best.read_bytes()
    # Nothing is left to do, and all workers see it.
    again = subprocess.run(command, env=environment, capture_output=True, timeout=_PATIENCE_S, check=False)
    assert again.returncode == 0, again.stderr.decode()
    assert best.read_bytes() == before
    assert (tmp_path / "logs" / "workers" / "worker-1.log").exists()


def test_the_command_ends_with_its_workers_exit_code(tmp_path):
    words = ("workers", "2", "fit", "mini-xception", "--data", str(tmp_path / "none"))
    done = subprocess.run(
        [sys.executable, "-m", "train", *words],
        env={**os.environ, "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    assert done.returncode == 3
    assert "no fer2013 data" in done.stderr
