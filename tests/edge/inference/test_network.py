"""An int8 network: what goes in and comes out, pictures of other sizes, and files that do not fit."""

import hashlib
import struct
from dataclasses import replace

import numpy as np
import pytest

from edge.errors import ModelError
from edge.inference.contract import MODELS_FOLDER, find_model, read_model
from edge.inference.interpreter import open_interpreter
from edge.inference.network import Network
from edge.labels import FACE_TASKS, LABELS, TASKS
from tests.support.runtimes import TFLITE

RAMP = np.add.outer(np.arange(48), np.arange(48)).astype(np.uint8)
RANDOM = np.random.default_rng(0)


def altered(models, tmp_path, **changes):
    """The path of a tiny network under a contract of its own."""
    contract, content = read_model(models / "tiny_emotion.json")
    contract = replace(contract, sha256=hashlib.sha256(content).hexdigest(), **changes)
    (tmp_path / "tiny_emotion.tflite").write_bytes(content)
    return contract.write(tmp_path)


@pytest.mark.parametrize("task", [*TASKS, *FACE_TASKS])
def test_the_networks_that_come_with_the_package(task):
    network = Network.open(None, task)
    contract = network.contract
    assert (contract.task, contract.labels) == (task, LABELS[task])
    picture = RANDOM.integers(0, 256, (contract.size, contract.size), dtype=np.uint8)
    output = network.run(picture)
    assert output.shape == contract.output_shape
    assert output.dtype == np.int8
    assert network.scale > 0
    np.testing.assert_array_equal(network.run(picture), output)


def test_outputs_are_those_of_the_interpreter(models):
    network = Network.open(models / "tiny_emotion.json", "emotion")
    interpreter = open_interpreter((models / "tiny_emotion.tflite").read_bytes())
    output = interpreter.get_output_details()[0]
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], RAMP[None, :, :, None])
    interpreter.invoke()
    np.testing.assert_array_equal(network.run(RAMP), interpreter.get_tensor(output["index"])[0])
    assert (network.scale, network.zero_point) == output["quantization"]


def test_an_output_is_a_copy(models):
    network = Network.open(models / "tiny_emotion.json", "emotion")
    first = network.run(RAMP)
    before = first.copy()
    assert not np.array_equal(network.run(~RAMP), before)
    np.testing.assert_array_equal(first, before)


def test_signed_pixels_mean_the_same_as_unsigned_ones(models):
    unsigned = Network.open(models / "tiny_gender.json", "gender")
    signed = Network.open(models / "int8_pixels" / "tiny_gender.json", "gender")
    for picture in (RAMP, np.zeros_like(RAMP), np.full_like(RAMP, 255)):
        np.testing.assert_array_equal(signed.run(picture), unsigned.run(picture))


