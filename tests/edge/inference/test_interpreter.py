import subprocess
import sys

import numpy as np
import pytest

from edge.errors import ConfigError, MissingDependencyError, ModelError
from edge.inference.classifier import Classifier
from edge.inference.interpreter import open_interpreter
from tests.support.runtimes import NEEDS_TFLITE, TFLITE

RUNTIMES = {"litert": "ai_edge_litert.interpreter", "tflite": "tflite_runtime.interpreter"}
EVERY_RUNTIME = pytest.mark.parametrize("name", ["litert", TFLITE])


@pytest.fixture
def content(models):
    return (models / "tiny_emotion.tflite").read_bytes()


def hide(monkeypatch, *modules):
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)


@EVERY_RUNTIME
def test_the_environment_forces_a_runtime(monkeypatch, content, name):
    monkeypatch.setenv("EMOTINY_RUNTIME", name)
    assert type(open_interpreter(content)).__module__ == RUNTIMES[name]


def test_litert_comes_first(monkeypatch, content):
    monkeypatch.delenv("EMOTINY_RUNTIME", raising=False)
    assert type(open_interpreter(content)).__module__ == RUNTIMES["litert"]


@NEEDS_TFLITE
def test_without_litert_it_is_tflite_runtime(monkeypatch, content):
    monkeypatch.delenv("EMOTINY_RUNTIME", raising=False)
    hide(monkeypatch, RUNTIMES["litert"])
    assert type(open_interpreter(content)).__module__ == RUNTIMES["tflite"]


def test_an_unknown_runtime_is_refused(monkeypatch, content):
    monkeypatch.setenv("EMOTINY_RUNTIME", "onnx")
    with pytest.raises(ConfigError, match=r"EMOTINY_RUNTIME=onnx: .* litert, tflite, tensorflow") as caught:
        open_interpreter(content)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(("name", "module"), RUNTIMES.items())
def test_a_forced_runtime_that_is_absent_is_named(monkeypatch, content, name, module):
    monkeypatch.setenv("EMOTINY_RUNTIME", name)
    hide(monkeypatch, module)
    with pytest.raises(MissingDependencyError, match=f"{name}: .*pip install"):
        open_interpreter(content)


def test_without_any_runtime_all_ways_out_are_named(monkeypatch, content):
    monkeypatch.delenv("EMOTINY_RUNTIME", raising=False)
    hide(monkeypatch, *RUNTIMES.values(), "tensorflow")
    with pytest.raises(MissingDependencyError) as caught:
        open_interpreter(content)
    for way in (
        "pip install ai-edge-litert",
        "pip install tflite-runtime 'numpy<2'",
        "pip install tensorflow",
    ):
        assert way in str(caught.value)


def test_tflite_runtime_with_numpy_2_says_what_to_install(monkeypatch, content):
    monkeypatch.setenv("EMOTINY_RUNTIME", "tflite")
    monkeypatch.setattr(np, "__version__", "2.1.0")
    with pytest.raises(MissingDependencyError, match=r"numpy 2\.1\.0 .*'numpy<2'"):
        open_interpreter(content)


@pytest.mark.parametrize(
    ("name", "damaged"),
    [
        ("litert", b"hello"),
        ("litert", b"\x1c\0\0\0TFL3"),
        ("litert", b"\x1c\0\0\0TFL3" + bytes(400)),
        ("litert", "half"),
        # It crashes on a truncated network, which the checksum of the contract keeps from it.
        pytest.param("tflite", b"\x1c\0\0\0TFL3" + bytes(400), marks=NEEDS_TFLITE),
    ],
)
def test_what_is_no_network_is_an_error_of_one_line(monkeypatch, content, name, damaged):
    monkeypatch.setenv("EMOTINY_RUNTIME", name)
    damaged = content[: len(content) // 2] if damaged == "half" else damaged
    with pytest.raises(ModelError, match=f"^the {name} runtime cannot open it: .+") as caught:
        open_interpreter(damaged)
    assert "\n" not in str(caught.value)


@NEEDS_TFLITE
def test_both_runtimes_answer_alike(monkeypatch, models, each_face):
    answers = []
    for name in RUNTIMES:
        monkeypatch.setenv("EMOTINY_RUNTIME", name)
        answers.append(
            Classifier(models / "tiny_emotion.json", "emotion").classify(each_face[100:148, 100:148])
        )
    # Their kernels may round differently, by a step of the output at most.
    np.testing.assert_allclose(answers[0].values, answers[1].values, atol=0.01)


@pytest.mark.parametrize("name", ["", "litert", TFLITE])
def test_tensorflow_is_not_imported_where_a_runtime_is_there(content, models, name):
    code = (
        "import sys; from pathlib import Path; from edge.inference.interpreter import open_interpreter; "
        f"open_interpreter(Path({str(models / 'tiny_emotion.tflite')!r}).read_bytes()); "
        "print('tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"EMOTINY_RUNTIME": name},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "False\n"
