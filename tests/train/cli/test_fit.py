"""`train fit` from a recipe of one's own: the plan, Ctrl-C, the report of what there is, and the way on."""

import json
import logging
import re
from dataclasses import replace

import numpy as np
import pytest

pytestmark = pytest.mark.train

import keras  # noqa: E402

import train.cli.fit  # noqa: E402
from edge.errors import ConfigError, DataError  # noqa: E402
from train.cli.main import main  # noqa: E402
from train.recipes.recipe_text import recipe_toml  # noqa: E402


@pytest.fixture
def arguments(toy, toy_recipe, tmp_path, monkeypatch):
    """The command line that trains the toy recipe, from a file, on the toy set."""
    monkeypatch.setattr(train.cli.fit, "load_for", lambda *_: toy)
    (tmp_path / "fer2013.tar.gz").touch()
    (tmp_path / "mine.toml").write_text(recipe_toml(replace(toy_recipe, epochs=3), "mine"))
    folders = ["--data", str(tmp_path), "--runs", str(tmp_path / "runs")]
    return ["fit", str(tmp_path / "mine.toml"), *folders]


@pytest.fixture
def interrupt():
    """A function that has Ctrl-C follow the log line that starts with a text; None for no line."""

    class Interrupt(logging.Handler):
        line: str | None = None

        def emit(self, record):
            if self.line is not None and record.getMessage().startswith(self.line):
                raise KeyboardInterrupt

    logger, handler = logging.getLogger("train.training.fit"), Interrupt()
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield lambda line: setattr(handler, "line", line)
    logger.removeHandler(handler)


def test_a_stopped_run_says_how_to_go_on_has_a_report_and_goes_on(
    arguments, interrupt, tmp_path, capsys, caplog
):
    caplog.set_level(logging.INFO)
    run = tmp_path / "runs" / "mine"
    interrupt("mine 2/3")
    assert main(arguments) == 130
    assert "the plan: 1 stage, 3 epochs to train" in caplog.text
    lines = [
        line for line in capsys.readouterr().err.splitlines() if line
    ]  # a terminal shows ^C in the first
    assert len(lines) == 1
    assert lines[0].startswith("train: stopped; `")
    assert f"-m train {' '.join(arguments)}` goes on with epoch 3 of 3 of mine" in lines[0]
    page = (run / "report.html").read_text()
    assert "Stopped after 2 of 3 epochs" in page
    assert page.count("<img ") == 2  # the curves so far, and the network

    caplog.clear()
    interrupt(None)
    assert main(arguments) == 0
    assert "goes on after epoch 2" in caplog.text
    assert "mine 1/3" not in caplog.text
    assert "mine 3/3" in caplog.text
    page = (run / "report.html").read_text()
    assert "Stopped after" not in page
    assert "Temperature: " in page
    stored = json.loads((run / "run.json").read_text())["recipe"]
    assert (stored["name"], stored["epochs"], stored["spec"]["stem"]) == ("mine", 3, 6)


def test_a_stop_before_the_first_epoch_leaves_no_report(arguments, monkeypatch, tmp_path, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train.cli.fit, "fit", stop)
    assert main(arguments) == 130
    assert capsys.readouterr().err.rstrip().endswith("` goes on with epoch 1 of 3 of mine")
    assert not (tmp_path / "runs" / "mine" / "report.html").exists()


def test_another_seed_has_a_folder_of_its_own(arguments, monkeypatch, tmp_path):
    folders = []
    monkeypatch.setattr(train.cli.fit, "_train", lambda stage, *_: folders.append(stage.folder))
    assert main([*arguments, "--seed", "7"]) == 0
    assert folders == [tmp_path / "runs" / "mine-seed7"]


def test_a_run_starts_from_the_network_of_another(arguments, tmp_path, monkeypatch):
    assert main(["fit", *arguments[1:], "--epochs", "1", "--out", str(tmp_path / "runs" / "first")]) == 0
    # At a rate of nearly nothing, what it started from is what is left.
    text = (tmp_path / "mine.toml").read_text()
    slow = re.sub(r"^learning_rate = .*$", "learning_rate = 1e-9", text, flags=re.MULTILINE)
    (tmp_path / "mine.toml").write_text(slow)
    second = tmp_path / "runs" / "second"
    assert main([*arguments, "--start", "first/", "--epochs", "1", "--out", str(second)]) == 0
    first, started = (
        keras.models.load_model(tmp_path / "runs" / name / "best.keras", compile=False)
        for name in ("first", "second")
    )
    for before, after in zip(first.trainable_variables, started.trainable_variables, strict=True):
        np.testing.assert_allclose(before, after, atol=1e-6)
    settings = json.loads((second / "run.json").read_text())
    assert settings["recipe"]["start"] == "first"
    assert "start" in settings["sources"]


def test_a_backbone_that_starts_from_a_run_does_not_ask_for_imagenets_weights(monkeypatch, tmp_path):
    recipes = []
    monkeypatch.setattr(train.cli.fit, "_announce", lambda stages: stages)
    monkeypatch.setattr(train.cli.fit, "_train", lambda stage, *_: recipes.append(stage.recipe))
    line = ["fit", "mobilenet-ckplus", "--runs", str(tmp_path)]
    assert main([*line, "--start", "mobilenet-fer2013"]) == 0
    assert [(recipe.start, recipe.spec.pretrained) for recipe in recipes] == [("mobilenet-fer2013", False)]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--start", "nothing"], DataError.exit_code, "nothing is needed, and its run in "),
        (["gender", "--start", "first"], ConfigError.exit_code, "--start names one run's network: name one "),
        (["--start", "../first"], ConfigError.exit_code, "--start ../first: expected the name of a run in "),
        (["--start", ""], ConfigError.exit_code, "--start: expected the name of a run"),
        (["--start", "first", "--random-init"], 2, "not allowed with argument"),
    ],
)
def test_a_start_that_cannot_be_is_refused(arguments, monkeypatch, capsys, options, code, said):
    monkeypatch.setattr(train.cli.fit, "_train", lambda *_: pytest.fail("begun"))
    assert main([*arguments[:2], *options, *arguments[2:]]) == code
    assert said in capsys.readouterr().err


def test_what_is_missing_is_said_before_anything_is_read(arguments, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(train.cli.fit, "_train", lambda *_: pytest.fail("begun"))
    (tmp_path / "fer2013.tar.gz").unlink()
    assert main(["fit", "gender-teacher", *arguments[1:]]) == DataError.exit_code
    error = capsys.readouterr().err
    assert "for mine: no fer2013 data in" in error
    assert "for gender-teacher: no utkface data in" in error


def test_the_figures_of_each_epoch_are_written_for_tensorboard(arguments, tmp_path):
    pytest.importorskip("tensorboard", reason="needs the package tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert main([*arguments, "--tensorboard", str(tmp_path / "board")]) == 0
    events = EventAccumulator(str(tmp_path / "board" / "mine"))
    events.Reload()
    assert {"loss/training", "loss/validation", "accuracy/training", "accuracy/validation"} <= set(
        events.Tags()["tensors"]
    )
    assert [event.step for event in events.Tensors("loss/training")] == [1, 2, 3]


def test_without_tensorboard_one_line_names_the_package(arguments, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(
        "train.training.tensorboard.find_spec", lambda name: None if name == "tensorboard" else 1
    )
    assert main([*arguments, "--tensorboard", str(tmp_path / "board")]) == 2
    assert "--tensorboard needs the package tensorboard: `pip install tensorboard`" in capsys.readouterr().err
