"""Networks that end the process that reads them: it is another one, and the file is refused in one line."""

import hashlib
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import EdgeError, ModelError
from edge.inference import trial, trial_process
from edge.inference.contract import MODELS_FOLDER, find_model, read_model
from edge.inference.interpreter import chosen_runtime
from edge.inference.network import Network, read_network
from edge.inference.settings import ModelSettings
from edge.inference.trial import require_trial
from edge.labels import FACE_TASKS, TASKS
from edge.pipeline.assembly import try_networks
from edge.settings.settings import Settings
from tests.support.flipped import flip
from tests.support.runtimes import NEEDS_TFLITE, TFLITE

LIMIT_S = 60
# Bits of tiny_emotion.tflite that, flipped, end a process with tflite-runtime 2.14 or LiteRT 2.3.
DEADLY = (10611, 1900, 3084, 7035, 10440, 18240, 23801, 24519, 11287, 16403, 24143, 9408)


@pytest.fixture(autouse=True)
def nothing_was_tried(monkeypatch):
    monkeypatch.setattr(trial, "_passed", set())


@pytest.fixture
def started(monkeypatch):
    """The commands of all processes that were started."""
    commands = []

    class Counted(subprocess.Popen[bytes]):
        def __init__(self, command, **more):
            commands.append(command)
            super().__init__(command, **more)

    monkeypatch.setattr("subprocess.Popen", Counted)
    return commands


STUB = """
import json, os, signal, sys, time
header = json.loads(sys.stdin.buffer.readline())
sha256 = json.loads(header["contract"])["sha256"]
def step(name):
    print(json.dumps({"sha256": sha256, "step": name}), flush=True)
"""


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """Puts a script in the place of the process that tries the only network."""

    def put(script):
        (tmp_path / "stub_of_a_trial.py").write_text(STUB + script)
        monkeypatch.setattr(trial, "_MODULE", "stub_of_a_trial")
        monkeypatch.setattr(trial, "_FOLDER", tmp_path)

    return put


def foreign(task, folder):
    """A network of the package with a byte more, which works as well and is not known."""
    contract, content = read_model(find_model(MODELS_FOLDER, task))
    content += b"\0"
    path = replace(contract, sha256=hashlib.sha256(content).hexdigest()).write(folder).with_suffix(".tflite")
    path.write_bytes(content)
    return path


def open_in_a_process(path, runtime):
    """Opens a network in a process of the tests, because without the trial it would end them."""
    code = """
import sys
from pathlib import Path
import numpy as np
from edge.errors import EdgeError
from edge.inference.network import Network
try:
    Network.open(Path(sys.argv[1]), "emotion").run(np.zeros((48, 48), np.uint8))
    print("works")
except EdgeError as error:
    print(error.exit_code, error)
"""
    return subprocess.run(
        [sys.executable, "-c", code, path],
        env=os.environ | {"EMOTINY_RUNTIME": runtime},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


@pytest.mark.parametrize("runtime", ["litert", TFLITE])
@pytest.mark.parametrize("bit", DEADLY)
def test_no_flipped_bit_ends_this_process(models, tmp_path, runtime, bit):
    path = flip(models / "tiny_emotion.json", bit, tmp_path)
    done = open_in_a_process(path, runtime)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(rf"works\n|2 model {path}: .+\n", done.stdout)


@pytest.mark.parametrize(
    ("runtime", "bit", "when"),
    [
        ("litert", 24143, "while it is opened"),
        ("litert", 9408, "at its first reading"),
        pytest.param("tflite", 9408, "at its first reading", marks=NEEDS_TFLITE),
    ],
)
def test_a_network_that_ends_a_process_is_refused_with_the_reason(models, tmp_path, runtime, bit, when):
    path = flip(models / "tiny_emotion.json", bit, tmp_path)
    said = open_in_a_process(path, runtime).stdout
    assert re.match(rf"2 model {path}: ends the interpreter \(SIG\w+\) {when}, tried in", said)
    assert said.endswith(f"with the {runtime} runtime; the file is damaged: copy or convert it again\n")


@pytest.mark.parametrize("runtime", ["litert", TFLITE])
@pytest.mark.parametrize("task", [*TASKS, *FACE_TASKS])
def test_a_network_that_works_passes(tmp_path, monkeypatch, task, runtime, started):
    monkeypatch.setenv("EMOTINY_RUNTIME", runtime)
    network = Network.open(foreign(task, tmp_path), task)
    assert len(started) == 1
    size = network.contract.size
    shipped = Network.open(None, task)
    picture = np.random.default_rng(1).integers(0, 256, (size, size), dtype=np.uint8)
    assert network.run(picture).shape == shipped.run(picture).shape
    assert len(started) == 1  # the package's own needs no trial


def test_a_network_is_tried_once(models, started):
    for _ in range(2):
        Network.open(models / "tiny_emotion.json", "emotion")
    assert len(started) == 1


@NEEDS_TFLITE
def test_another_runtime_tries_a_network_again(models, monkeypatch, started):
    Network.open(models / "tiny_emotion.json", "emotion")
    other = {"litert": "tflite", "tflite": "litert"}[chosen_runtime()]
    monkeypatch.setenv("EMOTINY_RUNTIME", other)  # has other faults
    Network.open(models / "tiny_emotion.json", "emotion")
    assert len(started) == 2


def test_one_process_tries_all_networks_of_a_run(tmp_path, started):
    paths = {task: foreign(task, tmp_path) for task in (*TASKS, *FACE_TASKS)}
    settings = Settings(models=ModelSettings(**paths))
    try_networks(settings)
    assert len(started) == 1
    for task, path in paths.items():
        Network.open(path, task)
    assert len(started) == 1


def test_a_run_with_the_networks_of_the_package_starts_no_process(started):
    try_networks(Settings())
    for task in (*TASKS, *FACE_TASKS):
        Network.open(None, task)
    assert started == []


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("step('opening')\nos.abort()", r"ends the interpreter \(SIGABRT\) while it is opened"),
        (
            "step('opening')\nstep('reading')\nos.kill(os.getpid(), signal.SIGFPE)",
            r"ends the interpreter \(SIGFPE\) at its first reading",
        ),
        (
            "step('opening')\nstep('reading')\nos.kill(os.getpid(), 40)",
            r"ends the interpreter \(signal 40\) at its first reading",
        ),
        (
            "step('opening')\nstep('reading')\nos.kill(os.getpid(), signal.SIGXCPU)",
            "takes too long at its first reading",
        ),
        (
            "step('opening')\nstep('reading')\nsys.exit('no\\nmemory')",
            r"ends the process with exit code 1 \(memory\) at its first reading",
        ),
        ("step('opening')\nstep('reading')\ntime.sleep(99)", r"takes more than 3 s at its first reading"),
    ],
)
def test_each_way_to_die_is_named(stub, models, monkeypatch, script, message):
    monkeypatch.setattr(trial, "_TIMEOUT_S", 3)
    stub(script)
    with pytest.raises(ModelError, match=rf"^model {models}/tiny_emotion\.tflite: {message}, ") as caught:
        Network.open(models / "tiny_emotion.json", "emotion")
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_where_no_network_can_be_tried_none_is_blamed(stub, models, monkeypatch):
    stub("sys.exit('no module')")
    with pytest.raises(
        EdgeError, match=r"in a process of its own: it ends .* exit code 1 \(no module\)$"
    ) as caught:
        Network.open(models / "tiny_emotion.json", "emotion")
    assert caught.value.exit_code == 1  # what lacks may be there later: systemd tries again
    monkeypatch.setattr(sys, "executable", "/none/python")
    with pytest.raises(EdgeError, match="in a process of its own: No such file"):
        Network.open(models / "tiny_emotion.json", "emotion")