@pytest.mark.parametrize("size_hw", [(8, 8), (16, 24), (96, 64), (240, 320), (8, 640)])
def test_a_convolutional_network_reads_pictures_of_any_size(size_hw):
    network = Network.open(None, "proposal", size_hw=size_hw)
    maps = network.run(RANDOM.integers(0, 256, size_hw, dtype=np.uint8))
    assert maps.shape == (size_hw[0] // 8, size_hw[1] // 8, 4)
    stated = Network.open(None, "proposal")
    assert (network.scale, network.zero_point) == (stated.scale, stated.zero_point)


def test_a_shifted_picture_has_a_shifted_map():
    """Far enough from the edges nothing but the shift differs, whatever the size of the picture."""
    picture = RANDOM.integers(0, 256, (240, 320), dtype=np.uint8)
    whole = Network.open(None, "proposal", size_hw=(240, 320)).run(picture)
    part = Network.open(None, "proposal", size_hw=(200, 240)).run(
        np.ascontiguousarray(picture[32:232, 64:304])
    )
    np.testing.assert_array_equal(part[8:-8, 8:-8], whole[4 + 8 : 29 - 8, 8 + 8 : 38 - 8])


def test_two_sizes_of_one_network_do_not_disturb_each_other():
    small, large = (Network.open(None, "proposal", size_hw=hw) for hw in ((64, 64), (128, 96)))
    picture = RANDOM.integers(0, 256, (64, 64), dtype=np.uint8)
    before = small.run(picture)
    large.run(RANDOM.integers(0, 256, (128, 96), dtype=np.uint8))
    np.testing.assert_array_equal(small.run(picture), before)


def test_another_size_is_opened_without_reading_the_file_again(tmp_path):
    for suffix in (".tflite", ".json"):
        shipped = find_model(MODELS_FOLDER, "proposal").with_suffix(suffix)
        (tmp_path / shipped.name).write_bytes(shipped.read_bytes())
    network = Network.open(tmp_path / shipped.name, "proposal", size_hw=(64, 64))
    for path in tmp_path.iterdir():
        path.unlink()  # as by an update of the package while the device runs
    picture = RANDOM.integers(0, 256, (128, 96), dtype=np.uint8)
    expected = Network.open(None, "proposal", size_hw=(128, 96)).run(picture)
    np.testing.assert_array_equal(network.resized((128, 96)).run(picture), expected)
    assert network.run(picture[:64, :64]).shape == (8, 8, 4)  # the first one keeps its size


@pytest.mark.parametrize("size_hw", [(0, 8), (1, 1), (7, 9)])
def test_a_network_with_a_fixed_size_refuses_others_in_one_line(models, size_hw):
    with pytest.raises(ModelError) as caught:
        Network.open(models / "tiny_emotion.json", "emotion", size_hw=size_hw)
    message = f"tiny_emotion.tflite: it cannot read pictures of {size_hw[1]}x{size_hw[0]}"
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "task", "message"),
    [
        ("tiny_emotion.json", "gender", "a network for emotion; expected one for gender"),
        ("tiny_emotion.tflite", "proposal", "a network for emotion; expected one for proposal"),
        ("none.tflite", "emotion", r"none\.tflite: No such file"),
        ("none.json", "refinement", r"none\.json: No such file"),
    ],
)
def test_a_network_for_something_else_is_refused(models, file, task, message):
    with pytest.raises(ModelError, match=message):
        Network.open(models / file, task)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": 64}, r"its input is uint8 \[1, 48, 48, 1\], its contract says uint8 \[1, 64, 64, 1\]"),
        ({"input_dtype": "int8"}, r"its input is uint8 .*, its contract says int8"),
        ({"output_dtype": "uint8"}, r"its output is int8 .*, its contract says uint8"),
        ({"input_range": (-1.0, 1.0)}, r"its input spans .* to .*, its contract says -1 to 1"),
        ({"input_range": (-60.0, 255.0)}, r"its input spans .* to .*, its contract says -60 to 255"),
        ({"input_range": (0.0, 300.0)}, r"its input spans .* to .*, its contract says 0 to 300"),
    ],
)
def test_a_network_that_its_contract_does_not_describe_is_refused(models, tmp_path, changes, message):
    path = altered(models, tmp_path, **changes)
    with pytest.raises(ModelError, match=message) as caught:
        Network.open(path, "emotion")
    assert str(caught.value).startswith(f"model {path.with_suffix('.tflite')}: ")


@pytest.mark.parametrize("factor", [1e3, 1e30])
@pytest.mark.parametrize("task", FACE_TASKS)
def test_outputs_that_no_face_has_are_refused(task, factor):
    """Sizes are exponential functions of them: the loop would end with an overflow, or with no memory."""
    network = Network.open(None, task)
    contract, content = read_model(network.path)
    content = content.replace(struct.pack("<f", network.scale), struct.pack("<f", network.scale * factor))
    with pytest.raises(ModelError, match=r"its outputs span .*, expected at most 64$"):
        Network(network.path, contract, content)


@pytest.mark.parametrize("runtime", ["litert", TFLITE])
def test_a_zero_point_that_is_no_code_is_refused(monkeypatch, models, runtime):
    monkeypatch.setenv("EMOTINY_RUNTIME", runtime)
    # Not of a shipped file: its zero point may be a number that stands elsewhere in the file, too.
    network = Network.open(models / "tiny_emotion.json", "emotion")
    contract, content = read_model(network.path)
    content = content.replace(struct.pack("<q", network.zero_point), struct.pack("<q", 300))
    with pytest.raises(ModelError, match=r"zero[- ]point"):
        Network(network.path, contract, content)


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        ("proposal", {"labels": LABELS["proposal"][::-1]}, "in this order"),
        (
            "refinement",
            {"output_kind": "logits"},
            r"output.kind 'logits': not that of a network for refinement",
        ),
        ("refinement", {"labels": LABELS["proposal"]}, "labels"),
    ],
)
def test_a_contract_of_a_network_that_finds_faces_names_its_outputs_in_order(task, changes, message):
    with pytest.raises(ModelError, match=message):
        replace(Network.open(None, task).contract, **changes)
