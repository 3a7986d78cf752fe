"""The lock files are in step with what setup.cfg requires, for each Python and processor of a device."""

import configparser
import re

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.sources import ROOT

FOLDER = ROOT / "systemd" / "requirements"
MACHINES = ("aarch64", "x86_64")
ENTRY = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+) \\\n"
    r"(?P<hashes>(?: {4}--hash=\S+(?: \\)?\n)+)"
    r"(?P<via>(?: {4}#.*\n)*)",
    re.MULTILINE,
)


def setup_value(section, option):
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "setup.cfg")
    return [line for line in config[section][option].splitlines() if line and not line.startswith("#")]


PYTHONS = [
    line.rpartition(" ")[2]
    for line in setup_value("metadata", "classifiers")
    if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", line)
]
EVERY_LOCK = pytest.mark.parametrize("machine", MACHINES)
EVERY_PYTHON = pytest.mark.parametrize("python", PYTHONS)


def entries(python, machine):
    """Returns version, hashes, and the packages that require it, by the name of each locked package."""
    text = (FOLDER / f"python{python}-{machine}.txt").read_text()
    found = {}
    for entry in ENTRY.finditer(text):
        hashes = re.findall(r"--hash=(\S+)", entry["hashes"])
        via = set(re.findall(r"(?:#|# via|#  ) +([\w-]+)$", entry["via"], re.MULTILINE)) - {"via"}
        found[entry["name"]] = (entry["version"], hashes, via)
    # Nothing but these entries and two lines at the head: pip would install it.
    assert ENTRY.sub("", text).count("\n") == 2
    return found


def required(python, machine):
    """Returns what every installation on this Python and processor requires."""
    environment = {"python_version": python, "platform_machine": machine, "sys_platform": "linux"}
    wanted = map(Requirement, setup_value("options", "install_requires"))
    return [each for each in wanted if each.marker is None or each.marker.evaluate(environment)]


def test_each_python_and_processor_has_a_lock_file():
    assert PYTHONS
    wanted = {f"python{python}-{machine}.txt" for python in PYTHONS for machine in MACHINES}
    assert {path.name for path in FOLDER.iterdir()} == wanted | {"build.txt"}


@EVERY_LOCK
@EVERY_PYTHON
def test_it_locks_what_setup_cfg_requires_within_its_bounds(python, machine):
    locked, wanted = entries(python, machine), required(python, machine)
    for each in wanted:
        version = locked[canonicalize_name(each.name)][0]
        assert each.specifier.contains(version), f"{each.name}: make lock"
    # uv names only packages that require one, not setup.cfg.
    unexplained = {name for name, (_, _, via) in locked.items() if not via}
    assert unexplained <= {canonicalize_name(each.name) for each in wanted}


@EVERY_LOCK
@EVERY_PYTHON
def test_every_version_has_hashes_and_is_there_for_another_that_is(python, machine):
    locked = entries(python, machine)
    for name, (_, hashes, via) in locked.items():
        assert hashes, name
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in hashes), name
        assert via <= locked.keys(), name


@EVERY_PYTHON
def test_both_processors_have_the_same_versions(python):
    one, other = (
        {name: version for name, (version, _, _) in entries(python, machine).items()} for machine in MACHINES
    )
    assert one == other


def test_the_build_is_locked_to_a_version_that_the_sources_accept():
    text = (FOLDER / "build.txt").read_text()
    assert re.findall("^[a-z].*==", text, re.MULTILINE) == ["setuptools=="]
    (version,) = re.findall(r"^setuptools==(\S+) \\\n +--hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    (accepted,) = re.findall(r'requires = \["(.*)"\]', (ROOT / "pyproject.toml").read_text())
    assert Requirement(accepted).specifier.contains(version)
