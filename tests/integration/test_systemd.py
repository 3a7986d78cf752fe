"""The units, checked by systemd's own tools."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edge.cli.parser import parser
from edge.errors import ConfigError, ModelError
from edge.settings.loader import settings_of

FOLDER = Path(__file__).parents[2] / "systemd"
UNITS = ("emotiny.service", "emotiny@.service")
TOOL = shutil.which("systemd-analyze")
# {setting: the first version that knows it}; earlier ones log that they ignore it.
NEW_IN = {"RestartSteps": 254, "RestartMaxDelaySec": 254}

pytestmark = pytest.mark.skipif(TOOL is None, reason="no systemd-analyze: apt-get install systemd")


def analyze(*words):
    return subprocess.run(
        [str(TOOL), *map(str, words)], capture_output=True, text=True, timeout=60, check=False
    )


def complaints(*words):
    """What `systemd-analyze verify` says, without the settings that this systemd is too old for."""
    version = int(re.findall(r"^systemd (\d+)", analyze("--version").stdout)[0])
    too_new = [setting for setting, since in NEW_IN.items() if version < since]
    done = analyze("verify", *words)
    ignored = re.compile(rf".*Unknown key.* '({'|'.join(too_new)})' in section \[Service\], ignoring\.")
    lines = (done.stdout + done.stderr).splitlines()
    return done.returncode, [line for line in lines if not (too_new and ignored.fullmatch(line))]


@pytest.mark.parametrize("name", UNITS)
def test_systemd_accepts_a_unit(name, tmp_path):
    # verify wants the command to exist, but emotiny is not installed in /opt here.
    text = (FOLDER / name).read_text().replace("/opt/emotiny/bin/emotiny", "/bin/true")
    unit = tmp_path / name
    unit.write_text(text)
    assert complaints(unit) == (0, [])


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_has_few_rights(name, tmp_path):
    unit = shutil.copy(FOLDER / name, tmp_path)
    done = analyze("security", "--offline=true", "--threshold=12", unit)
    assert done.returncode == 0, done.stdout
    (level,) = re.findall(r"exposure level for .*: ([\d.]+)", done.stdout)
    assert float(level) <= 1.2


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_receives_the_password_and_starts_without_one(name):
    lines = (FOLDER / name).read_text().splitlines()
    assert "LoadCredential=mqtt_password:/etc/emotiny/mqtt_password" in lines
    assert r"SetCredential=mqtt_password:\n" in lines  # an empty line stands in for a missing file


@pytest.mark.parametrize("name", UNITS)
def test_a_service_that_can_only_fail_again_is_not_started_again(name):
    """A bad network or contract at the start would else be read every five seconds for ever."""
    lines = (FOLDER / name).read_text().splitlines()
    assert "Restart=on-failure" in lines
    assert f"RestartPreventExitStatus={ModelError.exit_code}" in lines
    assert ModelError.exit_code == ConfigError.exit_code


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_lets_the_process_read_what_its_fast_kernels_need(name):
    """ProcSubset=pid hides /proc/cpuinfo, without which LiteRT's fast kernels refuse to run."""
    assert "ProcSubset=pid" not in (FOLDER / name).read_text().splitlines()


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_leaves_no_core_dump_when_the_watchdog_aborts_it(name):
    assert "LimitCORE=0" in (FOLDER / name).read_text().splitlines()


@pytest.mark.parametrize("name", UNITS)
def test_the_settings_in_a_unit_are_settings(name):
    (line,) = re.findall("^Environment=(.*)$", (FOLDER / name).read_text(), re.MULTILINE)
    environment = dict(variable.split("=") for variable in line.split())
    # An unknown EMOTINY_ variable is a ConfigError, after which systemd would not restart the service.
    settings = settings_of(parser().parse_args(["run", "--config", os.devnull]), environment)
    assert settings.reconnect


@pytest.mark.parametrize("rights", ["jetson.conf", "libcamera.conf"])
def test_systemd_accepts_more_rights(rights, tmp_path):
    unit = tmp_path / "emotiny.service"
    unit.write_text((FOLDER / "emotiny.service").read_text().replace("/opt/emotiny/bin/emotiny", "/bin/true"))
    folder = tmp_path / "emotiny.service.d"
    folder.mkdir()
    shutil.copy(FOLDER / rights, folder)
    assert complaints(unit) == (0, [])


def test_the_template_differs_from_the_unit_in_the_instance_s_name_alone():
    lines = [
        [line for line in (FOLDER / name).read_text().splitlines() if line and not line.startswith("#")]
        for name in UNITS
    ]
    different = [(one, other) for one, other in zip(*lines, strict=True) if one != other]
    names = [one.partition("=")[0] for one, _ in different]
    assert names == ["Description", "ExecStart", "Environment", "User"]
    assert all("%i" in other for _, other in different)
