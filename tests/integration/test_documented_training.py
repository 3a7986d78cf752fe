"""The commands of the page on training, typed in a checkout with a few pictures of each dataset."""

from __future__ import annotations

import io
import json
import logging
import re
import shlex
import shutil
import zipfile
from contextlib import contextmanager
from dataclasses import asdict

import numpy as np
import pytest

pytestmark = pytest.mark.train

from quantize.cli.main import main as quantize_main  # noqa: E402
from tests.support.clean_place import CleanPlace, add_checkout  # noqa: E402
from tests.support.documented_commands import DESKTOP  # noqa: E402
from tests.support.sources import ROOT  # noqa: E402
from tests.support.tiny_data import write_datasets  # noqa: E402
from train.cli.main import main as train_main  # noqa: E402

MAIN = {"train": train_main, "quantize": quantize_main}


class _CtrlC(logging.Handler):
    """Stops a command as Ctrl-C does, at the first line that a pattern fits."""

    def __init__(self, pattern):
        super().__init__()
        self._pattern = pattern

    def emit(self, record):
        if re.search(self._pattern, record.getMessage()):
            raise KeyboardInterrupt


@contextmanager
def _ctrl_c_at(pattern):
    handler = _CtrlC(pattern)
    if pattern:
        logging.getLogger().addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A place with what the commands need of a checkout, and datasets in `folder`, which is also `data`."""
    place = CleanPlace(tmp_path_factory.mktemp("desktop"))
    here = place.here
    add_checkout(place, ".venv")
    shutil.copytree(ROOT / "models", here / "models", ignore=lambda *_: ["trained"])
    (here / "models" / "trained").symlink_to(ROOT / "models" / "trained")
    write_datasets(here / "folder")
    (here / "data").symlink_to("folder")
    _write_teacher(here / "out")
    return place


def _write_teacher(folder):
    """Writes a network as `python -m train.accelerator` does, with weights that mean nothing."""
    from train.models.sepnet import build
    from train.recipes.named import classifier_named

    spec = classifier_named("emotion-expert").spec
    content = io.BytesIO()
    weights = build(spec).get_weights()
    np.savez(content, **{f"{index:04d}": weight for index, weight in enumerate(weights)})
    log = [{"epoch": 1, "loss": [2.0], "accuracy": [0.4], "clean": [0.4], "seconds": 0.1}]
    text = {"spec": asdict(spec), "instance": {"seed": 1}, "index": 0, "log": log}
    folder.mkdir()
    with zipfile.ZipFile(folder / "teacher-1.zip", "w") as file:
        file.writestr("teacher-1.npz", content.getvalue())
        file.writestr("teacher-1.json", json.dumps(text))


def run_here(command, capfd, caplog):
    """Runs a command in this process, which has TensorFlow already; returns its code and what it shows."""
    python, option, package, *words = shlex.split(command.typed)
    assert (python, option) == (".venv/bin/python", "-m")
    with _ctrl_c_at(command.until):
        code = MAIN[package](words)
    return code, "\n".join([*caplog.messages, *capfd.readouterr()])


@pytest.mark.parametrize("command", DESKTOP, ids=[command.line for command in DESKTOP])
def test_a_command_does_what_the_page_says(checkout, command, monkeypatch, capfd, caplog):
    monkeypatch.chdir(checkout.here)
    monkeypatch.setenv("HOME", checkout.environment["HOME"])
    caplog.set_level(logging.INFO)
    if command.line.startswith("make "):
        answer = checkout.type(command.typed, until=command.until)
        code, shown = answer.code, answer.out + answer.err
    else:
        code, shown = run_here(command, capfd, caplog)
    shown += checkout.type(command.then).out
    assert code in command.code, shown
    assert re.search(command.shows, shown), shown
    assert "Traceback" not in shown
