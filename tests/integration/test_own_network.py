"""From a recipe of one's own to an int8 file on the device: docs/training.md, as it is typed."""

import re
import shlex
from pathlib import Path

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.train

from edge.cli.main import main as emotiny  # noqa: E402
from edge.inference.contract import read_model  # noqa: E402
from quantize.cli.main import main as quantize  # noqa: E402
from tests.support.faces import FACES  # noqa: E402
from train.cli.main import main as train  # noqa: E402

PAGE = Path(__file__).parents[2] / "docs" / "training.md"
PROGRAMS = {"python -m train": train, "python -m quantize": quantize, "emotiny": emotiny}
# What makes hours seconds: changes of the recipe, and further options. The commands stay as they are.
TINY = {"epochs = 48": "epochs = 20", "views = 6": "views = 2", "batch_size = 64": "batch_size = 8"}
SHORT = {"prune ": ["--share", "0.5", "--epochs", "1"], "run --source ": ["--max-frames", "5", "--fast"]}


def commands():
    """Returns the commands of the page's section, those on the desktop: its first block."""
    section = PAGE.read_text(encoding="utf-8").partition("\n## A network of your own\n")[2]
    block = re.search(r"(?:^    .+\n)+", section, re.MULTILINE)
    assert block
    return [line.partition("#")[0].strip() for line in block[0].splitlines()]


@pytest.fixture
def faces(tmp_path, monkeypatch):
    """A folder to type in, with noisy copies of the demo's faces in `folder`, in the form of UTKFace."""
    random = np.random.default_rng(0)
    folder = tmp_path / "folder" / "UTKFace"
    folder.mkdir(parents=True)
    for number in range(140):
        gender = ("male", "female")[number % 2]
        path = sorted(FACES.glob(f"*-{gender}.png"))[number // 2 % 7]
        face = cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (96, 96))
        noisy = np.clip(face + random.normal(0, 6, face.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"30_{number % 2}_0_2017{number:013d}.jpg"), noisy)
    monkeypatch.chdir(tmp_path)


def type_in(line):
    """Runs a command of the page, which must succeed."""
    if line.startswith("mkdir "):
        Path(line.removeprefix("mkdir ")).mkdir()
        return
    command = line.removeprefix(".venv/bin/")
    program = next(name for name in PROGRAMS if command.startswith(f"{name} "))
    words = command.removeprefix(f"{program} ")
    further = [word for start, more in SHORT.items() if words.startswith(start) for word in more]
    assert PROGRAMS[program]([*shlex.split(words), *further]) == 0, line


@pytest.mark.usefixtures("faces")
def test_the_page_leads_from_a_recipe_to_a_network_that_the_device_runs(capsys):
    write, *others, run = commands()
    type_in(write)
    recipe = Path("my.toml").read_text()
    for old, new in TINY.items():
        assert old in recipe
        recipe = recipe.replace(old, new)
    Path("my.toml").write_text(recipe)
    for line in others:
        type_in(line)
    contract, _ = read_model(Path("mine/my_int8.tflite"))
    assert (contract.name, contract.task) == ("my_int8", "gender")
    assert set(contract.figures["runs"]) == {"my", "my-taylor-1"}
    assert contract.figures["val"]["int8"]["accuracy"] > 0.8
    assert contract.training["calibration"] == "up to 200 random training images of each label"
    assert "recipe of one's own" in contract.training["command"]
    assert "# my_int8" in Path("mine/my_int8.md").read_text()
    capsys.readouterr()
    type_in(run)
    assert "apparent gender" in capsys.readouterr().out
