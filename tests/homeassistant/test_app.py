"""The app's files, by the rules of Home Assistant, and what `make app` puts together.

The rules come from https://developers.home-assistant.io/docs/apps/configuration and from the Supervisor's own
schema (supervisor/addons/validate.py and options.py of home-assistant/supervisor, 2026), in words of our own:
the Supervisor silently drops keys that it does not know, so that a misspelt one would show nowhere.
"""

import re
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge
from edge.settings.settings import OPTIONS
from homeassistant.draw_icons import draw_icon, draw_logo
from homeassistant.emotiny.run import BROKER, SETTINGS, settings_of

yaml = pytest.importorskip("yaml", reason="no PyYAML: make install")

ROOT = Path(__file__).parents[2]
APP = ROOT / "homeassistant" / "emotiny"
CONFIG = yaml.safe_load((APP / "config.yaml").read_text())
TRANSLATIONS = {path.stem: yaml.safe_load(path.read_text()) for path in (APP / "translations").iterdir()}
OPTION_OF = {option.key: option for option in OPTIONS}

REQUIRED = {"name": str, "version": str, "slug": str, "description": str, "arch": list}
# {key: what its value must be}, of the optional keys that this app uses.
OPTIONAL = {
    "homeassistant": lambda value: re.fullmatch(r"\d{4}\.\d+\.\d+", value),
    "stage": lambda value: value in ("stable", "experimental", "deprecated"),
    "init": lambda value: isinstance(value, bool),
    "video": lambda value: isinstance(value, bool),
    "services": lambda value: all(re.fullmatch("mqtt:(provide|want|need)", each) for each in value),
    "options": lambda value: isinstance(value, dict),
    "schema": lambda value: isinstance(value, dict),
}
# Types of options: a number may have bounds, and any type may end in ? for an option that may be absent.
# `str` and `password` may have bounds, too, but the Supervisor compares the text itself with them.
TYPE = re.compile(
    r"(?P<kind>bool|email|url|port|str|password|device(\(subsystem=[a-z0-9]+\))?"
    r"|int(\((?P<low>\d*),(?P<high>\d*)\))?|float(\((?P<low_f>[\d.]*),(?P<high_f>[\d.]*)\))?"
    r"|match\((?P<pattern>.*)\)|list\((?P<choices>.+)\))(?P<may_be_absent>\?)?"
)


def allows(kind, value):
    """Returns whether the Supervisor accepts a value for a type of option."""
    found = TYPE.fullmatch(kind)
    assert found, kind
    if found["pattern"] is not None:
        return re.match(found["pattern"], str(value)) is not None
    if found["choices"] is not None:
        return str(value) in found["choices"].split("|")
    if kind.startswith("bool"):
        return isinstance(value, bool)
    if kind.startswith(("int", "float", "port")):
        number = int(value) if kind.startswith("int") else float(value)
        low, high = found["low"] or found["low_f"], found["high"] or found["high_f"]
        return (not low or number >= float(low)) and (not high or number <= float(high))
    return isinstance(value, str)


def test_the_required_keys_are_there_and_all_others_are_known():
    assert {key: type(CONFIG[key]) for key in REQUIRED} == REQUIRED
    assert CONFIG.keys() - REQUIRED == OPTIONAL.keys()
    assert [key for key, is_valid in OPTIONAL.items() if not is_valid(CONFIG[key])] == []
    assert re.fullmatch(r"[-_.A-Za-z0-9]+", CONFIG["slug"])
    assert set(CONFIG["arch"]) == {"aarch64", "amd64"}


def test_the_version_is_that_of_the_package():
    assert CONFIG["version"] == edge.__version__


def test_each_default_is_of_its_type():
    """An option without a default may be absent, and one with a default is always there."""
    options, schema = CONFIG["options"], CONFIG["schema"]
    assert options.keys() <= schema.keys()
    assert [name for name, value in options.items() if not allows(schema[name], value)] == []
    assert {name for name, kind in schema.items() if kind.endswith("?")} == schema.keys() - options.keys()


def test_the_options_are_those_that_are_read():
    assert CONFIG["schema"].keys() == SETTINGS.keys() | BROKER.keys()
    assert {*SETTINGS.values(), *BROKER.values()} <= OPTION_OF.keys()


# Only emotiny knows which hosts, sources and passwords can work.
@pytest.mark.parametrize(
    "name", [name for name, kind in CONFIG["schema"].items() if not kind.startswith(("str", "password"))]
)
def test_what_home_assistant_accepts_is_what_emotiny_accepts(name):
    """As far as a type of option can say it."""
    kind = CONFIG["schema"][name]
    texts = ["45", "90", "info", "trace", "640x480", "a" * 64, "a" * 65, "two words", "kitchen-1_B", "5x5"]
    numbers = [0, 1, 15, 16, 1000, 1001, 64, 65, *([0.05, 63.9, 64.1] if kind.startswith("float") else [])]
    tried = [True, False] if kind == "bool" else texts if kind.startswith(("match", "list")) else numbers
    accepted = [value for value in tried if allows(kind, value)]
    assert accepted
    for value in accepted:
        settings_of({"mqtt_host": "h", name: value})


def test_the_defaults_work():
    assert settings_of(CONFIG["options"])["source"] == "auto"


@pytest.mark.parametrize("language", TRANSLATIONS)
def test_every_option_has_a_name_in_every_language(language):
    configuration = TRANSLATIONS[language]["configuration"]
    assert TRANSLATIONS[language].keys() == {"configuration"}
    assert configuration.keys() == CONFIG["schema"].keys()
    for entry in configuration.values():
        assert {"name"} <= entry.keys() <= {"name", "description"}
        assert all(isinstance(text, str) and text for text in entry.values())


def test_the_languages_are_english_and_german():
    assert TRANSLATIONS.keys() == {"en", "de"}


@pytest.mark.parametrize(
    ("name", "draw", "size_wh"), [("icon", draw_icon, (128, 128)), ("logo", draw_logo, (250, 100))]
)
def test_the_pictures_are_those_that_the_script_draws(name, draw, size_wh):
    picture = cv2.imread(str(APP / f"{name}.png"), cv2.IMREAD_UNCHANGED)
    assert picture.shape == (size_wh[1], size_wh[0], 4)
    # Another version of OpenCV may smooth an edge differently.
    assert np.abs(picture.astype(int) - draw()).mean() < 1
    assert (APP / f"{name}.png").stat().st_size < 20_000


def test_make_app_puts_together_all_that_the_image_is_built_of(tmp_path):
    """Home Assistant builds it of this folder alone."""
    done = subprocess.run(
        ["make", "app", f"APP={tmp_path / 'app'}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "app"
    text = (folder / "Dockerfile").read_text()
    assert text.startswith((ROOT / "Dockerfile").read_text())
    copied = [line.split()[1:-1] for line in text.splitlines() if re.match(r"COPY (?!--from)", line)]
    assert copied[-1] == ["run.py"]
    assert [name for names in copied for name in names if not (folder / name).exists()] == []
    for name in ("config.yaml", "translations/en.yaml", "icon.png", "logo.png", "DOCS.md", "CHANGELOG.md"):
        assert (folder / name).is_file(), name
    # The Supervisor takes every file of this name for an app.
    assert [
        path.parent for path in folder.rglob("config.*") if path.suffix in (".json", ".yaml", ".yml")
    ] == [folder]
    assert not list(folder.rglob("__pycache__"))
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 5e6
