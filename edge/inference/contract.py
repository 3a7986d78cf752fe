"""The contract of a network: `models/<name>.json` describes what `models/<name>.tflite` reads and outputs.

quantize/ writes it; the device refuses a network that differs from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from edge.documents import parse_json
from edge.errors import ModelError
from edge.files import atomic_write, read_regular
from edge.inference.preprocess import Framing
from edge.labels import FACE_TASKS, LABELS, Task

FORMAT = 1
PROPOSAL_STRIDE = 8  # pixels from one cell of a proposal network's map to the next
_PACKAGE = Path(__file__).resolve().parents[1]
# In an installed wheel it lies within the package, in a source tree next to it.
MODELS_FOLDER = _PACKAGE / "models" if (_PACKAGE / "models").is_dir() else _PACKAGE.parent / "models"

# The networks of the package have 30 kB, their contracts 8 kB; some that they are compared with have MB.
_MAX_BYTES: Mapping[str, int] = {".json": 1 << 18, ".tflite": 1 << 24}
_MOST = 1e6  # what a pixel may stand for; JSON's integers have no end, and no float holds all of them
_MAX_SHOWN = 100  # characters of a wrong value in a message

Integer8 = Literal["uint8", "int8"]
OutputKind = Literal["logits", "scores", "detection"]

_NUMBER = (float, int)
_FORM: Mapping[str, Any] = {
    "format": (int,),
    "name": (str,),
    "task": (str,),
    "sha256": (str,),
    "bytes": (int,),
    "labels": (list,),
    "input": {"height": (int,), "width": (int,), "channels": (int,), "dtype": (str,), "range": (list,)},
    "output": {"dtype": (str,), "kind": (str,), "temperature": _NUMBER},
    "crop": {"margin": _NUMBER, "shift_y": _NUMBER},
    "parameters": (int,),
    "figures": (dict,),
    "training": (dict,),
}


@dataclass(frozen=True)
class Contract:
    """What a network reads and outputs, and which file it is.

    Attributes:
        name: Name of both files without suffix.
        task: What the network classifies or finds.
        sha256: Hash of the .tflite file, 64 hexadecimal digits.
        size_bytes: Size of the .tflite file.
        labels: Labels of the outputs in their order: each label of the task once. The outputs of a network
            that finds faces have the order of `edge.labels`.
        framing: How the crop lies around the detector's box.
        size: Side of the square, one-channel input in pixels. A proposal network, which is convolutional
            throughout, reads pictures of other sizes, too.
        input_dtype: `uint8` for pixels as they are, `int8` for pixels minus 128.
        input_range: Values that pixel 0 and pixel 255 stand for.
        output_dtype: Type of the outputs before dequantization.
        output_kind: `logits` if the outputs need a softmax, `scores` if the network ends with one,
            `detection` for the units of `edge.detection.outputs`.
        temperature: Divisor of the logits before the softmax or the sigmoid (Guo et al. 2017,
            arXiv:1706.04599), 0.1 to 100.
        parameters: Number of weights and biases stored in the file.
        figures: Measured figures with split and sample count, for people and the model card.
        training: How and from what the network was trained; likewise.
    """

    name: str
    task: Task
    sha256: str
    size_bytes: int
    labels: tuple[str, ...]
    parameters: int
    framing: Framing
    size: int = 48
    input_dtype: Integer8 = "uint8"
    input_range: tuple[float, float] = (0, 255)
    output_dtype: Integer8 = "int8"
    output_kind: OutputKind = "logits"
    temperature: float = 1.0
    figures: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.task not in LABELS:
            raise ModelError(f"task {_shown(self.task)}: must be {_either(tuple(LABELS))}")
        wanted = LABELS[self.task]
        for label in self.labels:
            if label not in wanted:
                raise ModelError(f"unknown {self.task} label {_shown(label)}: must be {_either(wanted)}")
        if sorted(self.labels) != sorted(wanted):
            raise ModelError(f"labels {_shown(list(self.labels))}: must be each of {list(wanted)} once")
        for key, value, choices in (
            ("input.dtype", self.input_dtype, get_args(Integer8)),
            ("output.dtype", self.output_dtype, get_args(Integer8)),
            ("output.kind", self.output_kind, get_args(OutputKind)),
        ):
            if value not in choices:
                raise ModelError(f"{key} {_shown(value)}: must be {_either(choices)}")
        finds_faces = self.task in FACE_TASKS
        if finds_faces != (self.output_kind == "detection"):
            raise ModelError(f"output.kind {self.output_kind!r}: not that of a network for {self.task}")
        if finds_faces and self.labels != wanted:
            raise ModelError(f"labels {_shown(list(self.labels))}: must be {list(wanted)} in this order")
        low, high = self.input_range
        for key, fits, expected in (
            ("name", self.name.isprintable() and 0 < len(self.name) <= 100, "1 to 100 printable characters"),
            ("sha256", len(self.sha256) == 64, "64 hexadecimal digits"),
            ("input.height", 8 <= self.size <= 512, "8 to 512"),
            ("input.range", -_MOST < low < high < _MOST, "two finite numbers, rising"),
            # Divided by less, a logit may be beyond the exponential function; fitted ones are 0.25 to 8.
            ("output.temperature", 0.1 <= self.temperature <= 100, "a number from 0.1 to 100"),
            ("crop.margin", 0.5 <= self.framing.margin <= 2, "0.5 to 2"),
            ("crop.shift_y", -0.5 <= self.framing.shift_y <= 0.5, "-0.5 to 0.5"),
        ):
            if not fits:
                raise ModelError(f"{key}: expected {expected}")

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the outputs for one picture of the stated size."""
        side = self.size // PROPOSAL_STRIDE
        return (side, side, len(self.labels)) if self.task == "proposal" else (len(self.labels),)

    def to_json(self) -> str:
        """Returns the content of the contract's file."""
        content = {
            "format": FORMAT,
            "name": self.name,
            "task": self.task,
            "sha256": self.sha256,
            "bytes": self.size_bytes,
            "labels": list(self.labels),
            "input": {
                "height": self.size,
                "width": self.size,
                "channels": 1,
                "dtype": self.input_dtype,
                "range": list(self.input_range),
            },
            "output": {
                "dtype": self.output_dtype,
                "kind": self.output_kind,
                "temperature": self.temperature,
            },
            "crop": {"margin": self.framing.margin, "shift_y": self.framing.shift_y},
            "parameters": self.parameters,
            "figures": self.figures,
            "training": self.training,
        }
        return json.dumps(content, indent=2, allow_nan=False) + "\n"

    def write(self, folder: Path) -> Path:
        """Writes `<name>.json` into a folder, replacing an older one, and returns its path.

        Raises:
            OutputError: the file cannot be written.
        """
        path = folder / f"{self.name}.json"
        atomic_write(path, lambda partial: partial.write_text(self.to_json()))
        return path

    @classmethod
    def from_json(cls, text: str) -> Contract:
        """Parses what `to_json` returned.

        Raises:
            ModelError: the text is nested too deeply or not JSON, a key is missing, unknown or of the wrong
                type, or a value is out of range.
        """
        try:
            content = parse_json(text)
        except ValueError as error:
            raise ModelError(str(error)) from error
        if isinstance(content, dict) and content.get("format", FORMAT) != FORMAT:
            raise ModelError(f"format {_shown(content['format'])}: this version reads format {FORMAT}")
        _check_form(content, _FORM)
        pixels, answers, crop = content["input"], content["output"], content["crop"]
        if pixels["height"] != pixels["width"] or pixels["channels"] != 1:
            raise ModelError("input.height, width and channels: expected a square of 1 channel")
        if len(pixels["range"]) != 2 or not all(type(end) in (int, float) for end in pixels["range"]):
            raise ModelError(f"input.range {_shown(pixels['range'])}: expected two numbers")
        if not all(isinstance(label, str) for label in content["labels"]):
            raise ModelError(f"labels {_shown(content['labels'])}: expected texts")
        return cls(
            name=content["name"],
            task=content["task"],
            sha256=content["sha256"],
            size_bytes=content["bytes"],
            labels=tuple(content["labels"]),
            parameters=content["parameters"],
            size=pixels["height"],
            input_dtype=pixels["dtype"],
            input_range=tuple(pixels["range"]),
            output_dtype=answers["dtype"],
            output_kind=answers["kind"],
            temperature=answers["temperature"],
            framing=Framing(crop["margin"], crop["shift_y"]),
            figures=content["figures"],
            training=content["training"],
        )


