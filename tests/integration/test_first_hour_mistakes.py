"""What people get wrong in the first hour: each mistake gets one line, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.broker import Broker, free_port, needs_mosquitto
from tests.support.clean_place import CleanPlace, add_checkout
from tests.support.sources import ROOT

SOURCES = (
    "a source is auto, demo, 0, /dev/video0, picamera2://0, csi://0, gst://PIPELINE, "
    "rtsp://HOST/PATH, a video, "
    "a picture or a folder of them"
)
COMMANDS = "run, check, config, forget, cameras, aim, bench, report, schema"
MAKE_VARIABLES = (
    "ARGS DATA RECIPE EPOCHS SEED RUNS TASK OVERWRITE PYTHON SECONDS ALLOW_SKIP APP SYSTEMCTL; "
    "options go into "
    'ARGS="--option value"'
)
MODELS = ROOT / "models"
# What may be written before the line of the error, or after it.
BESIDE = (
    r"INFO edge\.sources\.demo: demo: drawn faces and no camera; no frame shows anyone here",
    r"make: \*\*\* \[Makefile:\d+: \w+\] Error \d+",
    r"generated new fontManager",  # matplotlib, once for each user
    r"the plan: \d+ stages?, \d+ epochs? to train",
    r" ?\d+\. [\w-]+ +\d+ epochs?  .*",
    r"reading \w+ in \w+",
)


@dataclass(frozen=True)
class Mistake:
    """A line that somebody types, and the answer.

    Attributes:
        line: The line; PORT is the one of a broker with a password, FREE one on which nobody listens.
        code: Exit code.
        answer: The line of the error.
    """

    line: str
    code: int
    answer: str


def emotiny(line: str, code: int, answer: str) -> Mistake:
    return Mistake(f"emotiny {line}", code, f"emotiny: error: {answer}")


MISTAKES = [
    # The command line.
    emotiny("rnu", 2, "unknown command 'rnu'; did you mean 'run'? (see --help)"),
    emotiny("start", 2, f"unknown command 'start'; commands are {COMMANDS} (see --help)"),
    emotiny("--source 0", 2, "--source: expected a command first, such as 'run --source' (see --help)"),
    emotiny("run --sorce 0", 2, "unrecognized arguments: --sorce 0; did you mean '--source'? (see --help)"),
    emotiny(
        "run clip.mp4", 2, "unrecognized arguments: clip.mp4; did you mean '--source clip.mp4'? (see --help)"
    ),
    emotiny("aim 0", 2, "unrecognized arguments: 0; did you mean '--source 0'? (see --help)"),
    emotiny(
        "run --size 640", 2, "argument --size: '640': expected WIDTHxHEIGHT, such as 640x480 (see --help)"
    ),
    emotiny(
        "run --output json", 2, "argument --output: 'json': expected one of console, jsonl, none (see --help)"
    ),
    Mistake(
        "EMOTINY_SORCE=0 emotiny run",
        2,
        "emotiny: error: environment: no setting EMOTINY_SORCE; did you mean 'EMOTINY_SOURCE'?",
    ),
    # The source.
    emotiny("run --source clip.mp4", 1, f"clip.mp4: no such file or folder; {SOURCES}"),
    emotiny(
        "run --source notes.txt",
        1,
        "notes.txt: cannot be read as a video; expected a whole mp4, mkv, avi or the like",
    ),
    emotiny(
        "run --source empty", 1, "empty: no picture in this folder; expected .jpg .jpeg .png .bmp .webp files"
    ),
    emotiny(
        "run --source 77",
        1,
        "/dev/video77: no such device; `emotiny cameras` shows what is there, `--source demo` needs none",
    ),
    emotiny(
        "run --source rtps://camera/1",
        2,
        "source rtps://camera/1: unknown kind; expected picamera2://, csi://, gst://, rtsp://, "
        "rtsps://, http:// "
        "or https://",
    ),
    # Networks.
    emotiny(
        "run --emotion-model notes.tflite", 2, "model notes.tflite: not a TFLite file (no TFL3 identifier)"
    ),
    emotiny(
        "run --emotion-model alone.tflite",
        2,
        "cannot read alone.json: No such file or directory; expected it next to alone.tflite",
    ),
    emotiny(
        f"run --emotion-model {MODELS}/gender_sepnet_48_int8.tflite",
        2,
        f"model {MODELS}/gender_sepnet_48_int8.tflite: a network for gender; expected one for emotion",
    ),
    # The settings file.
    emotiny("config --write notes.txt", 4, "notes.txt exists; remove it or name another file"),
    emotiny(
        "run --config none.toml",
        2,
        "configuration none.toml: no such file; `emotiny config --write FILE` makes one",
    ),
    emotiny(
        "run --config unknown.toml",
        2,
        "configuration unknown.toml: no setting 'mqtt.hostname'; did you mean 'mqtt.host'?",
    ),
    emotiny(
        "run --config type.toml",
        2,
        "configuration type.toml: detector.min_face = 'big': expected a whole number",
    ),
    emotiny(
        "run --config syntax.toml",
        2,
        "configuration syntax.toml: no TOML: Expected ']' at the end of a table declaration (at "
        "line 1, column 6)",
    ),
    # The broker.
    emotiny(
        "run --mqtt-host mqtt://hub:1883",
        2,
        "mqtt host 'mqtt://hub:1883': expected a name or an address alone; try --mqtt-host hub "
        "--mqtt-port 1883",
    ),
    emotiny("run --mqtt-host mqqt:/hub", 2, "mqtt host 'mqqt:/hub': expected a name or an address"),
    emotiny(
        "run --mqtt-device 'living room'",
        2,
        "mqtt device 'living room': expected letters, digits, _ and -, 64 of them at most",
    ),
    emotiny(
        "forget --mqtt-host 127.0.0.1 --mqtt-port FREE",
        4,
        "127.0.0.1:FREE: cannot be reached (Connection refused); is it running, is mqtt.port "
        "right, and does a "
        "firewall let it be reached?",
    ),
    Mistake(
        "emotiny check --source demo --mqtt-host 127.0.0.1 --mqtt-port FREE",
        4,
        "wrong  broker: 127.0.0.1:FREE: cannot be reached (Connection refused); is it running, is mqtt.port "
        "right, and does a firewall let it be reached?",
    ),
    # The page.
    emotiny(
        "aim --port 0 --source 77",
        1,
        "/dev/video77: no such device; `emotiny cameras` shows what is there, `--source demo` needs none",
    ),
    emotiny(
        "aim --source demo --address 203.0.113.7",
        4,
        "--address 203.0.113.7 --port 8090: Cannot assign requested address; expected an address "
        "of this device "
        "(`ip address` lists them)",
    ),
    emotiny(
        "aim --source demo --port TAKEN",
        4,
        "--address 127.0.0.1 --port TAKEN: another program listens there (`sudo ss -ltnp 'sport "
        "= :TAKEN'` shows "
        "which)",
    ),
    # make.
    Mistake(
        'make run ARG="--source 0"',
        2,
        f"Makefile:LINE: *** ARG: no such variable; expected one of {MAKE_VARIABLES}.  Stop.",
    ),
    Mistake(
        'make run ARGS="--sorce 0"',
        2,
        "emotiny: error: unrecognized arguments: --sorce 0; did you mean '--source'? (see --help)",
    ),
    Mistake("make rnu", 2, "make: *** No rule to make target 'rnu'.  Stop."),
]
LOGIN = "emotiny {} --source demo --mqtt-host 127.0.0.1 --mqtt-port PORT --mqtt-username kitchen"
REFUSED = (
    "127.0.0.1:PORT: refuses: Not authorized; are mqtt.username and its password right, and may this device "
    "connect?"
)
LOGINS = [
    Mistake(f"{LOGIN.format('check')} --mqtt-password-file secret", 2, f"wrong  broker: {REFUSED}"),
    Mistake(f"{LOGIN.format('forget')} --mqtt-password-file secret", 2, f"emotiny: error: {REFUSED}"),
    Mistake(
        LOGIN.format("forget"),
        2,
        "emotiny: error: 127.0.0.1:PORT: refuses: Not authorized; mqtt.username is set without a "
        "password; only "
        "root and the service can read the one next to the settings",
    ),
]
GET_FER2013 = (
    "get FER-2013 (fer2013.tar.gz or fer2013.csv of Kaggle's 'Challenges in Representation Learning: Facial "
    "Expression Recognition Challenge', or its train/ and test/ folders), put it into that "
    "folder, or name another "
    "with DATA=FOLDER (make) or --data FOLDER"
)
DESKTOP_MISTAKES = [
    Mistake("make train RECIPE=mini-xception", 2, f"train: error: no fer2013 data in 'data': {GET_FER2013}"),
    Mistake(
        "make train RECIPE=mini-xception DATA=empty",
        2,
        f"train: error: no fer2013 data in 'empty': {GET_FER2013}",
    ),
    Mistake(
        "make train RECIPE=mini-xception DATA=spoiled",
        2,
        "train: error: spoiled/fer2013.csv: no column emotion, pixels, Usage; expected emotion, "
        "pixels, Usage",
    ),
    Mistake(
        "make train RECIPE=emotino",
        2,
        "train: error: no recipe 'emotino'; did you mean 'emotion'? `python -m train recipes` lists all",
    ),
    Mistake(
        "make train RECIPE=my.toml",
        2,
        "train: error: my.toml: no such file; `python -m train recipes --write NAME my.toml` writes one",
    ),
    Mistake(
        ".venv/bin/python -m train rcipes",
        2,
        "train: error: unknown command 'rcipes'; did you mean 'recipes'? (see --help)",
    ),
    Mistake(
        ".venv/bin/python -m quantize verify models/none.tflite",
        2,
        "quantize: error: cannot read models/none.tflite: No such file or directory",
    ),
    Mistake(
        "make quantize",
        2,
        "quantize: error: models/emotion_sepnet_48_int8.tflite exists; say --overwrite "
        "(OVERWRITE=1 with make) to "
        "replace it",
    ),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A checkout's Makefile, models and environments, and some files that are not what they are taken for."""
    place = CleanPlace(tmp_path_factory.mktemp("place"))
    here = place.here
    add_checkout(place, ".venv-device", ".venv")
    (here / "models").symlink_to(MODELS)
    place.add_tool("emotiny", sys.executable, "-m edge", PYTHONPATH=ROOT, PYTHONDONTWRITEBYTECODE=1)
    for name in ("notes.txt", "notes.tflite", "spoiled/fer2013.csv"):
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_text("milk, bread\n")
    (here / "empty").mkdir()
    shutil.copy(MODELS / "emotion_sepnet_48_int8.tflite", here / "alone.tflite")
    (here / "unknown.toml").write_text('[mqtt]\nhostname = "hub"\n')
    (here / "type.toml").write_text('[detector]\nmin_face = "big"\n')
    (here / "syntax.toml").write_text("[mqtt\n")
    (here / "secret").write_text("wrong\n")
    (here / "secret").chmod(0o600)
    return place


