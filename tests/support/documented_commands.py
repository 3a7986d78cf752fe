"""How every command line of the documentation is tried; one that is in no table here fails a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Typed:
    """A line that is typed as it stands on the page, in a clean place.

    Attributes:
        line: The line.
        shows: Pattern in its output, or in that of `then`.
        code: Exit codes that it may end with; Ctrl-C ends make by its signal, -2.
        change: {words: what is typed instead}, where the page names what only the reader has.
        until: Ctrl-C is typed when this pattern is in the output; "" to wait for the end.
        keys: What is typed into the command.
        then: What is typed afterwards, to look at what was written.
    """

    line: str
    shows: str = ""
    code: tuple[int, ...] = (0,)
    change: Mapping[str, str] = field(default_factory=dict)
    until: str = ""
    keys: str = ""
    then: str = "true"

    @property
    def typed(self) -> str:
        text = self.line
        for words, other in self.change.items():
            assert words in text, f"{self.line}: has no {words!r} to be changed"
            text = text.replace(words, other)
        return text


@dataclass(frozen=True)
class Elsewhere:
    """A line that another test or script types.

    Attributes:
        line: The line.
        path: File of the test or script.
        words: Words of the line that are in that file.
    """

    line: str
    path: str
    words: str


DEVICE = ".venv-device/bin/emotiny"
# The same program as on a board, where it is installed into another folder.
BOARD = {"/opt/emotiny/bin/": ".venv-device/bin/"}
# The README's first steps: a checkout, and its environment.
FIRST = (
    Typed(
        "git clone <address> emotiny && cd emotiny",
        change={"<address>": "../repository"},
        then="ls emotiny/Makefile",
        shows="emotiny/Makefile",
    ),
    Typed("make run", until=r"FPS processed, [\d.]+ captured", shows=r"emotiny: \d+ frames in ", code=(-2,)),
)
# Further ones, in that checkout, where the files that they name are made before.
TYPED = (
    Typed(
        'make run ARGS="--source clip.mp4 --annotate seen.mp4"',
        shows=r"emotiny: 12 frames in .*\n(.*\n)*seen.mp4",
        then="ls seen.mp4",
    ),
    Typed('make run ARGS="--source 0"', change={"0": "clip.mp4"}, shows="emotiny: 12 frames in "),
    Typed("emotiny run", change={"run": "run --source clip.mp4"}, shows="emotiny: 12 frames in "),
    # Whether there is a camera depends on the machine.
    Typed(f"{DEVICE} cameras", code=(0, 1), shows=r"(?m)^--source \S+  |emotiny: error: no camera "),
    Typed(f"{DEVICE} check", code=(0, 1), shows=r"(?m)^ok     face judge: refinement_sepnet_32_int8, "),
    Typed(
        f"{DEVICE} aim",
        change={"aim": "aim --source demo --port 0"},
        until="at Ctrl-C",
        shows=r"open http://127\.0\.0\.1:\d+/\n",
    ),
    Typed(
        "emotiny aim",
        change={"aim": "aim --source demo --port 0"},
        until="at Ctrl-C",
        shows=r"ssh -L \d+:127\.0\.0\.1:\d+ USER@THIS_DEVICE",
    ),
    Typed(
        "emotiny aim --address 0.0.0.0",
        change={"0.0.0.0": "0.0.0.0 --source demo --port 0"},
        until="at Ctrl-C",
        shows=r"open http://\S+:\d+/\?token=[\w-]+\n",
    ),
    Typed(
        f"{DEVICE} run --source clip.mp4 --fast --output jsonl > readings.jsonl",
        then="tail -n 1 readings.jsonl",
        shows=r'(?m)^\{"frame": 11, .*"faces": \[\{"id": 1, .*\}$',
    ),
    Typed(
        f"{DEVICE} run --source clip.mp4 --fast --annotate faces.mp4",
        then="ls faces.mp4",
        shows=r"emotiny: 12 frames in .*\n(.*\n)*faces.mp4",
    ),
    Typed(f"{DEVICE} run --help", shows=r"--cpu-share"),
    Typed(f"{DEVICE} config", shows=r'(?m)^source = "auto"  # default$'),
    Typed(f"{DEVICE} config --write config.toml", then="cat config.toml", shows=r'(?m)^#source = "auto"'),
    Typed(
        "sudo install -m 600 /dev/stdin /etc/emotiny/mqtt_password",
        change={"sudo ": "", "/etc/emotiny/": ""},
        keys="secret\n",
        then="stat -c %a mqtt_password; cat mqtt_password",
        shows=r"^600\nsecret\n$",
    ),
    Typed(
        '(umask 077; echo "MQTT_PASSWORD=$(head -c 18 /dev/urandom | base64)" >.env)',
        then="stat -c %a .env; cat .env",
        shows=r"^600\nMQTT_PASSWORD=[\w+/]{24}\n$",
    ),
    Typed(f"{DEVICE[:-7]}pip install 'emotiny[prometheus]'", shows=r"prometheus.client\S* in "),
    Typed(
        f"{DEVICE} run --metrics-port 9137",
        change={"9137": "$PORT --source clip.mp4"},
        shows="emotiny: 12 frames in ",
    ),
    Typed('make bench ARGS="clip.mp4 --size 640x480"', shows=r"\(c\) emotiny +\d+\.\d"),
    Typed(
        f"{DEVICE} bench --truth hall.mp4 street.mp4",
        shows=r"\(c\) emotiny\n.*never found.*\n +several +2  [01]\.\d+ ",
    ),
    Typed("/opt/emotiny/bin/emotiny report", change=BOARD, shows=r"(?m)^\| frames a second \| \d+"),
    Typed(f"{DEVICE[:-7]}python faces.py", change={"faces.py": "../faces.py"}, shows=r"(?m)^1 happy \d+%$"),
    # That there is nothing to complain about is for `make check`.
    Typed("make format", code=(0, 2), shows=r"(?m)^\d+ files? (left unchanged|reformatted)"),
)
WITH_BROKER = (
    Typed(
        f"{DEVICE} run --mqtt-host broker.local --mqtt-username kitchen --mqtt-password-file secret",
        change={"broker.local": "127.0.0.1 --mqtt-port $PORT --mqtt-device kitchen --source demo"},
        until=r"MQTT broker 127\.0\.0\.1:\d+: connected",
        shows=r"emotiny: \d+ frames in ",
    ),
    Typed(
        "mosquitto_sub -h homeassistant.local -u kitchen -P ... -v -t 'emotiny/#'",
        change={"homeassistant.local": "127.0.0.1 -p $PORT", "-P ...": "-P 'secret of kitchen' -C 1 -W 30"},
        shows=r"^emotiny/kitchen/status o\w+line\n$",
    ),
)
_TRAIN, _QUANTIZE = ".venv/bin/python -m train", ".venv/bin/python -m quantize"
_EMOTION = "models/emotion_sepnet_48_int8.tflite"
# In a checkout with a few pictures of each dataset. What trains is stopped by Ctrl-C after an epoch or step.
# The order is not that of the page: some need what others write.
DESKTOP = (
    Typed(
        "make train DATA=folder",
        until="emotion-teacher 1/36: loss",
        code=(-2,),
        then="rm -r runs",
        shows=r"goes on with epoch 2 of 36 of emotion-teacher \(so far: runs/emotion-teacher/report\.html\)",
    ),
    Typed(f"{_TRAIN} data folder/fer2013.tar.gz", shows=r"FER-2013: 112 pictures of 48x48"),
    Typed(
        f"{_TRAIN} scenes folder/scenes.tar", shows=r"val: 8 images, 4 of them without a face; 4 clear faces"
    ),
    Typed(f"{_TRAIN} recipes", shows=r"(?m)^mini-xception +emotion +fer2013 +100 epochs$"),
    Typed(
        f"{_TRAIN} recipes --write gender my.toml",
        shows=r"my\.toml: written; train it with `python -m train fit",
    ),
    Typed(
        f"{_TRAIN} collect out/teacher-1.zip emotion-expert",
        shows=r"runs/emotion-expert: accuracy \d+\.\d+ %",
    ),
    Typed(f"{_TRAIN} restore", shows=r"(?m)^runs/refinement-first$"),
    Typed(
        f"{_TRAIN} fit my.toml --tensorboard board",
        until=r"^my 1/48: loss",
        code=(130,),
        shows=r"fit my.toml --tensorboard board` goes on with epoch 2 of 48 of my",
    ),
    Typed(
        f"{_TRAIN} fit my.toml --data folder",
        until=r"^reading utkface in folder",
        code=(130,),
        shows=r"fit my.toml --data folder` goes on with epoch 2 of 48 of my",
    ),
    Typed(
        "make train DATA=folder RECIPE=my.toml",
        until="reading utkface in folder",
        code=(-2,),
        shows=r"my +48 epochs  goes on after epoch 1(.*\n)*.* goes on with epoch 2 of 48 of my",
    ),
    Typed(
        f"{_TRAIN} fit emotion --seed 2",
        until=r"^reading fer2013 in data",
        code=(130,),
        shows=r"goes on with epoch 1 of 120 of emotion-seed2",
    ),
    Typed(
        f"{_TRAIN} fit references --epochs 2",
        until=r"^reading fer2013 in data",
        code=(130,),
        shows=r"the plan: 9 stages, 18 epochs (.*\n)*.* goes on with epoch 1 of 2 of ",
    ),
    Typed(
        "make train DATA=folder RECIPE=mini-xception EPOCHS=10",
        change={"10": "1"},
        shows=r"runs/mini-xception: accuracy \d+\.\d+ %, .* of FER-2013 val; ",
    ),
    Typed(
        f"{_TRAIN} fit mobilenet-fer2013",
        change={"mobilenet-fer2013": "mobilenet-fer2013 --epochs 1"},
        shows=r"runs/mobilenet-fer2013: accuracy \d+\.\d+ %, .* of FER-2013 val; ",
    ),
    Typed(
        f"{_TRAIN} fit mobilenet-ckplus --start mobilenet-fer2013 --out runs/mobilenet-ckplus-started",
        change={"--start": "--epochs 1 --start"},
        shows=r"1 epoch +to do; builds on mobilenet-fer2013(.*\n)*runs/mobilenet-ckplus-started: accuracy ",
    ),
    # It goes as far as the images that calibrate, which are of the real FER-2013; from there on, there is
    # tests/quantize/cli/test_run.py.
    Typed(
        "make quantize DATA=folder OVERWRITE=1",
        code=(2,),
        shows=r"1400 of 1400 calibration images are not in its training split .* the list emotion\.json ",
    ),
    # Only the one that is finished by now.
    Typed(
        f"{_QUANTIZE} measure references",
        change={"references": "mini-xception"},
        shows=r"runs/mini-xception: \S",
    ),
    Typed(
        f"{_TRAIN} fit ablation --epochs 30",
        until=r"^reading fer2013 in data",
        code=(130,),
        shows=r"the plan: 9 stages, 270 epochs (.*\n)*.* goes on with epoch 1 of 30 of ",
    ),
    Typed(
        f"{_TRAIN} fit proposal refinement-first refinement",
        until=r"^runs/proposal: average precision",
        code=(130,),
        shows=r"goes on|stopped",
    ),
    Typed(f"{_TRAIN} table", shows=r"(?m)^\| emotion-parent \| 39,891 \| .* \| 40 of 40 \| "),
    Typed(f"{_TRAIN} expand emotion --out expanded", shows=r"expanded/sheet\.png"),
    Typed(
        f"{_TRAIN} evaluate gender --dataset imdb-wiki --split val",
        shows=r"runs/gender: accuracy \d+\.\d+ %, .* of WIKI val; runs/gender/on-wiki/report\.html",
    ),
    Typed(f"{_TRAIN} robustness {_EMOTION}", shows=r"camera accuracy +\d+\.\d%"),
    Typed(
        f"{_TRAIN} saliency emotion-parent-taylor-1 --against emotion-parent",
        shows=r"runs/emotion-parent-taylor-1/saliency\.png",
    ),
    Typed(
        f"{_QUANTIZE} prune emotion --target 8000",
        until=r"emotion, step 1 of ",
        code=(130,),
        shows=r"quantize: stopped",
    ),
    Typed(
        f"{_QUANTIZE} compare gender-parent --target 6300",
        until=r"gender-parent, step 1 of ",
        code=(130,),
        shows=r"quantize: stopped",
    ),
    Typed(
        f"{_QUANTIZE} search",
        until=r"^gates-inherited-1 1/",
        code=(130,),
        shows=r"quantize: stopped",
    ),
    Typed(f"{_TRAIN} framing --data folder", shows=r"UTKFace: a face in \d+\.\d% of 36 training images"),
    Typed(f"{_QUANTIZE} inspect {_EMOTION}", shows=r"8943 parameters as stored"),
    Typed(
        f"{_QUANTIZE} verify {_EMOTION}",
        shows=r"latency: this file 1\.00, its float form \d",
    ),
    Typed(f"{_QUANTIZE} scenes", shows=r"8 scenes in three sizes; (.*\n)*  both judges "),
    Typed(f"{_TRAIN} pack emotion emotion.npz", shows=r"emotion\.npz: 84 rows for training"),
)
ELSEWHERE: tuple[Elsewhere, ...] = (
    Elsewhere("make check", ".ci/run", "make check"),
    Elsewhere("make test", ".ci/run", "make test"),
    Elsewhere("make docs", ".ci/run", "make docs"),
    Elsewhere(
        "sudo make install-device",
        "tests/device/test_systemd.py::test_a_new_installation_runs_at_once_and_at_every_boot",
        "make install-device",
    ),
    Elsewhere(
        "sudo systemctl stop emotiny",
        "tests/device/test_picamera.py",
        "systemctl stop emotiny",
    ),
    Elsewhere(
        "sudo systemctl start emotiny",
        "tests/device/test_systemd.py::test_a_full_disk_ends_the_service_with_one_line",
        "systemctl start emotiny",
    ),
    Elsewhere(
        "python3 -m zipfile -e emotiny-*.whl unpacked",
        "tests/integration/test_packaging.py::test_who_has_nothing_but_the_wheel_has_the_installer",
        '"-m", "zipfile", "-e"',
    ),
    Elsewhere(
        "sudo bash unpacked/edge/systemd/install.sh emotiny-*.whl",
        "tests/integration/test_install.py::test_an_upgrade_from_nothing_but_the_next_wheel",
        '"edge" / "systemd" / "install.sh"',
    ),
    Elsewhere(
        "python -m train.accelerator emotion.npz out --seconds 570",
        "tests/accelerator/test_program.py::test_the_program_writes_every_network",
        '"-m", "train.accelerator"',
    ),
)
# Typed as the page has them, from the page.
ELSEWHERE += tuple(
    Elsewhere(line, "tests/integration/test_own_network.py", "## A network of your own")
    for line in (
        f"{_TRAIN} restore gender-teacher",
        f"{_QUANTIZE} measure my.toml --data folder",
        f"{_QUANTIZE} prune my.toml --target 5000 --data folder",
        "mkdir mine",
        f"{_QUANTIZE} run my.toml --models mine --data folder",
        f"{_QUANTIZE} verify mine/my_int8.tflite --data folder",
        ".venv/bin/emotiny run --source demo --gender-model mine/my_int8.tflite",
    )
)
_APT = "changes this system's packages, and needs a network"
_ENGINE = "needs a container engine; tests/device/test_container.py builds and runs the image without one"
_SYSTEMD = "needs this system's systemd; tests/device/test_systemd.py asks that of a container for the same"
# {line: why nobody types it}.
UNTYPED = {
    "sudo apt update && sudo apt install -y git make python3-venv": _APT,
    "sudo apt update && sudo apt install -y git make": _APT,
    "sudo apt install -y python3-picamera2": _APT,
    "sudoedit /etc/emotiny/config.toml": "opens an editor",
    "sudo systemctl restart emotiny": _SYSTEMD,
    "sudo systemctl stop emotiny; sudo emotiny check; sudo systemctl start emotiny": _SYSTEMD,
    "systemctl status emotiny": _SYSTEMD,
    "journalctl -fu emotiny": _SYSTEMD,
    "scp mine/my_int8.tflite mine/my_int8.json board:": "needs a second machine",
    "sudo install -m 644 -t /etc/emotiny my_int8.tflite my_int8.json": "changes this system's settings",
    "ssh -L 8090:127.0.0.1:8090 pi@raspberrypi.local": "needs a second machine",
    "docker build -t emotiny .": _ENGINE,
    "docker run --rm -it --read-only --cap-drop ALL --security-opt no-new-privileges emotiny run "
    "--source demo "
    "--output console": _ENGINE,
    "docker run -d --name emotiny --restart unless-stopped --read-only --cap-drop ALL --security-opt "
    'no-new-privileges --memory 400m --device /dev/video0 --group-add "$(stat -c %g /dev/video0)" '
    "-e EMOTINY_SOURCE=/dev/video0 -e EMOTINY_MQTT_HOST=192.0.2.1 -e EMOTINY_MQTT_DEVICE=kitchen "
    "emotiny": _ENGINE,
    "docker compose up -d": _ENGINE,
}
# {first line of a block that nobody types: what it is}.
SHOWN = {
    '{"v": 1, "at": "2026-03-01T17:20:05.123Z", "run": "caca97d81f3a", "seq": 7,': "JSON",
    'emotiny/kitchen/event {"v":1,"at":"2026-03-01T17:20:05.123Z","run":"caca97d81f3a","seq":7,"key":'
    '"caca97d81f3a-7",': "a topic and JSON",
    '{"frame": 30, "time": 2.0, "fps": 15.04, "dropped": 0, "temperature": null, "throttled": '
    '[], "light": 0.247, '
    '"faces": [': "shortened JSON",
    '{"fps": 15, "wh": [640, 480], "group": "several",': "shortened JSON",
    "[mqtt]": "settings",
    "[Service]": "settings of a unit",
    "user kitchen": "a broker's access list",
    "topic readwrite homeassistant/+/emotiny_kitchen/+/config": "a broker's access list",
    "sources/ ──Frame──▶ tracking/ ──TrackedFace──▶ pipeline/scheduler ──Scores──▶ "
    "pipeline/smoothing ──Report──▶ "
    "output/": "a drawing",
    "edge      cli > aim | bench > diagnostics > settings > pipeline > output | sources | "
    "tracking": "a drawing",
}
