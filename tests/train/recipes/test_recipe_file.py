"""Recipes from TOML files: every recipe survives the way there and back, and every mistake is one line."""

from dataclasses import replace

import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from train.recipes.recipe_file import is_recipe_file, read_recipe  # noqa: E402
from train.recipes.recipe_text import recipe_toml  # noqa: E402
from train.recipes.registry import RECIPES  # noqa: E402


def text_of(name="gender"):
    return recipe_toml(RECIPES[name], "my-net")


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        file = tmp_path / "my.toml"
        file.write_text(text)
        return read_recipe(file)

    return read_text


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_that_is_written_is_read_as_it_was(read, name):
    assert read(text_of(name)) == replace(RECIPES[name], name="my-net")


@pytest.mark.parametrize("name", ["gender", "refinement", "proposal", "emotion-camera"])
def test_every_key_has_a_comment(name):
    lines = text_of(name).splitlines()
    second_stage = [number for number, line in enumerate(lines) if line == "[[spec.stages]]"][1:]
    for number, line in enumerate(lines):
        if (
            " = " in line
            and not line.startswith("#")
            and not any(0 < number - each < 5 for each in second_stage)
        ):
            assert lines[number - 1].startswith("# "), line


def test_keys_that_are_left_out_have_their_defaults(read):
    recipe = read(
        'name = "tiny"\ntask = "gender"\nepochs = 3\ndataset = "utkface"\n'
        '[spec]\nnetwork = "sepnet"\nstem = 8\nhead = 4\nclasses = 2\n'
        "[[spec.stages]]\nchannels = 12\nblocks = 1\n[framing]\nmargin = 1\nshift_y = 0\n"
    )
    assert (recipe.spec.stem, recipe.spec.stages[0].channels, recipe.spec.stages[0].stride) == (8, 12, 2)
    assert (recipe.batch_size, recipe.spoiling, recipe.framing.margin) == (64, None, 1.0)
    assert recipe.augmentation is not None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("epochs = 48", "epoch = 48", r"epoch: no setting of a recipe; did you mean 'epochs'\?"),
        ("epochs = 48", "colour = 48", "colour: no setting of a recipe; expected one of name, task, spec,"),
        ("epochs = 48", "", "epochs: missing"),
        ("epochs = 48", 'epochs = "many"', "epochs: 'many'; expected a whole number"),
        ("epochs = 48", "epochs = true", "epochs: True; expected a whole number"),
        ("epochs = 48", "epochs = 0", "epochs: 0; expected 1 to 100,000"),
        ("learning_rate = 0.015", "learning_rate = nan", "learning_rate: nan; expected a number"),
        ("learning_rate = 0.015", "learning_rate = 1000", "learning_rate: 1000.0; expected 1e-09 to 10"),
        ('optimizer = "muon"', 'optimizer = "mun"', r"optimizer: 'mun'; expected one of .*mean 'muon'\?"),
        ('task = "gender"', 'task = "smile"', "task: 'smile'; expected one of emotion, gender, proposal"),
        ('task = "gender"', "", "task: missing; expected one of"),
        ('task = "gender"', 'task = "emotion"', "spec.classes: 2; expected 7 for emotion"),
        ('dataset = "utkface"', 'dataset = "utkfaces"', r"dataset: 'utkfaces'; .*did you mean 'utkface'\?"),
        ('name = "my-net"', 'name = "gender"', "name: 'gender' is a recipe of this package"),
        ('name = "my-net"', 'name = "../net"', "name: '../net'; expected up to 64 letters"),
        ('name = "my-net"', 'name = "cache"', "name: 'cache'; expected up to 64 letters"),
        ("channels = 24", "channels = 0", r"spec\.stages\[0\]\.channels: 0; expected 1 to 4,096"),
        ("channels = 34", "width = 34", r"spec\.stages\[1\]\.width: no setting of a recipe"),
        ("stem = 12", "stem = 12.5", "spec.stem: 12.5; expected a whole number"),
        ('network = "sepnet"', "", "spec.network: missing; expected one of sepnet, residual"),
        ('network = "sepnet"', 'network = "vgg"', "spec.network: 'vgg'; expected one of sepnet, residual"),
        ('network = "sepnet"', 'network = "residual"', "spec.stem: no setting of a recipe"),
        (
            "contrast = [1.0, 1.0]",
            "contrast = [2, 1]",
            "augmentation.contrast: .*; expected the smaller number first",
        ),
        ("contrast = [1.0, 1.0]", "contrast = 1", "augmentation.contrast: 1; expected a list of 2"),
        ("flip = 0.5", "flip = 1.5", "augmentation.flip: 1.5; expected 0 to 1"),
        (
            'teachers = ["gender-teacher"]',
            "teachers = []",
            "my-net: teachers, their share and a number of views",
        ),
        ("epochs = 48", "epochs = [", "no TOML: "),
        ("epochs = 48", f"x = {'[' * 100}", "nested more than 32 levels deep"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_key(read, old, new, message):
    text = text_of()
    assert old in text
    with pytest.raises(ConfigError, match=rf"my\.toml: {message}") as error:
        read(text.replace(old, new, 1))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("emotion-teacher", "widths = [", "widths = [8, 8, 8, ", "spec.widths: .*; too many for 48 pixels"),
        ("proposal", "channels = 4", "channels = 5", "spec.channels: 5; expected 4"),
        ("proposal", "stride = 2", "stride = 4", "spec.stages: a stride of 16 pixels; expected 8"),
        ("refinement", "validation_crops = 8000", "validation_crops = 2", "validation_crops: 2; expected 3"),
    ],
)
def test_a_shape_that_neither_data_nor_device_has_is_refused(read, name, old, new, message):
    text = text_of(name)
    assert old in text
    with pytest.raises(ConfigError, match=rf"my\.toml: {message}"):
        read(text.replace(old, new, 1))


def test_files_that_cannot_be_read(tmp_path, read):
    with pytest.raises(ConfigError, match=r"none\.toml: no such file; `.* --write NAME .*none\.toml` w"):
        read_recipe(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match=r"my\.toml: "):
        read("#" * 70_000)
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="no UTF-8 text"):
        read_recipe(tmp_path / "bytes.toml")


def test_a_network_that_fits_into_no_memory_is_refused(read):
    text = text_of().replace("channels = 24", "channels = 4096").replace("blocks = 1", "blocks = 32")
    with pytest.raises(ConfigError, match=r"spec: .* parameters; expected at most 50,000,000"):
        read(text.replace("channels = 34", "channels = 4096"))


def test_what_faces_are_found_with_comes_from_known_datasets(read):
    with pytest.raises(ConfigError, match="portraits: 'lwf'; expected one of"):
        read(text_of("refinement").replace('"lfw"', '"lwf"'))


def test_files_are_told_from_names():
    assert is_recipe_file("my.toml")
    assert not is_recipe_file("gender")
