"""Requirements are read from the source tree or the metadata, for this Python and this machine."""

import configparser
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from edge.system.requirements import requirement

ROOT = Path(__file__).parents[3]
# As setuptools writes it.
METADATA = """\
Metadata-Version: 2.1
Name: emotiny
Version: 9.9
Requires-Dist: numpy<3,>=2.5; python_version < "3.12"
Requires-Dist: numpy>=4; python_version >= "3.12"
Requires-Dist: opencv-python-headless==9.8
Requires-Dist: paho-mqtt<8,>=7
Requires-Dist: ml_dtypes<0.9; python_version < "3.12" and (platform_machine == "a" or platform_machine == "b")
Requires-Dist: prometheus-client>=6; extra == "prometheus"
Requires-Dist: numpy==1.26.4; extra == "train"
"""


@pytest.fixture
def installed(tmp_path):
    """A folder with the package's metadata and its modules, as pip installs them."""
    folder = tmp_path / "site-packages"
    (folder / "emotiny-9.9.dist-info").mkdir(parents=True)
    (folder / "emotiny-9.9.dist-info" / "METADATA").write_text(METADATA)
    shutil.copytree(ROOT / "edge", folder / "edge", ignore=shutil.ignore_patterns("*.png", "*.gz", "bench"))
    return folder


def on_python(monkeypatch, version, machine):
    monkeypatch.setattr(platform, "python_version_tuple", lambda: (*version.split("."), "0"))
    monkeypatch.setattr(platform, "machine", lambda: machine)


def all_of_setup_cfg():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg")
    extras = [("", parser["options"]["install_requires"]), *parser["options.extras_require"].items()]
    return [(extra, line) for extra, lines in extras for line in lines.splitlines() if line]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "armv7l"])
@pytest.mark.parametrize("version", ["3.9", "3.10", "3.11", "3.12", "3.13"])
def test_markers_mean_what_pip_takes_them_for(monkeypatch, version, machine):
    on_python(monkeypatch, version, machine)
    expected: dict[tuple[str, str], SpecifierSet | None] = {}
    for extra, line in all_of_setup_cfg():
        wanted = Requirement(line)
        variables = {"python_version": version, "platform_machine": machine, "extra": extra}
        expected.setdefault((extra, wanted.name), None)
        if wanted.marker is None or wanted.marker.evaluate(variables):
            expected[extra, wanted.name] = wanted.specifier
    assert len(expected) > 20
    for (extra, name), specifier in expected.items():
        found = requirement(name, extra, ROOT)
        assert (None if found is None else Requirement(found).specifier) == specifier


@pytest.mark.parametrize(
    ("version", "machine", "name", "extra", "expected"),
    [
        ("3.11", "x86_64", "numpy", "", "numpy<3,>=2.5"),
        ("3.12", "x86_64", "numpy", "", "numpy>=4"),
        ("3.11", "b", "ml-dtypes", "", "ml_dtypes<0.9"),
        ("3.11", "armv7l", "ml_dtypes", "", None),
        ("3.11", "x86_64", "prometheus-client", "", None),
        ("3.11", "x86_64", "prometheus-client", "prometheus", "prometheus-client>=6"),
        ("3.11", "x86_64", "paho", "", None),
    ],
)
def test_what_was_installed(installed, monkeypatch, version, machine, name, extra, expected):
    on_python(monkeypatch, version, machine)
    monkeypatch.syspath_prepend(str(installed))
    assert requirement(name, extra, installed) == expected


PRINT = """
import sys
from edge.system import remedies
print(remedies.paho(), remedies.prometheus(), remedies.reinstall_opencv(), sep="\\n")
print([name for name in sys.modules if name.partition(".")[0] in ("cv2", "numpy", "packaging", "paho")])
"""


def commands(folder):
    """Returns the remedies of the package in a folder, from a process that sees no other package."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", PRINT],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    *lines, imported = done.stdout.splitlines()
    assert imported == "[]"
    return lines


def test_remedies_name_the_versions_of_the_metadata(installed):
    paho, prometheus, opencv = commands(installed)
    assert "install 'paho-mqtt<8,>=7'" in paho
    assert "install 'prometheus-client>=6'" in prometheus
    assert "--no-deps opencv-python-headless==9.8" in opencv


def test_a_source_tree_without_metadata_has_its_setup_cfg():
    paho, prometheus, opencv = commands(ROOT)
    assert "install 'paho-mqtt>=2,<3'" in paho
    assert "install 'prometheus-client>=0.16,<1'" in prometheus
    assert "--no-deps 'opencv-python-headless>=4" in opencv


def test_a_source_tree_is_believed_before_the_metadata_of_another_version(installed, monkeypatch):
    monkeypatch.syspath_prepend(str(installed))
    assert requirement("paho-mqtt", "", ROOT) == "paho-mqtt>=2,<3"


def test_without_either_the_package_is_named(installed):
    shutil.rmtree(installed / "emotiny-9.9.dist-info")
    paho, prometheus, opencv = commands(installed)
    assert paho.endswith("-m pip install paho-mqtt`")
    assert prometheus.endswith("-m pip install prometheus-client`")
    assert "--no-deps opencv-python-headless`" in opencv
