import hashlib
import json
import re
import shutil
from dataclasses import replace

import pytest

from edge.errors import ModelError
from edge.inference.classifier import Classifier
from edge.inference.contract import Contract, find_model, read_model
from edge.inference.preprocess import Framing

LABELS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]


@pytest.fixture
def folder(tmp_path, models):
    for name in ("tiny_emotion", "tiny_gender"):
        for suffix in (".json", ".tflite"):
            shutil.copy(models / f"{name}{suffix}", tmp_path)
    return tmp_path


def edit(folder, key, value):
    """Sets a key of the emotion contract, or takes it out where the value is None."""
    path = folder / "tiny_emotion.json"
    content = json.loads(path.read_text())
    *outer, last = key.split(".")
    place = content
    for part in outer:
        place = place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    path.write_text(json.dumps(content))


def refusal(folder, path=None):
    with pytest.raises(ModelError) as caught:
        Classifier(path or folder / "tiny_emotion.tflite", "emotion")
    assert caught.value.exit_code == 2
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


def test_a_network_may_be_named_by_either_file(folder):
    by_contract, by_network = (read_model(folder / f"tiny_emotion{end}") for end in (".json", ".tflite"))
    assert by_contract == by_network
    assert by_contract[0].labels == tuple(LABELS)


def test_what_is_written_is_what_is_read(folder):
    contract = replace(
        read_model(folder / "tiny_emotion.json")[0],
        name="other",
        labels=tuple(reversed(LABELS)),
        temperature=1.5,
        framing=Framing(1.1, -0.1),
        figures={"accuracy": {"val": 0.6}},
    )
    path = contract.write(folder)
    assert path == folder / "other.json"
    assert Contract.from_json(path.read_text()) == contract
    assert sorted(entry.name for entry in folder.iterdir() if entry.name.startswith(".")) == []


@pytest.mark.parametrize(
    "key",
    [
        *("format", "name", "task", "sha256", "bytes", "labels", "parameters", "figures", "training"),
        *("input", "input.height", "input.dtype", "input.range"),
        *("output", "output.kind", "output.temperature", "crop", "crop.margin", "crop.shift_y"),
    ],
)
def test_a_missing_key_is_named(folder, key):
    edit(folder, key, None)
    assert refusal(folder) == f"contract {folder / 'tiny_emotion.json'}: {key} is missing"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", 2, "format 2: this version reads format 1"),
        ("formats", 1, "formats is not known in format 1"),
        ("input.depth", 1, "input.depth is not known in format 1"),
        ("bytes", "3208", "bytes is '3208': expected int"),
        ("bytes", True, "bytes is True: expected int"),
        ("labels", "angry", "labels is 'angry': expected list"),
        ("input", [48, 48], "input is [48, 48]: expected an object"),
        ("crop.margin", "1", "crop.margin is '1': expected float"),
        ("crop.margin", 3, "crop.margin: expected 0.5 to 2"),
        ("crop.shift_y", -1.0, "crop.shift_y: expected -0.5 to 0.5"),
        ("task", "age", "task 'age': must be emotion, gender, proposal or refinement"),
        ("labels", [*LABELS[:6], "contempt"], "unknown emotion label 'contempt': must be angry, disgust,"),
        ("labels", LABELS[:6], "must be each of"),
        ("labels", [*LABELS, "angry"], "must be each of"),
        ("labels", [0, 1, 2, 3, 4, 5, 6], "expected texts"),
        ("input.width", 64, "expected a square of 1 channel"),
        ("input.channels", 3, "expected a square of 1 channel"),
        ("input.dtype", "float32", "input.dtype 'float32': must be uint8 or int8"),
        ("input.range", [0], "expected two numbers"),
        ("input.range", [255, 0], "input.range: expected two finite numbers, rising"),
        ("output.kind", "softmax", "output.kind 'softmax': must be logits, scores or detection"),
        ("output.temperature", 0, "output.temperature: expected a number from 0.1 to 100"),
        ("output.temperature", 10**400, "output.temperature: expected a number from 0.1 to 100"),
        ("input.range", [0, 10**400], "input.range: expected two finite numbers, rising"),
        ("name", "two\nlines", "name: expected 1 to 100 printable characters"),
        ("labels", ["x" * 100_000], "unknown emotion label 'x"),
        ("sha256", "abc", "sha256: expected 64 hexadecimal digits"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(folder, key, value, message):
    edit(folder, key, value)
    found = refusal(folder)
    assert found.startswith(f"contract {folder / 'tiny_emotion.json'}: ")
    assert message in found


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sha256", "0" * 64, "its contract says 000000000000…"),
        ("input.dtype", "int8", "its input is uint8 [1, 48, 48, 1], its contract says int8 [1, 48, 48, 1]"),
        ("output.dtype", "uint8", "its output is int8 [1, 7], its contract says uint8 [1, 7]"),
        ("input.range", [0, 1], "its input spans 0 to 255, its contract says 0 to 1"),
    ],
)
def test_a_contract_of_another_network_is_refused(folder, key, value, message):
    edit(folder, key, value)
    found = refusal(folder)
    assert found.startswith(f"model {folder / 'tiny_emotion.tflite'}: ")
    assert message in found


def test_another_size_is_refused(folder):
    edit(folder, "input.height", 64)
    edit(folder, "input.width", 64)
    assert "its input is uint8 [1, 48, 48, 1], its contract says uint8 [1, 64, 64, 1]" in refusal(folder)


