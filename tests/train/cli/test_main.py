"""The command line of train: every command has a module, and every error is one line and an exit code."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from edge.errors import OutputError

pytestmark = pytest.mark.train

import train.cli  # noqa: E402
from train.cli.main import main  # noqa: E402
from train.cli.parser import parser  # noqa: E402

COMMANDS = {
    "fit": "fit",
    "workers 2 fit": "workers",
    "recipes": "recipes",
    "evaluate": "evaluate",
    "robustness a": "robustness",
    "table": "table",
    "archive a": "archive",
    "restore": "restore",
    "collect a.zip emotion": "collect",
    "saliency a": "saliency",
    "data a": "data",
    "scenes a": "scenes",
    "expand a --out b": "expand",
    "pack emotion a.npz": "pack",
    "framing": "framing",
    "demo-faces": "demo_faces",
    "bench-plot a b": "bench_plot",
}


def test_every_command_has_a_module_and_every_module_a_command():
    for words, module in COMMANDS.items():
        arguments = parser().parse_args(words.split())
        assert arguments.module == module
        assert callable(import_module(f"train.cli.{module}").run)
    modules = {path.stem for path in Path(train.cli.__file__).parent.glob("*.py")}
    assert modules - {"__init__", "main", "parser"} == set(COMMANDS.values())


def test_recipes_are_listed_with_their_groups(capsys):
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split()[:3] == ["emotion", "emotion", "fer2013"] for line in lines)
    assert any(line.startswith("shipped: emotion-teacher, emotion, ") for line in lines)


def test_a_recipe_is_written_once_and_under_a_name_of_its_own(tmp_path, capsys):
    file = tmp_path / "gender.toml"
    assert main(["recipes", "--write", "gender", str(file)]) == 0
    assert 'name = "my-gender"' in file.read_text().splitlines()
    capsys.readouterr()
    assert main(["recipes", "--write", "gender", str(file)]) == 2
    assert capsys.readouterr().err == f"train: error: {file}: exists already; name another file\n"
    assert main(["recipes", "--write", "gender", str(tmp_path / "a.json")]) == 2


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (OSError(28, "full", "a.bin"), OutputError.exit_code, "error: a.bin: No space left on device"),
        (OSError(28, "full"), OutputError.exit_code, "error: a file: No space left on device"),
        (KeyboardInterrupt(), 130, "stopped"),
        (KeyboardInterrupt("`a` goes on"), 130, "stopped; `a` goes on"),
    ],
)
def test_errors_of_the_system_and_interruptions_are_one_line(monkeypatch, capsys, error, code, message):
    def run(_):
        raise error

    monkeypatch.setattr("train.cli.recipes.run", run)
    assert main(["recipes"]) == code
    assert capsys.readouterr().err == f"train: {message}\n"


def test_a_reader_that_leaves_is_no_error():
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    process = subprocess.Popen(
        [sys.executable, "-m", "train", "recipes"],
        env=buffered,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, b"")
