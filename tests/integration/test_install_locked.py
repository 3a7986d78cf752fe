"""`install.sh --locked`: exactly the versions of a lock file, and nothing whose hash is not in it."""

import hashlib
import platform
import shutil
import sys
import zipfile

import pytest

import edge
from tests.support.device import own_device
from tests.support.sources import build, copy_sources

LOCK = f"python{sys.version_info.major}.{sys.version_info.minor}-{platform.machine()}.txt"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The sources, whose installer and lock files the tests may change."""
    return copy_sources(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="module")
def wheels(tree, tmp_path_factory):
    """A folder with the wheel, and with one of a package that only the lock file names."""
    folder = tmp_path_factory.mktemp("wheels")
    build(tree, folder, "--wheel")
    shutil.rmtree(tree / "build")
    return folder


@pytest.fixture
def device(tmp_path):
    return own_device(tmp_path)


def write_wheel(folder, version, content=""):
    """Writes a wheel of the package `locked`, and returns its hash."""
    path, info = folder / f"locked-{version}-py3-none-any.whl", f"locked-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("locked.py", content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: locked\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(
            f"{info}/RECORD", f"locked.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return hashlib.sha256(path.read_bytes()).hexdigest()


def install(device, tree, wheels, **environment):
    wheel = wheels / f"emotiny-{edge.__version__}-py3-none-any.whl"
    script = tree / "systemd" / "install.sh"
    return device.run("bash", script, "--no-apt", "--locked", "--wheels", wheels, wheel, **environment)


def installed_versions(device):
    return {path.name for path in device.opt.glob("emotiny/lib/python3*/site-packages/locked-*")}


def test_the_locked_version_is_installed_though_a_newer_one_is_there(device, tree, wheels):
    right = write_wheel(wheels, "1.0")
    write_wheel(wheels, "2.0")
    (tree / "systemd" / "requirements" / LOCK).write_text(f"locked==1.0 --hash=sha256:{right}\n")
    done = install(device, tree, wheels)
    assert done.returncode == 0, done.stdout + done.stderr
    assert installed_versions(device) == {"locked-1.0.dist-info"}
    assert done.stdout.splitlines()[-1] == "emotiny: check: all is well"


def test_a_wheel_that_was_tampered_with_is_refused(device, tree, wheels):
    right = write_wheel(wheels, "1.0")
    (tree / "systemd" / "requirements" / LOCK).write_text(f"locked==1.0 --hash=sha256:{right}\n")
    write_wheel(wheels, "1.0", "print('something else')\n")
    done = install(device, tree, wheels)
    assert done.returncode == 2
    assert "DO NOT MATCH THE HASHES" in done.stderr  # pip's words
    assert done.stderr.splitlines()[-1].startswith(
        "emotiny: error: the packages above could not be installed"
    )
    assert not installed_versions(device)
    assert not any(device.etc.rglob("*.service"))


def test_a_version_without_a_hash_is_refused(device, tree, wheels):
    write_wheel(wheels, "1.0")
    (tree / "systemd" / "requirements" / LOCK).write_text("locked==1.0\n")
    done = install(device, tree, wheels)
    assert done.returncode == 2
    assert "Hashes are required" in done.stderr  # pip's words
    assert not installed_versions(device)


def test_what_a_lock_file_lacks_is_not_fetched(device, tree, wheels):
    (tree / "systemd" / "requirements" / LOCK).write_text("")
    done = install(device, tree, wheels, PYTHONPATH="")  # nothing that emotiny requires is here
    assert done.returncode == 2
    assert "No matching distribution found for" in done.stderr
    assert not any(device.etc.rglob("*.service"))


def test_a_python_without_a_lock_file_is_refused_before_anything_is_changed(device, tree, wheels):
    (tree / "systemd" / "requirements" / LOCK).unlink(missing_ok=True)
    done = install(device, tree, wheels)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"emotiny: error: no {LOCK} in {tree}/systemd/requirements: expected ")
    assert done.stderr.count("\n") == 1
    assert not any(device.opt.iterdir())
