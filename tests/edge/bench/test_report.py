"""`bench --report`: what it says of a board, and what it must not say."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import edge
from edge.bench import board_facts
from edge.bench import report as board_report
from edge.bench.footprint import fresh_run
from edge.bench.report import COLUMNS, Measured, lines
from edge.cli.bench import bench
from edge.cli.parser import parser
from edge.diagnostics.check import SourceInfo
from edge.errors import CameraError, ConfigError, EdgeError, MissingDependencyError
from edge.settings.loader import settings_of
from edge.sources.discovery import DiscoveredCamera
from edge.system.platform import Platform
from edge.types import BoardState

ROOT = Path(__file__).parents[3]
LIMIT_S = 300
PI = Platform("Raspberry Pi 4 Model B Rev 1.4", "Debian GNU/Linux 12 (bookworm)", "bookworm")
CPUINFO = """\
processor\t: 0
CPU implementer\t: 0x41
CPU part\t: 0xd08

processor\t: 1
CPU implementer\t: 0x41
CPU part\t: 0xd08

Revision\t: c03114
Serial\t\t: 10000000abcdef12
Model\t\t: Raspberry Pi 4 Model B Rev 1.4
"""


def write(root: Path, **files: str) -> Path:
    """Files beneath a root, their names with __ for a slash."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return root


def pi(root: Path) -> Path:
    return write(
        root,
        proc__cpuinfo=CPUINFO,
        proc__meminfo="MemTotal:        3883256 kB\nMemFree:          100000 kB\nMemAvailable:    3174400 kB",
        sys__devices__system__cpu__cpufreq__policy0__scaling_governor="ondemand",
        sys__devices__system__cpu__cpufreq__policy0__cpuinfo_min_freq="600000",
        sys__devices__system__cpu__cpufreq__policy0__scaling_max_freq="1800000",
    )


def test_a_raspberry_pi_is_told_and_not_which(tmp_path):
    told = board_facts.facts(PI, pi(tmp_path))
    assert told["board"] == PI.model
    assert told["system"].startswith("Debian GNU/Linux 12 (bookworm), Linux ")
    assert told["processor"] == f"{os.cpu_count()} x Cortex-A72, ondemand, 600 to 1800 MHz"
    assert told["memory"] == "3792 MB, 3100 free"
    assert "abcdef12" not in " ".join(told.values())


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ("model name\t: AMD EPYC\n\nmodel name\t: AMD EPYC", "AMD EPYC"),
        ("CPU part\t: 0xd03\n\nCPU part\t: 0xd0b", "Cortex-A53 and Cortex-A76"),
        ("CPU part\t: 0xfff", "0xfff"),
    ],
)
def test_other_processors(tmp_path, cpuinfo, name):
    root = write(tmp_path, proc__cpuinfo=cpuinfo)
    assert board_facts.processor(root) == f"{os.cpu_count()} x {name}"


def test_a_system_that_tells_nothing(tmp_path):
    assert board_facts.memory(tmp_path) == "not told"
    assert board_facts.processor(tmp_path) == f"{os.cpu_count()} x {os.uname().machine}"
    assert board_facts.board(Platform()) == f"no board: {os.uname().machine}"


def test_cameras_by_model_and_not_by_number(monkeypatch):
    path = MissingDependencyError("cannot import name 'x' from 'numpy' (/home/anna/numpy.py)")
    found = [
        DiscoveredCamera(
            "/dev/v4l/by-id/usb-Maker_Cam_SN0042-video-index0", "/dev/video0: Cam (uvcvideo): YUYV 640x480"
        ),
        DiscoveredCamera("picamera2", str(path), path),
    ]
    monkeypatch.setattr(board_facts, "find_cameras", lambda system: iter(found))
    assert board_facts.cameras(PI) == "/dev/video0: Cam (uvcvideo): YUYV 640x480; picamera2 cannot be used"
    found.clear()
    assert board_facts.cameras(PI) == "none"


def test_the_camera_that_answers_is_told_by_size_and_rate(monkeypatch, capsys):
    answer = SourceInfo("/dev/v4l/by-id/usb-Maker_Cam_SN0042-video-index0", (640, 480), 29.97)
    monkeypatch.setattr(board_report, "probe_source", lambda settings, stop: answer)
    assert board_report._camera() == "640x480, 30.0 pictures a second"

    def none(settings, stop):
        assert settings.source == "auto"
        raise CameraError("/home/anna: no")

    monkeypatch.setattr(board_report, "probe_source", none)
    assert board_report._camera() == "none answers"
    assert "/home/anna: no" in capsys.readouterr().err


