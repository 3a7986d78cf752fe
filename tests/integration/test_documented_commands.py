"""Every command line of the documentation is typed: here, in a clean place, or by a test that is named.

tests/integration/test_documented_training.py types those of training. A new line must get an entry in
tests/support/documented_commands.py, and an entry whose line has left the pages must go.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from edge.settings.loader import read_file
from tests.support.broker import Broker, Listener, free_port, needs_mosquitto
from tests.support.clean_place import CleanPlace, without_an_index
from tests.support.documentation import PAGES, ROOT, TEXTS, blocks_of, command_lines
from tests.support.documented_commands import (
    DESKTOP,
    ELSEWHERE,
    FIRST,
    SHOWN,
    TYPED,
    UNTYPED,
    WITH_BROKER,
)
from tests.support.faces import FACE_BOX, picture_of
from tests.support.sources import copy_sources

FRAMES = 12
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
TYPED_HERE = (*FIRST, *TYPED, *WITH_BROKER, *DESKTOP)
WITH_A_TEST = [*(each.line for each in TYPED_HERE), *(each.line for each in ELSEWHERE)]
SHOWN_BLOCKS = [block for block in BLOCKS if block.lines[0] in SHOWN]


def lines_of_the_pages() -> dict[str, str]:
    """{command line: where it is first}."""
    lines: dict[str, str] = {}
    for block in BLOCKS:
        if block not in SHOWN_BLOCKS:
            for line in command_lines(block):
                lines.setdefault(line, f"{block.page}:{block.line}")
    return lines


def test_every_command_line_is_typed_or_says_why_not():
    known = {*WITH_A_TEST, *UNTYPED}
    unknown = [f"{where}: {line}" for line, where in lines_of_the_pages().items() if line not in known]
    assert not unknown, "type these by an entry in tests/support/documented_commands.py: " + "; ".join(
        unknown
    )


def test_no_entry_is_left_of_a_line_that_is_gone():
    entries = [*WITH_A_TEST, *UNTYPED]
    assert len(set(entries)) == len(entries)
    assert sorted(set(entries) - lines_of_the_pages().keys()) == []
    assert sorted(SHOWN.keys() - {block.lines[0] for block in BLOCKS}) == []


@pytest.mark.parametrize("entry", ELSEWHERE, ids=[entry.line for entry in ELSEWHERE])
def test_the_test_that_types_a_line_is_there(entry):
    path, _, name = entry.path.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8")
    assert entry.words in text
    assert not name or f"def {name}(" in text


def test_what_nobody_types_is_little():
    print(f"{len(UNTYPED)} of {len(lines_of_the_pages())} command lines are typed by no test:")
    for line, reason in UNTYPED.items():
        print(f"  {line}: {reason}")
    assert len(UNTYPED) <= 15


def test_every_program_of_the_page_on_python_is_run():
    """By tests/integration/test_python.py, which takes each from the page by its heading."""
    parts = re.split(r"^#+ (.+)$", TEXTS["python.md"], flags=re.MULTILINE)
    titles = {title for title, text in zip(parts[1::2], parts[2::2], strict=True) if "```python\n" in text}
    source = (ROOT / "tests" / "integration" / "test_python.py").read_text(encoding="utf-8")
    assert set(re.findall(r'play\("(.+?)"\)', source)) == titles
    assert {block.page for block in BLOCKS if block.language == "python"} == {"python.md"}


def write_clip(path: Path) -> None:
    """Writes a video of a happy face, and next to it where the face is."""
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (640, 480), isColor=False)
    for _ in range(FRAMES):
        video.write(picture_of("happy"))
    video.release()
    face = {"id": 1, "box": [FACE_BOX.x, FACE_BOX.y, FACE_BOX.width, FACE_BOX.height], "ignore": False}
    truth = {"fps": 10, "wh": [640, 480], "group": "several", "frames": [[face]] * FRAMES}
    path.with_suffix(".json").write_text(json.dumps(truth))


def type_and_check(place, command, **variables):
    answer = place.type(command.typed, until=command.until, keys=command.keys, variables=variables)
    assert answer.code in command.code, answer
    after = place.type(command.then)
    shown = answer.out + answer.err + after.out
    assert re.search(command.shows, shown), shown
    assert "Traceback" not in shown


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A clean place in which the README's first steps were typed, and the files that further lines name.

    Instead of a package index, pip finds what is installed here.
    """
    folder = tmp_path_factory.mktemp("newcomer")
    place = CleanPlace(folder)
    packages = folder / "packages"
    packages.mkdir()
    without_an_index(place, packages)
    tree = copy_sources(folder / "sources")
    for archive in (tree / "models" / "trained").glob("*.zip"):
        archive.unlink()  # 38 MB that cost time and show nothing
    git = ("git", "-C", str(tree), "-c", "user.name=nobody", "-c", "user.email=nobody@localhost")
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "all")):
        subprocess.run([*git, *words], check=True, capture_output=True)
    tree.rename(folder / "repository")
    for command in FIRST:
        type_and_check(place, command)
        if command is FIRST[0]:
            place.cd("emotiny")
    place.add_tool("emotiny", place.here / ".venv-device" / "bin" / "emotiny")
    for name in ("python", "ruff"):
        place.add_tool(f"{place.here}/.venv/bin/{name}", Path(sys.executable).with_name(name))
    (place.here / ".venv" / ".done").touch()
    for name in ("clip", "hall", "street"):
        write_clip(place.here / f"{name}.mp4")
    first = next(block for block in BLOCKS if block.language == "python")
    # Not in the checkout, whose format is checked.
    (place.here.parent / "faces.py").write_text(first.text.replace('source="0"', 'source="clip.mp4"'))
    (place.here / "secret").write_text("secret of kitchen\n")
    (place.here / "secret").chmod(0o600)
    return place


