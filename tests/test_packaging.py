"""What a device installs, asked of the resolver itself for the boards' Pythons and processors."""

import configparser
import subprocess
import sys
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
