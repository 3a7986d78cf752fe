"""What a device installs: the wheel, and what the resolver says for the boards' Pythons and processors."""

import configparser
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

import edge
from edge.cli.main import main
from tests.support.sources import ROOT, build, copy_sources

SETUP = ROOT / "setup.cfg"
LIMIT_S = 120


def requirements(extra=None):
    config = configparser.ConfigParser()
    config.read(SETUP)
    section, key = ("options.extras_require", extra) if extra else ("options", "install_requires")
    return [line for line in config[section][key].splitlines() if line and not line.startswith("#")]


def test_the_base_install_is_what_a_device_needs_and_no_more():
    names = {line.split(">")[0].split("<")[0].split("=")[0].split(";")[0].strip() for line in requirements()}
    assert names == {"numpy", "opencv-python-headless", "ai-edge-litert", "ml_dtypes", "paho-mqtt", "tomli"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return copy_sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def built(tree, tmp_path_factory):
    """The wheel and the sdist, each from the tree."""
    copy = tmp_path_factory.mktemp("build") / "tree"
    shutil.copytree(tree, copy)
    wheel, sdist = build(copy, copy.parent / "out", "--wheel", "--sdist")
    assert wheel.name == f"emotiny-{edge.__version__}-py3-none-any.whl"
    assert sdist.name == f"emotiny-{edge.__version__}.tar.gz"
    return wheel, sdist


@pytest.fixture(scope="module")
def wheel(built):
    return built[0]


@pytest.fixture(scope="module")
def unpacked(built, tmp_path_factory):
    """The folder that the sdist unpacks to."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(built[1]) as archive:
        archive.extractall(folder, filter="data")
    (found,) = folder.iterdir()
    assert found.name == f"emotiny-{edge.__version__}"
    return found


def files_of(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_wheel_holds_what_a_device_runs_and_nothing_of_the_desktop(wheel, tree):
    names = set(zipfile.ZipFile(wheel).namelist())
    metadata = {name for name in names if ".dist-info/" in name}
    code = {f"edge/{name}" for name in files_of(tree / "edge")}
    models = {f"edge/models/{path.name}" for path in (tree / "models").iterdir() if path.is_file()}
    service = {f"edge/systemd/{name}" for name in files_of(tree / "systemd")}
    assert names - metadata == code | models | service
    assert "edge/py.typed" in code
    assert {Path(name).suffix for name in models} == {".tflite", ".json", ".md"}
    assert len(models) >= 6
    units = {"emotiny.service", "emotiny@.service", "jetson.conf", "libcamera.conf"}
    locks = {f"requirements/{path.name}" for path in (tree / "systemd" / "requirements").iterdir()}
    assert service == {f"edge/systemd/{name}" for name in units | {"install.sh", "config.toml"} | locks}
    assert {Path(name).name for name in metadata} == {
        *("METADATA", "WHEEL", "RECORD", "entry_points.txt", "top_level.txt"),
        *("LICENSE", "LicenseRef-research-data.txt"),
    }
    said = zipfile.ZipFile(wheel).read(f"emotiny-{edge.__version__}.dist-info/top_level.txt")
    assert said.decode().split() == ["edge"]


def test_the_sdist_holds_all_sources(unpacked, tree):
    sources = files_of(tree)
    assert {"Makefile", "README.md", "setup.cfg", "train/cli/main.py", "tests/conftest.py"} <= sources
    held = files_of(unpacked)
    lacks = sources - held
    assert not lacks, "neither in .gitignore nor in MANIFEST.in"
    assert {name for name in held - sources if not name.startswith("emotiny.egg-info/")} == {"PKG-INFO"}


def test_the_sdist_gives_the_same_wheel(unpacked, wheel, tmp_path):
    (again,) = build(unpacked, tmp_path, "--wheel")

    def content(path):
        archive = zipfile.ZipFile(path)
        return {name: archive.read(name) for name in archive.namelist()}

    assert content(again) == content(wheel)


def test_the_default_settings_are_those_that_the_command_writes(tmp_path):
    assert main(["config", "--write", str(tmp_path / "config.toml")]) == 0
    # `emotiny config --write systemd/config.toml` makes it anew.
    assert (tmp_path / "config.toml").read_text() == (ROOT / "systemd" / "config.toml").read_text()


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """The bin folder of a fresh environment with the wheel, which finds what it needs in this one."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=LIMIT_S)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "others.pth").write_text(f"{Path(np.__file__).parents[1]}\n")
    pip = (str(folder / "bin" / "pip"), "--quiet", "--disable-pip-version-check", "install")
    command = (*pip, "--ignore-installed", "--no-deps", "--no-index", str(wheel))
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "bin"


@pytest.fixture
def installed(environment, tmp_path):
    """Runs one of the environment's programs, far from the sources."""

    def run(program, *words):
        return subprocess.run(
            [str(environment / program), *words],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    return run


def test_the_installed_command_and_the_module_are_one(installed):
    done = installed("emotiny", "--version")
    assert (done.returncode, done.stdout) == (0, f"emotiny {edge.__version__}\n"), done.stderr
    for words in (["--version"], ["--help"], ["run", "--help"], ["bench", "--help"], ["config"], ["walk"]):
        one, other = installed("emotiny", *words), installed("python", "-m", "edge", *words)
        assert (one.returncode, one.stdout, one.stderr) == (other.returncode, other.stdout, other.stderr)
        assert one.stdout.startswith("usage: emotiny") == ("--help" in words)
    assert one.returncode == 2


def test_what_is_installed_reads_faces(installed, environment):
    done = installed(
        "python", "-c", "import edge, edge.inference.contract; print(edge.inference.contract.MODELS_FOLDER)"
    )
    assert done.stdout.startswith(str(environment.parent)), done.stderr
    done = installed("emotiny", "run", "--source", "demo", "--fast", "--max-frames", "3")
    assert done.returncode == 0, done.stderr
    assert "3 frames in" in done.stderr
    for desktop in ("train", "quantize"):
        done = installed("python", "-m", desktop, "--help")
        assert f"No module named {desktop}" in done.stderr


def test_who_has_nothing_but_the_wheel_has_the_installer(wheel, tmp_path):
    """As the documentation says it: unpacked by Python, which forgets what may be executed."""
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(tmp_path)], check=True)
    script = tmp_path / "edge" / "systemd" / "install.sh"
    done = subprocess.run(["bash", str(script), "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "--uninstall" in done.stdout
    done = subprocess.run(["bash", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "emotiny: error: no source tree around this script: expected a wheel\n"


@pytest.mark.network
@pytest.mark.parametrize(
    ("python", "glibc", "numpy", "opencv", "extra"),
    [
        ("3.10", "2_35", "1.", "4.11.", None),  # JetPack 6
        ("3.11", "2_36", "1.", "4.11.", None),  # Bookworm: apt's picamera2 breaks with numpy 2
        ("3.11", "2_36", "1.", "4.11.", "tflite"),
        ("3.13", "2_40", "2.", "4.1", None),  # Trixie
    ],
)
def test_wheels_for_aarch64(tmp_path, python, glibc, numpy, opencv, extra):
    wanted = tmp_path / "requirements.in"
    wanted.write_text("\n".join(requirements() + (requirements(extra) if extra else [])))
    command = (
        *(sys.executable, "-m", "uv", "pip", "compile", str(wanted), "--quiet", "--no-header"),
        *("--no-annotate", "--python-version", python, "--python-platform", f"aarch64-manylinux_{glibc}"),
        *("--only-binary", ":all:"),
    )
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if "error sending request" in done.stderr or "dns error" in done.stderr:
        pytest.skip("the package index cannot be reached")
    assert done.returncode == 0, done.stderr
    found = dict(line.split("==") for line in done.stdout.split())
    assert found["numpy"].startswith(numpy)
    assert found["opencv-python-headless"].startswith(opencv)
    assert found["ai-edge-litert"].startswith("2.")
    assert ("tflite-runtime" in found) == (extra == "tflite")
    # imgaug, TensorFlow and matplotlib stay on the desktop; so does OpenCV with its windows.
    assert not {"imgaug", "tensorflow", "keras", "matplotlib", "opencv-python"} & set(found)


def test_one_package_alone_provides_opencv():
    """All of them have the same files, so that a second one would replace those of the first."""
    providers = importlib.metadata.packages_distributions()["cv2"]
    assert len(set(providers)) == 1, providers


def test_no_extra_names_a_second_opencv():
    config = configparser.ConfigParser()
    config.read(SETUP)
    named = {
        line.partition("==")[0]
        for extra in config["options.extras_require"]
        for line in requirements(extra)
        if line.startswith("opencv")
    }
    assert named == {"opencv-python"}