@pytest.fixture(scope="module")
def ports(tmp_path_factory):
    """{word in a line: port}; on TAKEN somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield {"TAKEN": taken.getsockname()[1], "FREE": free_port()}


@pytest.fixture(scope="module")
def locked_port(tmp_path_factory):
    """The port of a broker that asks for a password."""
    folder = tmp_path_factory.mktemp("broker")
    passwords = folder / "passwords"
    passwords.touch(0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "kitchen", "right"], check=True)
    broker = Broker(folder, f"password_file {passwords}")
    yield {"PORT": broker.port}
    broker.kill()


def content_of(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if not path.is_symlink())
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in files}


def assert_answered(place, mistake, ports):
    """Types a mistake; its answer must be all that is said, and nothing may be left in the folder."""
    before = content_of(place.here)
    line, expected = mistake.line, mistake.answer
    for word, port in ports.items():
        line, expected = (re.sub(rf"\b{word}\b", str(port), text) for text in (line, expected))
    answer = place.type(line)
    is_check = line.startswith("emotiny check")
    said = [text for text in answer.err.splitlines() if not any(re.fullmatch(each, text) for each in BESIDE)]
    if is_check:  # it prints a line for each check
        said += [text for text in answer.out.splitlines() if not text.startswith("ok     ")]
    assert [re.sub(r"^Makefile:\d+", "Makefile:LINE", text) for text in said] == [expected]
    assert is_check or answer.out == ""
    assert answer.code == mistake.code
    assert content_of(place.here) == before


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.line for mistake in MISTAKES])
def test_a_mistake_is_answered_by_one_line(place, ports, mistake):
    assert_answered(place, mistake, ports)


@needs_mosquitto
@pytest.mark.parametrize("mistake", LOGINS, ids=["check", "forget", "forget without a password"])
def test_a_wrong_password_is_answered_by_one_line(place, locked_port, mistake):
    assert_answered(place, mistake, locked_port)


@pytest.mark.train
@pytest.mark.parametrize("mistake", DESKTOP_MISTAKES, ids=[mistake.line for mistake in DESKTOP_MISTAKES])
def test_a_mistake_in_training_is_answered_by_one_line(place, mistake):
    assert_answered(place, mistake, {})


@pytest.mark.parametrize(
    ("words", "code", "answer"),
    [
        (
            "run --source demo --annotate locked/seen.mp4",
            2,
            "annotation locked/seen.mp4: the folder locked cannot be written to",
        ),
        ("config --write locked/new.toml", 4, "cannot write locked/new.toml: Permission denied"),
    ],
)
def test_a_folder_that_one_may_not_write_is_answered_by_one_line(place, words, code, answer):
    locked = place.here / "locked"
    locked.mkdir(mode=0o555, exist_ok=True)
    # Root may write everywhere, unless that right is taken away.
    without_right = "setpriv --bounding-set=-dac_override" if os.geteuid() == 0 else ""
    if without_right and shutil.which("setpriv") is None:
        pytest.skip("this is root, and there is no setpriv (util-linux)")
    line = f"{without_right} emotiny {words}"
    assert_answered(place, Mistake(line, code, f"emotiny: error: {answer}"), {})


def test_the_list_holds_what_a_maker_a_home_and_a_student_get_wrong():
    lines = [mistake.line for mistake in (*MISTAKES, *LOGINS, *DESKTOP_MISTAKES)]
    assert len(set(lines)) == len(lines) >= 15