MEASURED = Measured(
    ms={"a": 420.0, "b": 150.0, "c": 12.0},
    fps=125.4,
    threads=4,
    start_s=2.14,
    peak_mb=119.6,
    before=BoardState(47.7, ()),
    after=BoardState(81.2, ("throttled", "frequency capped")),
    took_s=41.3,
)


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_what_was_measured_is_said_and_nothing_breaks_the_table():
    known = {"Python": "3.11.2", "cameras": "Cam | of\nmine"}
    text = list(lines(PI, known, MEASURED))
    assert text[0] == f"### emotiny {edge.__version__} on {PI.model}"
    assert text[2].startswith("Left out: names of people, ")
    table = dict(map(cells, [line for line in text if line.startswith("|")][:11]))
    assert table["cameras"] == "Cam \\| of mine"
    assert table["milliseconds a frame"].startswith("(a) 420.0, (b) 150.0, (c) 12.0, one thread")
    assert table["how many times as fast"] == "as (a) 35.0, as (b) 12.5"
    assert table["frames a second"] == "125 with the threads that `run` gives the detection (4), 83 with one"
    assert table["degrees Celsius"] == "48 before, 81 after 41 s"
    assert table["held back"] == "before: nothing told; after: throttled, frequency capped"
    header, rule, row = map(cells, text[-3:])
    assert header == list(COLUMNS)
    assert len(rule) == len(row) == len(COLUMNS)
    assert row[0] == PI.model
    assert row[2:] == ["board", "35.0", "12.5", "125", "120 MB", "2.1 s"]


def report(folder, *, unshare):
    """Runs it as somebody whose name, machine and settings are known, and whose broker listens."""
    home = folder / "zebediah"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        settings = home / ".config" / "emotiny" / "config.toml"
        said = ("[mqtt]", 'host = "127.0.0.1"', f"port = {port}", 'username = "quentin"', 'device = "attic"')
        settings.parent.mkdir(parents=True)
        settings.write_text("\n".join(said))
        assert settings_of(parser().parse_args(["check", "--config", str(settings)]), {}).mqtt.port == port
        named = ("unshare", "--uts", "sh", "-c", 'hostname zanzibar && exec "$@"', "sh") if unshare else ()
        done = subprocess.run(
            [*named, sys.executable, "-m", "edge", "bench", "--report"],
            cwd=folder,
            env=os.environ
            | {"HOME": str(home), "USER": "zebediah", "LOGNAME": "zebediah", "PYTHONPATH": str(ROOT)}
            | {"EMOTINY_MQTT_HOST": "127.0.0.1", "EMOTINY_MQTT_PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):  # the demo's faces are nobody's business
            listening.accept()
    assert done.returncode == 0, done.stderr
    return done


def test_a_report_names_nobody_and_tells_no_broker(tmp_path):
    unshare = (
        shutil.which("unshare") is not None
        and subprocess.run(["unshare", "--uts", "true"], check=False).returncode == 0
    )
    done = report(tmp_path, unshare=unshare)
    private = ["zebediah", "zanzibar", "quentin", "attic", "127.0.0.1", str(tmp_path), sys.prefix, "/home/"]
    if not unshare and "raspberry" not in socket.gethostname():
        private.append(socket.gethostname())
    machine_id = Path("/etc/machine-id")
    if machine_id.exists() and machine_id.read_text().strip():
        private.append(machine_id.read_text().strip())
    for word in private:
        assert word not in done.stdout, word
    assert not re.search(r"\b\d+\.\d+\.\d+\.\d+\b", done.stdout)  # an address
    assert not re.search(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", done.stdout, re.IGNORECASE)
    assert done.stdout.startswith(f"### emotiny {edge.__version__} on ")
    rows = [cells(line) for line in done.stdout.splitlines() if line.startswith("|")]
    assert {len(row) for row in rows} == {2, len(COLUMNS)}
    said = dict(row for row in rows if len(row) == 2)
    assert {
        "board",
        "system",
        "processor",
        "memory",
        "Python",
        "packages",
        "networks",
        "cameras",
        "camera",
    } < set(said)
    assert "emotion_sepnet_48_int8" in said["networks"]
    # More than its bare parts: the loop did run in that process.
    assert int(said["memory at most"].removesuffix(" MB")) > 60
    assert float(rows[-1][3]) > 1
    assert "Traceback" not in done.stderr


def test_a_process_that_fails_is_no_measurement():
    with pytest.raises(EdgeError, match=r"a process of the bench failed: .*none\.mp4"):
        fresh_run("none.mp4", 1)


@pytest.mark.parametrize("words", [["demo"], ["--runs", "5"], ["--footprint"], ["--size", "320x240"]])
def test_it_is_given_alone(words):
    with pytest.raises(ConfigError, match="--report measures what it measures on every board"):
        bench(parser().parse_args(["bench", "--report", *words]))


def test_control_c_ends_it():
    # What runs the tests in the background may have told its children to ignore it.
    heard = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    words = ["bench", "--long", "10000000", "--frames", "15", "--runs", "1"]
    code = f"{heard}from edge.cli.main import main; sys.exit(main({words}))"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            # Its first words are those of the runtime, by which time it measures.
            assert process.stderr is not None and process.stderr.readline()
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 128 + signal.SIGINT
    assert "Traceback" not in said