def test_another_count_of_labels_is_refused(folder):
    content = (folder / "tiny_gender.tflite").read_bytes()
    (folder / "tiny_emotion.tflite").write_bytes(content)
    edit(folder, "sha256", hashlib.sha256(content).hexdigest())
    assert "its output is int8 [1, 2], its contract says int8 [1, 7]" in refusal(folder)


@pytest.mark.parametrize("keep", [0, 4, 8, 100, 1600])
def test_a_truncated_network_is_refused(folder, keep, monkeypatch):
    path = folder / "tiny_emotion.tflite"
    content = path.read_bytes()[:keep]
    path.write_bytes(content)
    assert refusal(folder).startswith(f"model {path}: ")
    # Even a contract that was made for the damaged file does not get it past LiteRT.
    monkeypatch.setenv("EMOTINY_RUNTIME", "litert")
    edit(folder, "sha256", hashlib.sha256(content).hexdigest())
    assert refusal(folder).startswith(f"model {path}: ")


def test_a_foreign_file_is_refused(folder):
    (folder / "tiny_emotion.tflite").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    assert refusal(folder).endswith("tiny_emotion.tflite: not a TFLite file (no TFL3 identifier)")


@pytest.mark.parametrize("suffix", [".json", ".tflite"])
def test_a_missing_file_is_named(folder, suffix):
    (folder / f"tiny_emotion{suffix}").unlink()
    for name in (".json", ".tflite"):
        named = folder / f"tiny_emotion{name}"
        beside = f"; expected it next to {named}" if name != suffix else ""
        missing = folder / f"tiny_emotion{suffix}"
        assert refusal(folder, named) == f"cannot read {missing}: No such file or directory{beside}"


def test_a_foreign_file_without_a_contract_is_refused_as_foreign(folder):
    (folder / "notes.tflite").write_text("shopping list\n")
    message = refusal(folder, folder / "notes.tflite")
    assert message.endswith("notes.tflite: not a TFLite file (no TFL3 identifier)")


@pytest.mark.parametrize("suffix", [".json", ".tflite"])
def test_where_both_are_missing_the_one_that_was_named_is_named(folder, suffix):
    assert refusal(folder, folder / f"none{suffix}").startswith(f"cannot read {folder / 'none'}{suffix}: ")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"\xff\xfe\x00", b'"text"'])
def test_a_contract_that_is_no_object_is_refused(folder, content):
    (folder / "tiny_emotion.json").write_bytes(content)
    assert refusal(folder).startswith(f"contract {folder / 'tiny_emotion.json'}: ")


@pytest.mark.parametrize("content", [b"[" * 200_000, b'{"a":' * 40_000, b'{"figures":' + b"[" * 100_000])
def test_a_contract_of_many_brackets_is_refused_before_it_is_parsed(folder, content):
    (folder / "tiny_emotion.json").write_bytes(content)
    assert refusal(folder).endswith("tiny_emotion.json: nested more than 32 levels deep")
    with pytest.raises(ModelError, match="nested more than 32 levels deep"):
        find_model(folder, "emotion")


@pytest.mark.parametrize(("suffix", "size"), [(".json", 300_000), (".tflite", 40_000_000)])
def test_a_file_of_any_size_is_not_read_to_its_end(folder, suffix, size):
    path = folder / f"tiny_emotion{suffix}"
    with path.open("r+b") as file:
        file.truncate(size)
    assert re.search(rf"{path.name}: larger than \d+ [kM]B$", refusal(folder))


def test_another_suffix_is_refused(folder):
    assert "expected a .tflite file or its .json" in refusal(folder, folder / "tiny_emotion.onnx")


def test_a_network_of_the_other_task_is_refused(folder):
    message = refusal(folder, folder / "tiny_gender.json")
    assert message.endswith("a network for gender; expected one for emotion")


def test_the_one_network_of_a_task_is_found(folder):
    assert find_model(folder, "gender") == folder / "tiny_gender.json"


def test_no_network_of_a_task_is_an_error(folder):
    (folder / "tiny_gender.json").unlink()
    with pytest.raises(ModelError, match=r"no gender model in .*make quantize"):
        find_model(folder, "gender")
    with pytest.raises(ModelError, match="no emotion model"):
        find_model(folder / "nowhere", "emotion")


def test_several_networks_of_a_task_are_listed(folder):
    shutil.copy(folder / "tiny_emotion.json", folder / "second.json")
    with pytest.raises(ModelError, match=r"\(second, tiny_emotion\): choose with --emotion-model"):
        find_model(folder, "emotion")


def test_a_network_that_finds_faces_has_fixed_outputs_in_units_of_its_own():
    names = ("face", "dx", "dy", "size")
    contract = Contract(
        "p", "proposal", "0" * 64, 1, names, 1, Framing(1, 0), size=128, output_kind="detection"
    )
    assert Contract.from_json(contract.to_json()) == contract
    assert contract.output_shape == (16, 16, 4)
    with pytest.raises(ModelError, match=r"must be .* in this order"):
        replace(contract, labels=("dx", "face", "dy", "size"))
    with pytest.raises(ModelError, match=r"output\.kind 'logits': not that of a network for proposal"):
        replace(contract, output_kind="logits")


def test_a_network_that_reads_faces_has_no_detections(folder):
    edit(folder, "output.kind", "detection")
    assert "output.kind 'detection': not that of a network for emotion" in refusal(folder)
