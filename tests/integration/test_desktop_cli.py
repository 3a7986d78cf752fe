"""The command lines of train and quantize: wrong arguments, missing data, and commands on small data."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.train

from quantize.cli.main import main as quantize_main  # noqa: E402
from tests.support.pictures import read_picture  # noqa: E402
from train.cli.main import main as train_main  # noqa: E402
from train.data.ferplus import COLUMNS  # noqa: E402

TINY = Path(__file__).parents[1] / "models" / "tiny_emotion.tflite"
PROPOSAL = str(Path(__file__).parents[2] / "models" / "proposal_sepnet_128_int8.tflite")


@pytest.mark.parametrize(
    ("main", "words", "code", "message"),
    [
        (
            train_main,
            ["fit", "alexnet"],
            2,
            "no recipe 'alexnet'; expected one of emotion-teacher, emotion, ",
        ),
        (train_main, ["fit", "mini-xception", "--data", "{}"], 3, "no fer2013 data in '{}': get FER-2013"),
        (train_main, ["fit", "gender-small", "--data", "{}"], 3, "no utkface data in '{}': get UTKFace"),
        (train_main, ["fit", "vgg16-ckplus", "--data", "{}"], 3, "no ckplus data in '{}': get CK+"),
        (train_main, ["fit", "proposal", "--data", "{}"], 3, "no scenes in '{}': expected scenes.tar there"),
        (
            train_main,
            ["expand", "proposal", "--out", "{}/new"],
            2,
            "'proposal' finds faces; expected the rec",
        ),
        (quantize_main, ["prune", "proposal-parent", "--data", "{}"], 3, "no scenes in '{}'"),
        (quantize_main, ["compare", "proposal-parent"], 2, "'proposal-parent' finds faces; expected"),
        (train_main, ["fit", "tang", "--strategy", "all"], 2, "strategy 'all', expected one of auto, none"),
        (train_main, ["workers", "2", "table"], 2, "workers run `fit`, not 'table'"),
        (train_main, ["expand", "tang", "--out", "{}/new"], 2, "tang has no views"),
        (train_main, ["expand", "shipped", "--out", "{}/new"], 2, "'shipped' is a group of recipes"),
        (train_main, ["expand", "emotion", "--out", "{}"], 2, "{} exists; name a folder"),
        (train_main, ["expand", "emotion", "--out", "{}/n", "--count", "0"], 2, "--count 0: expected at"),
        (train_main, ["expand", "emotion", "--out", "{}/n", "--count", "-3"], 2, "--count -3: expected at"),
        (train_main, ["framing", "--count", "0", "--data", "{}"], 2, "--count 0: expected at least 1"),
        (train_main, ["framing", "--count", "-2", "--data", "{}"], 2, "--count -2: expected at least 1"),
        (train_main, ["fit", "tang", "--seed", "-1", "--data", "{}"], 2, "tang: seed -1, expected 0 to "),
        (train_main, ["fit", "tang", "--seed", "4294967296", "--data", "{}"], 2, "tang: seed 4294967296, "),
        (quantize_main, ["prune", "emotion", "--seed", "-1", "--data", "{}"], 2, "seed -1, expected 0 to"),
        (quantize_main, ["prune", "emotion", "--rate", "-1", "--data", "{}"], 2, "a learning rate of -1.0;"),
        (train_main, ["table", "--runs", "{}"], 3, "no finished run to show"),
        (train_main, ["data", "{}/none"], 3, "{}/none"),
        (train_main, ["fit", "--out", "x"], 2, "--out names one run's folder"),
        (
            train_main,
            ["fit", "emotion", "--runs", "{}"],
            3,
            "emotion-teacher is needed, and its run in {}/emotion-teacher does not exist: train emotion-t",
        ),
        (train_main, ["fit", "emotion", "--threads", "0"], 2, "--threads 0: expected 1 or more"),
        (train_main, ["workers", "2", "fit", "--strategy", "none"], 2, "--strategy none: workers train by"),
        (train_main, ["robustness", "{}/none.tflite"], 2, "cannot read {}/none.tflite: No such file"),
        (train_main, ["robustness", PROPOSAL, "--data", "{}"], 2, f"{PROPOSAL} finds faces; expected a net"),
        (train_main, ["robustness", "emotion", "--plot", "a.pdf"], 2, "a.pdf: expected a file name ending"),
        (train_main, ["robustness", "emotion", "--runs", "{}"], 3, "no trained run in {}/emotion"),
        (train_main, ["evaluate"], 2, "expected either RUN or --out FOLDER"),
        (train_main, ["evaluate", "emotion", "--out", "{}"], 2, "expected either RUN or --out FOLDER"),
        (quantize_main, ["run", "emotion"], 2, "models/emotion_sepnet_48_int8.tflite exists; say --overwr"),
        (train_main, ["fit", "tang", "--epochs", "0", "--data", "{}"], 2, "0 epochs"),
        (train_main, ["framing", "--data", "{}"], 3, "no emotion data"),
        (quantize_main, ["run", "emotions"], 2, "no task 'emotions'; expected one of emotion, gender,"),
        (quantize_main, ["run", "--models", "{}/none"], 2, "{}/none: no such folder"),
        (quantize_main, ["run", "--models", "{}", "--data", "{}"], 3, "no fer2013 data"),
        (quantize_main, ["verify", str(TINY), "--layers", "--runs", "{}"], 3, "no trained run in {}/emotion"),
        (quantize_main, ["measure", "tang", "--runs", "{}"], 3, "no run of tang in {}"),
        (quantize_main, ["inspect", "{}/none.tflite"], 2, "{}/none.tflite: No such file"),
        (quantize_main, ["prune", "{}/none.toml", "--data", "{}"], 2, "{}/none.toml: no such file"),
        (quantize_main, ["compare", "{}/none.toml", "--data", "{}"], 2, "{}/none.toml: no such file"),
        (quantize_main, ["measure", "{}/none.toml", "--runs", "{}"], 2, "{}/none.toml: no such file"),
        (quantize_main, ["run", "{}/none.toml", "--models", "{}"], 2, "{}/none.toml: no such file"),
        (train_main, ["evaluate", "{}/none.toml", "--runs", "{}"], 2, "{}/none.toml: no such file"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(tmp_path, capsys, main, words, code, message):
    folder = str(tmp_path)
    assert main([word.replace("{}", folder) for word in words]) == code
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.partition(": error: ")[2].startswith(message.replace("{}", folder))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["prune"], 3, "my is needed, and its run in {}/runs/my does not exist: train my first"),
        (["measure"], 3, "no run of my in {}/runs; train it with `make train RECIPE={}/my.toml`"),
        (
            ["run", "--models", "{}"],
            3,
            "no run of my in {}/runs is finished; `python -m train fit {}/my.toml`",
        ),
        (["run"], 2, "models holds what ships, one network for each task; name a folder of your own for {}/"),
    ],
)
def test_a_recipe_of_ones_own_is_taken_and_what_it_lacks_is_said(seventy_faces, capsys, words, code, message):
    assert train_main(["recipes", "--write", "emotion", str(seventy_faces / "my.toml")]) == 0
    capsys.readouterr()
    name, *rest = [word.replace("{}", str(seventy_faces)) for word in words]
    where = ["--data", str(seventy_faces), "--runs", str(seventy_faces / "runs")]
    assert quantize_main([name, str(seventy_faces / "my.toml"), *rest, *where]) == code
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.partition(": error: ")[2].startswith(message.replace("{}", str(seventy_faces)))


@pytest.mark.parametrize("words", [["prune"], ["measure"], ["run", "--models", "{}"], ["compare"]])
def test_a_mistake_in_a_recipe_of_ones_own_is_one_line(tmp_path, capsys, words):
    recipe = tmp_path / "my.toml"
    assert train_main(["recipes", "--write", "emotion", str(recipe)]) == 0
    text = recipe.read_text()
    name, *rest = [word.replace("{}", str(tmp_path)) for word in words]
    for old, new, message in (
        ("epochs = 120", "epoch = 120", "epoch: no setting of a recipe; did you mean 'epochs'?"),
        ("epochs = 120", 'epochs = "many"', "epochs: 'many'; expected a whole number"),
    ):
        assert old in text
        recipe.write_text(text.replace(old, new, 1))
        capsys.readouterr()
        assert quantize_main([name, str(recipe), *rest, "--runs", str(tmp_path / "runs")]) == 2
        assert capsys.readouterr().err == f"quantize: error: {recipe}: {message}\n"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(lambda _: b"no network", "not a TFLite file"), (lambda content: content[:1500], "cannot open it")],
)
def test_inspect_refuses_files_that_are_no_models(tmp_path, capsys, spoil, message):
    path = tmp_path / "a.tflite"
    path.write_bytes(spoil(TINY.read_bytes()))
    assert quantize_main(["inspect", str(path)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("words", [["train", "recipes"], ["quantize", "inspect", str(TINY)]])
def test_a_closed_standard_output_is_no_error(words):
    """As `>&-` closes it; Python itself has no sys.stdout then."""
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", *words],
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 0


def test_inspect_prints_the_content_of_a_model(capsys):
    assert quantize_main(["inspect", str(TINY)]) == 0
    printed = capsys.readouterr().out
    assert "float tensors: none" in printed
    assert "parameters as stored" in printed


def test_evaluate_without_a_run(tmp_path, capsys):
    rows = [f"{number % 7},{' '.join(['9'] * 2304)},PublicTest" for number in range(7)]
    (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]))
    assert train_main(["evaluate", "emotion", "--data", str(tmp_path), "--runs", str(tmp_path)]) == 3
    assert "no trained run in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("finished", "words", "expected"),
    [
        (["emotion-teacher"], ["emotion"], ["emotion-seed2"]),
        # Networks that others build on keep their seed: they would have to be trained for every seed.
        ([], ["emotion-teacher", "emotion"], ["emotion-teacher", "emotion-seed2"]),
        (
            [],
            [],
            [
                *("emotion-teacher", "emotion-seed2", "emotion-parent-seed2"),
                *("gender-teacher", "gender-seed2", "gender-parent-seed2"),
                *("proposal", "proposal-parent-seed2"),
                *("refinement-first", "refinement-seed2"),
            ],
        ),
    ],
)
def test_a_seed_holds_for_recipes_that_no_other_builds_on(tmp_path, monkeypatch, finished, words, expected):
    for name in finished:
        (tmp_path / name).mkdir()
        for file in ("best.keras", "final.keras"):
            (tmp_path / name / file).touch()
    folders = []
    monkeypatch.setattr("train.cli.fit._train", lambda stage, *_: folders.append(stage.folder))
    monkeypatch.setattr("train.runs.plan._missing_data", lambda *_: ())
    assert train_main(["fit", *words, "--seed", "2", "--runs", str(tmp_path)]) == 0
    assert [folder.name for folder in folders] == expected


def test_a_wrong_tf_config_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TF_CONFIG", "{")
    assert train_main(["fit", "tang", "--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("train: error: TF_CONFIG is no JSON (Expecting")


def test_workers_run_fit_and_return_its_exit_code(tmp_path, monkeypatch):
    calls = []

    def launch(*arguments):
        calls.append(arguments)
        return 3

    monkeypatch.setattr("train.cli.workers.launch", launch)
    fit = ["fit", "tang", "--runs", str(tmp_path)]
    assert train_main(["workers", "2", *fit]) == 3
    command = (sys.executable, "-m", "train", *fit, "--strategy", "workers")
    assert calls == [(2, command, tmp_path / "workers")]


def test_an_unfinished_run_is_not_built_on(tmp_path, capsys):
    (tmp_path / "emotion-teacher").mkdir()
    (tmp_path / "emotion-teacher" / "best.keras").touch()
    assert train_main(["fit", "emotion", "--runs", str(tmp_path)]) == 3
    assert "emotion-teacher is not finished: train emotion-teacher first" in capsys.readouterr().err


def test_any_run_is_evaluated_and_its_saliency_drawn(toy, toy_recipe, seventy_faces, capsys):
    from train.models.sepnet import build
    from train.training.epochs import Checkpoints
    from train.training.provenance import provenance
    from train.training.run_folder import claim

    recipe = replace(toy_recipe, spec=replace(toy_recipe.spec, size=48), dataset="fer2013")
    facts = {"labels": list(toy.label_names), "parameters": 400}
    claim(seventy_faces / "runs" / "pruned", provenance(recipe, toy, Checkpoints()), facts)
    build(recipe.spec).save(seventy_faces / "runs" / "pruned" / "best.keras")
    table = seventy_faces / "fer2013.csv"
    table.write_text(table.read_text().replace("Training", "PublicTest", 35))
    where = ["--data", str(seventy_faces), "--runs", str(seventy_faces / "runs")]
    assert train_main(["evaluate", "pruned", *where]) == 0
    assert (seventy_faces / "runs" / "pruned" / "on-fer-2013" / "report.html").exists()
    out = seventy_faces / "sheet.png"
    assert train_main(["saliency", "pruned", "--out", str(out), *where]) == 0
    assert out.stat().st_size > 10_000
    capsys.readouterr()
    figures = seventy_faces / "robustness.json"
    shipped = str(Path(__file__).parents[2] / "models" / "emotion_sepnet_48_int8.tflite")
    plot = seventy_faces / "robustness.png"
    options = ["--json", str(figures), "--plot", str(plot)]
    assert train_main(["robustness", shipped, "pruned", *options, *where]) == 0
    printed = capsys.readouterr().out
    assert "emotion_sepnet_48_int8: FER-2013 val, 35 pictures" in printed
    assert "lower half covered *" in printed
    assert list(json.loads(figures.read_text())) == ["emotion_sepnet_48_int8", "pruned"]
    assert plot.stat().st_size > 10_000
    assert (seventy_faces / "runs" / "pruned" / "robustness.png").exists()
    assert "As a camera sees it" in (seventy_faces / "runs" / "pruned" / "report.html").read_text()
    assert train_main(["saliency", "shipped", *where]) == 2
    assert capsys.readouterr().err == (
        "train: error: 'shipped' is a group of recipes; name one of them, or one run\n"
    )
    assert train_main(["saliency", "nobody", *where]) == 2
    assert "no recipe 'nobody'; expected one of" in capsys.readouterr().err


# The label that stands for each column of votes; the last three columns get none.
VOTES = (6, 3, 5, 4, 0, 1, 2, 7, 7, 7)


@pytest.fixture
def seventy_faces(tmp_path):
    """A folder with a fer2013.csv of ten images of each label."""
    rows = []
    for number in range(70):
        pixels = np.full((48, 48), 20 * (number % 7) + number // 7, np.uint8)
        pixels[10:20, 10:20] += 100
        rows.append(f"{number % 7},{' '.join(map(str, pixels.ravel()))},Training")
    (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]))
    votes = [
        "Training," + ",".join("10" if number % 7 == vote else "0" for vote in VOTES) for number in range(70)
    ]
    (tmp_path / "fer2013new.csv").write_text("\n".join(["Usage," + ",".join(COLUMNS), *votes]))
    return tmp_path


def test_an_expanded_set_can_be_read_again_with_its_splits(seventy_faces):
    from train.data import load_fer2013

    table = seventy_faces / "fer2013.csv"
    table.write_text(table.read_text().replace("Training", "PublicTest", 35))
    out = seventy_faces / "expanded"
    where = ["--data", str(seventy_faces), "--runs", str(seventy_faces / "runs")]
    assert train_main(["expand", "emotion", "--count", "6", "--out", str(out), *where]) == 0
    again = load_fer2013(out)
    assert len(again.part("train")) == 6 * 10
    np.testing.assert_array_equal(np.bincount(again.part("val").labels), [5] * 7)


def test_demo_faces_are_computed_for_each_label_and_gender(seventy_faces, monkeypatch, capsys):
    out = seventy_faces / "faces"
    command = ["demo-faces", "--data", str(seventy_faces), "--out", str(out)]
    assert train_main(command) == 3
    assert "no training picture of angry is read as" in capsys.readouterr().err.splitlines()[-1]
    assert not out.exists()
    monkeypatch.setattr(
        "train.cli.demo_faces.classify_genders", lambda images: np.arange(len(images)) // 7 % 2
    )
    assert train_main(command) == 0
    assert len(list(out.iterdir())) == 14
    face = read_picture(out / "happy-female.png", cv2.IMREAD_GRAYSCALE)
    assert face.shape == (48, 48)
    assert face[12:18, 12:18].mean() > 200  # the bright square of all images


def test_a_full_disk_is_one_line(seventy_faces, small_disk, capsys):
    (small_disk / "full").write_bytes(bytes(12288))
    assert train_main(["data", str(seventy_faces), "--out", str(small_disk / "survey")]) == 4
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("train: error: ")
    assert "No space left on device" in error


@pytest.mark.parametrize("task", ["emotion", "gender"])
def test_the_committed_calibration_lists_are_even_and_without_duplicates(task):
    from quantize.conversion.calibration_set import LISTS, PER_LABEL

    held = json.loads((LISTS / f"{task}.json").read_text())
    assert len(held["ids"]) == len(set(held["ids"])) == PER_LABEL[task] * (7 if task == "emotion" else 2)