@pytest.mark.parametrize("command", TYPED, ids=[command.line for command in TYPED])
def test_a_command_does_what_the_page_says(checkout, command):
    type_and_check(checkout, command, PORT=str(free_port()))


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """A broker with a password, where `kitchen` may do what the page on security lets it do and no more."""
    folder = tmp_path_factory.mktemp("broker")
    access = [block.text for block in SHOWN_BLOCKS if SHOWN[block.lines[0]] == "a broker's access list"]
    assert len(access) == 2
    (folder / "access").write_text("\n".join([*access, ""]))
    passwords = folder / "passwords"
    passwords.touch(0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "kitchen", "secret of kitchen"], check=True)
    broker = Broker(folder, f"password_file {passwords}", f"acl_file {folder / 'access'}")
    listener = Listener(broker.port, login=("kitchen", "secret of kitchen"))
    listener.client.publish("emotiny/kitchen/status", "offline", retain=True).wait_for_publish(30)
    listener.close()
    yield broker
    broker.kill()


@needs_mosquitto
@pytest.mark.parametrize("command", WITH_BROKER, ids=[command.line for command in WITH_BROKER])
def test_a_command_for_a_broker_does_what_the_page_says(checkout, broker, command):
    if command.line.startswith("mosquitto_sub") and shutil.which("mosquitto_sub") is None:
        pytest.skip("no mosquitto_sub: apt-get install mosquitto-clients")
    type_and_check(checkout, command, PORT=str(broker.port))


def test_json_on_the_pages_can_be_read():
    texts = [block.text for block in SHOWN_BLOCKS if "JSON" in SHOWN[block.lines[0]].split()[-1:]]
    whole = [text for text in texts if "..." not in text]
    for text in whole:
        fields = json.loads(text[text.index("{") :])
        assert {"v", "at", "run", "seq"} <= fields.keys()
    assert len(whole) == 2


def test_settings_on_the_pages_can_be_read(tmp_path):
    (block,) = (block for block in SHOWN_BLOCKS if SHOWN[block.lines[0]] == "settings")
    path = tmp_path / "config.toml"
    path.write_text(block.text)
    assert read_file(path).values.keys() == {"mqtt.host", "mqtt.username", "mqtt.device"}


def test_automations_on_the_pages_can_be_read():
    """As Home Assistant reads them: YAML, with templates whose syntax is right."""
    yaml = pytest.importorskip("yaml", reason="no PyYAML: make install")
    jinja2 = pytest.importorskip("jinja2", reason="no Jinja2: make install")
    blocks = [block for block in BLOCKS if block.language == "yaml"]
    for block in blocks:
        for automation in yaml.safe_load(block.text):
            assert (
                {"alias", "triggers", "actions"}
                <= automation.keys()
                <= {
                    *("alias", "triggers", "conditions", "actions"),
                }
            )
            assert all("trigger" in each for each in automation["triggers"])
            assert all("action" in each and "." in each["action"] for each in automation["actions"])
        for template in re.findall(r"\{\{.*?\}\}", block.text, re.DOTALL):
            jinja2.Environment(autoescape=False).parse(template)
    assert len(blocks) == 5
