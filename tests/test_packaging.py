"""What a device installs: the wheel, and what the resolver says for the boards' Pythons and processors."""

import configparser
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SETUP = Path(__file__).parents[1] / "setup.cfg"


def requirements(extra=None):
    config = configparser.ConfigParser()
    config.read(SETUP)
    section, key = ("options.extras_require", extra) if extra else ("options", "install_requires")
    return [line for line in config[section][key].splitlines() if line and not line.startswith("#")]


def test_the_base_install_is_what_a_device_needs_and_no_more():
    names = {line.split(">")[0].split("<")[0].split("=")[0].split(";")[0].strip() for line in requirements()}
    assert names == {"numpy", "opencv-python-headless", "ai-edge-litert", "ml_dtypes", "paho-mqtt", "tomli"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The package's wheel, built from a copy: a build leaves folders behind."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"
    tree.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(SETUP.with_name(name), tree)
    for name in ("edge", "models", "quantize", "train"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(SETUP.with_name(name), tree / name, ignore=ignored)
    build = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", str(tree))
    command = (sys.executable, "-m", "pip", *build)
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    (built,) = folder.glob("emotiny-*.whl")
    return built


def test_the_wheel_holds_all_that_runs_and_nothing_of_the_tests(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    tree = SETUP.parent
    code = {
        str(path.relative_to(tree))
        for package in ("edge", "train", "quantize")
        for path in (tree / package).rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".so"}
    }
    models = {f"edge/models/{path.name}" for path in (tree / "models").glob("*.*") if path.is_file()}
    assert len(models) >= 6
    assert {name for name in names if ".dist-info/" not in name} == code | models


def test_what_is_installed_reads_faces(wheel, tmp_path):
    installed = tmp_path / "installed"
    zipfile.ZipFile(wheel).extractall(installed)
    done = subprocess.run(
        [sys.executable, "-m", "edge", "run", "--source", "demo", "--fast", "--max-frames", "3"],
        cwd=installed,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "3 frames in" in done.stderr


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