def read_model(path: Path) -> tuple[Contract, bytes]:
    """Reads a network and its contract.

    Args:
        path: Path of either file; the other one must lie next to it.

    Returns:
        The contract and the content of the .tflite file, whose hash is the one in the contract.

    Raises:
        ModelError: a file is missing or damaged, or they do not belong together.
    """
    if path.suffix not in (".json", ".tflite"):
        raise ModelError(f"model {path}: expected a .tflite file or its .json contract")
    # If both are missing, the error names the file that the caller named.
    suffixes = (".json", ".tflite") if path.suffix == ".json" else (".tflite", ".json")
    files: dict[str, bytes] = {}
    for suffix in suffixes:
        files[suffix] = _read(path.with_suffix(suffix), path if suffix != path.suffix else None)
        # Before the checksum and before a missing contract, so that the message names the likelier mistake.
        if suffix == ".tflite" and files[suffix][4:8] != b"TFL3":
            raise ModelError(f"model {path.with_suffix(suffix)}: not a TFLite file (no TFL3 identifier)")
    contract = _parse(files[".json"], path.with_suffix(".json"))
    content, model_path = files[".tflite"], path.with_suffix(".tflite")
    digest = hashlib.sha256(content).hexdigest()
    if digest != contract.sha256:
        raise ModelError(
            f"model {model_path}: its sha256 is {digest[:12]}…, its contract says {contract.sha256[:12]}…; "
            "the file is damaged or belongs to another contract"
        )
    return contract, content


