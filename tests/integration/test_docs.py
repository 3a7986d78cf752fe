"""Links, commands, flags, settings and entities that the documentation names exist."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from edge.bench.report import COLUMNS
from edge.cli.parser import parser
from edge.output.mqtt.home_assistant import discovery
from edge.output.mqtt.settings import MqttSettings
from edge.settings.settings import OPTIONS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
ALL = pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])


def slug(name):
    """Returns the part of an entity's identifier that Home Assistant makes of a name."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


@ALL
def test_links_and_pictures_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXTS[page.name]):
        assert (page.parent / target).exists(), target


def commands_in(page):
    """Returns the texts of inline code and of code blocks, line by line."""
    return [
        *re.findall(r"`([^`]+)`", TEXTS[page.name]),
        *re.findall(r"^ {3,}(.+)$", TEXTS[page.name], re.MULTILINE),
    ]


@ALL
def test_make_knows_the_commands(page):
    known = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        name
        for command in commands_in(page)
        for name in re.findall(r"^(?:sudo )?make ([a-z][a-z0-9-]+)", command)
    }
    assert named <= known, named - known


@ALL
def test_emotiny_knows_the_commands_and_flags(page):
    commands: Any = next(action for action in parser()._actions if action.dest == "command")
    for command in commands_in(page):
        for name, rest in re.findall(r"^(?:sudo )?(?:\S+/bin/)?emotiny ([a-z]+)([^|#]*)", command):
            flags = set(commands.choices[name]._option_string_actions)
            assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= flags, command


@pytest.mark.parametrize("name", ["raspberry-pi.md", "jetson.md"])
def test_a_board_s_row_fits_into_the_table_of_boards(name):
    table = TEXTS[name].partition("## What was run where\n\n")[2].partition("\n\n")[0]
    header, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    assert header == list(COLUMNS)
    assert rows
    for row in rows:
        assert len(row) == len(COLUMNS)
        assert row[2] in {"board", "emulated", "resolver only", "nobody sent one yet"}
        # Only a board's row has figures.
        assert all(bool(figure) == (row[2] == "board") for figure in row[3:])


def test_the_entities_are_those_that_are_announced():
    text = TEXTS["home-assistant.md"]
    announced = json.loads(discovery(MqttSettings(host="h", device="kitchen")).payload)
    entities = {f"{each['p']}.kitchen_{slug(each['name'])}" for each in announced["cmps"].values()}
    named = set(re.findall(r"\b(?:sensor|binary_sensor|switch)\.kitchen_\w+", text))
    assert named == entities


@ALL
def test_settings_in_examples_are_settings(page):
    """In the text as `device = "kitchen"` below `[mqtt]`, in a block as a section and its lines."""
    keys = {option.key for option in OPTIONS}
    assert not re.search(r"\[\w+\] \w+ = ", TEXTS[page.name])  # not TOML
    for name, section in re.findall(r"`(\w+) = [^`]*` below `\[(\w+)\]`", TEXTS[page.name]):
        assert f"{section}.{name}" in keys
    for section, lines in re.findall(
        r"^    \[(\w+)\]\n((?:    \w+ = .*\n)+)", TEXTS[page.name], re.MULTILINE
    ):
        for name in re.findall(r"(\w+) = ", lines):
            assert f"{section}.{name}" in keys
