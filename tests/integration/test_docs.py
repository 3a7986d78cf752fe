"""Links, commands, flags, settings, entities and tests that the documentation names exist."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from edge.bench.report import COLUMNS
from edge.cli.parser import parser
from edge.output.mqtt.home_assistant import discovery
from edge.output.mqtt.settings import MqttSettings
from edge.settings.settings import OPTIONS
from tests.support.documentation import PAGES, ROOT, TEXTS, commands_in

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
MAX_LINE = 130
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])


def identifier_of(name: str) -> str:
    """Returns the part of an entity's identifier that Home Assistant makes of a name."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def anchors_of(page: Path) -> set[str]:
    """Returns the anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@EVERY_PAGE
def test_links_and_images_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", TEXTS[page.name]):
        path = page.parent / target if target else page
        assert path.exists(), target
        assert not anchor or anchor in anchors_of(path), f"{target}#{anchor}"


@EVERY_PAGE
def test_lines_fit_a_screen(page):
    lines = [line for line in TEXTS[page.name].splitlines() if not line.startswith("|")]
    assert [line for line in lines if len(line) > MAX_LINE] == []


@EVERY_PAGE
def test_make_has_the_targets_and_variables(page):
    targets = set(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE))
    variables = set(re.findall(r"\$\((?:if \$\()?([A-Z_]+)\)", MAKEFILE))
    for command in commands_in(page):
        for words in re.findall(r"^(?:sudo )?(?:[A-Z_]+=\S+ )*make (\S.*)", command):
            if "/" in words:
                continue  # a place to put in one's own path
            target, *rest = shlex.split(words)
            assert target in targets, command
            assert {word.partition("=")[0] for word in rest} <= variables, command


@EVERY_PAGE
def test_emotiny_has_the_commands_and_flags(page):
    commands: Any = next(action for action in parser()._actions if action.dest == "command")
    for command in commands_in(page):
        for name, rest in re.findall(r"^(?:sudo )?(?:\S+/bin/)?emotiny ([a-z]+)(.*)", command):
            flags = set(commands.choices[name]._option_string_actions)
            assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= flags, command


@cache
def help_of(package: str, command: str) -> str:
    """Returns the help of a command of `train` or `quantize`; an unknown command fails."""
    done = subprocess.run(
        [sys.executable, "-m", package, command, "--help"],
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def desktop_commands(page: Path) -> Iterator[tuple[str, str, str]]:
    """Yields package, command and arguments of each command line of `train` or `quantize`."""
    for command in commands_in(page):
        # `workers N` is followed by the command that each worker runs.
        yield from re.findall(r"^(?:\S*python -m )?(train|quantize) (?:workers \d+ )?([a-z-]+)(.*)", command)


@pytest.mark.train
@EVERY_PAGE
def test_train_and_quantize_have_the_commands_and_flags(page):
    for package, name, rest in desktop_commands(page):
        usage = help_of(package, name)
        for flag in re.findall(r"(?<!\S)--[a-z-]+", rest):
            assert re.search(rf"{flag}\b", usage), f"{package} {name} {flag}"


@pytest.mark.train
def test_the_page_on_training_names_commands_of_both_packages():
    named = {(package, name) for package, name, _ in desktop_commands(ROOT / "docs" / "training.md")}
    assert {("train", "fit"), ("train", "restore"), ("quantize", "verify"), ("quantize", "prune")} <= named


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
    entities = {f"{each['p']}.kitchen_{identifier_of(each['name'])}" for each in announced["cmps"].values()}
    named = set(re.findall(r"\b(?:sensor|binary_sensor|event|switch)\.kitchen_\w+", text))
    assert named == entities


@EVERY_PAGE
def test_settings_in_examples_are_settings(page):
    """Covers `device = "kitchen"` below `[mqtt]`, and code that shows a section and its lines."""
    keys = {option.key for option in OPTIONS}
    text = TEXTS[page.name]
    assert not re.search(r"\[\w+\] \w+ = ", text)  # not TOML
    for name, section in re.findall(r"`(\w+) = [^`]*`\s+below\s+`\[(\w+)\]`", text):
        assert f"{section}.{name}" in keys
    for section, lines in re.findall(r"^ +\[(\w+)\]\n((?: +\w+ = .*\n)+)", text, re.MULTILINE):
        for name in re.findall(r"(\w+) = ", lines):
            assert f"{section}.{name}" in keys


@EVERY_PAGE
def test_variables_are_variables(page):
    known = {option.variable for option in OPTIONS}
    known |= {"EMOTINY_CONFIG", "EMOTINY_RUNTIME", "EMOTINY_DATA", "EMOTINY_INSTANCE"}
    assert set(re.findall(r"\bEMOTINY_[A-Z_]+\b", TEXTS[page.name])) <= known


@EVERY_PAGE
def test_tests_that_are_named_exist(page):
    """Covers `sources/test_reconnect`, of which there must be one, and `tests/edge/test_types.py`."""
    for name in re.findall(r"`([\w/]*\btest_\w+)(?:\.py)?`", TEXTS[page.name]):
        files = list((ROOT / "tests").rglob(f"{name.removeprefix('tests/')}.py"))
        assert len(files) == 1, name