def find_model(folder: Path, task: Task) -> Path:
    """Returns the path of the only contract of a task in a folder.

    Raises:
        ModelError: there is none, or more than one, or a contract cannot be read.
    """
    found = [path for path in sorted(folder.glob("*.json")) if _read_contract(path).task == task]
    if not found:
        raise ModelError(f"no {task} model in {folder}: run `make quantize` or install the package again")
    if len(found) > 1:
        names = ", ".join(path.stem for path in found)
        raise ModelError(f"several {task} models in {folder} ({names}): choose with --{task}-model")
    return found[0]


def _parse(content: bytes, path: Path) -> Contract:
    try:
        return Contract.from_json(content.decode())
    except UnicodeDecodeError as error:
        raise ModelError(f"contract {path}: not a text file") from error
    except ModelError as error:
        raise ModelError(f"contract {path}: {error}") from error


def _read_contract(path: Path) -> Contract:
    return _parse(_read(path), path)


def _read(path: Path, beside: Path | None = None) -> bytes:
    """Reads a file of a network.

    Args:
        path: The file.
        beside: The other file of the network, if that is the one that was named.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        return read_regular(path, _MAX_BYTES[path.suffix])
    except OSError as error:
        place = f"; expected it next to {beside}" if beside and isinstance(error, FileNotFoundError) else ""
        raise ModelError(f"cannot read {path}: {error.strerror}{place}") from error


def _shown(value: object) -> str:
    """Returns a value for a message of one line."""
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


def _either(choices: tuple[str, ...]) -> str:
    return ", ".join(choices[:-1]) + " or " + choices[-1]


def _check_form(content: Any, form: Mapping[str, Any], prefix: str = "") -> None:
    """Checks the keys of an object and the types of its values.

    Raises:
        ModelError: a key is missing or unknown, or a value has another type.
    """
    if not isinstance(content, dict):
        raise ModelError(f"{prefix.rstrip('.') or 'content'} is {_shown(content)}: expected an object")
    missing = [key for key in form if key not in content]
    if missing:
        raise ModelError(f"{prefix}{missing[0]} is missing")
    for key, value in content.items():
        kinds = form.get(key)
        if kinds is None:
            raise ModelError(f"{prefix}{_cut(key)} is not known in format {FORMAT}")
        if isinstance(kinds, Mapping):
            _check_form(value, kinds, f"{prefix}{key}.")
        # The exact type: True is an int, too, but not a number of bytes.
        elif type(value) not in kinds:
            raise ModelError(f"{prefix}{key} is {_shown(value)}: expected {kinds[0].__name__}")