@pytest.mark.parametrize(
    ("code", "ends"),
    [
        ("bytearray(trial_process._MEMORY_BYTES + (1 << 20))", "MemoryError"),
        ("bytearray(trial_process._MEMORY_BYTES // 2); sys.exit('enough memory')", "enough memory"),
        ("\nwhile True: pass", -signal.SIGXCPU),
        ("os.abort()", -signal.SIGABRT),
    ],
)
def test_a_network_may_take_neither_the_memory_nor_the_time_of_the_machine(tmp_path, code, ends):
    code = (
        "import os, sys; from edge.inference import trial_process; trial_process._PROCESSOR_S = 0; "
        f"trial_process._limit_resources(); {code}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(trial._FOLDER)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert (done.stderr.split("\n")[-2] if isinstance(ends, str) else done.returncode) == ends
    assert list(tmp_path.iterdir()) == []  # no core dump


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_to_all_processes_does_not_look_like_a_fault_of_a_network(stub, models, number):
    stub(f"step('opening')\nos.kill(os.getpid(), signal.{number})\nstep('reading')\nstep('passed')")
    require_trial([read_network(models / "tiny_emotion.json", "emotion")])


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (np.zeros((1, 7), np.int8), r"returns int8 \[1, 7\] for a picture of 48x48; expected int8 \[7\]"),
        (np.zeros(6, np.int8), r"returns int8 \[6\]"),
        (np.zeros(7, np.uint8), r"returns uint8 \[7\] .*; expected int8 \[7\]"),
    ],
)
def test_an_output_of_another_form_is_refused(models, monkeypatch, output, message):
    network = Network.open(models / "tiny_emotion.json", "emotion")
    monkeypatch.setattr(network, "run", lambda _: output)
    with pytest.raises(ModelError, match=message):
        trial_process._read_pictures(network)


def test_a_network_that_is_not_run_at_a_reading_is_an_error_of_one_line(models, monkeypatch):
    network = Network.open(models / "tiny_emotion.json", "emotion")

    def refuse():
        raise RuntimeError("Input tensor 10\nlacks data")

    monkeypatch.setattr(network._interpreter, "invoke", refuse)
    with pytest.raises(
        ModelError, match=r"tiny_emotion\.tflite: it cannot be run: Input tensor 10 lacks data$"
    ):
        network.run(np.zeros((48, 48), np.uint8))


def test_figures_that_json_cannot_hold_do_not_matter(models, tmp_path):
    contract, content = read_model(models / "tiny_emotion.json")
    path = contract.write(tmp_path)
    path.with_suffix(".tflite").write_bytes(content)
    text = path.read_text().replace('"training": {', '"training": {"loss": NaN, ', 1).replace(", }", "}")
    path.write_text(text)
    Network.open(path, "emotion")


def test_hashes_are_of_what_lies_in_the_file(models):
    """The trial is of the content that is opened, not of what the file holds a moment later."""
    model = read_network(models / "tiny_emotion.json", "emotion")
    assert hashlib.sha256(model.content).hexdigest() == model.contract.sha256
    with pytest.raises(ModelError, match=r"model .*: "):
        require_trial([replace(model, content=b"\x1c\0\0\0TFL3")])
