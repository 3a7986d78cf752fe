"""`emotiny report`: a report about this board that identifies nobody."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import edge
from edge.bench.report import COLUMNS
from edge.cli.parser import parser
from edge.errors import ConfigError
from edge.settings.loader import settings_of

ROOT = Path(__file__).parents[3]
LIMIT_S = 300


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def run_report(folder, *, unshare):
    """Runs the command as a known user with known settings, whose broker must get no connection."""
    home = folder / "zebediah"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        settings = home / ".config" / "emotiny" / "config.toml"
        lines = ("[mqtt]", 'host = "127.0.0.1"', f"port = {port}", 'username = "quentin"', 'device = "attic"')
        settings.parent.mkdir(parents=True)
        settings.write_text("\n".join(lines))
        assert settings_of(parser().parse_args(["check", "--config", str(settings)]), {}).mqtt.port == port
        prefix = ("unshare", "--uts", "sh", "-c", 'hostname zanzibar && exec "$@"', "sh") if unshare else ()
        done = subprocess.run(
            [*prefix, sys.executable, "-m", "edge", "report"],
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
        with pytest.raises(BlockingIOError):  # the demo's faces must not be published
            listening.accept()
    assert done.returncode == 0, done.stderr
    return done


def test_a_report_is_anonymous_and_not_published(tmp_path):
    unshare = (
        shutil.which("unshare") is not None
        and subprocess.run(["unshare", "--uts", "true"], check=False).returncode == 0
    )
    done = run_report(tmp_path, unshare=unshare)
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
    table = dict(row for row in rows if len(row) == 2)
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
    } < set(table)
    assert "emotion_sepnet_48_int8" in table["networks"]
    # More than the imports alone take: the loop did run in that process.
    assert int(table["peak memory"].removesuffix(" MB")) > 60
    assert float(rows[-1][3]) > 1
    assert int(rows[-1][5]) > 1  # frames per second
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["demo"], ["--runs", "5"], ["--footprint"], ["--size", "320x240"]])
def test_every_board_is_measured_in_the_same_way(arguments):
    with pytest.raises(ConfigError, match=f"unrecognized arguments: {arguments[0]}"):
        parser().parse_args(["report", *arguments])
