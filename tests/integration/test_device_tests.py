"""`make test-device` where it cannot run: it must not look as if it had passed."""

import os
import subprocess
import sys

import pytest

from tests.support.sources import ROOT

MISSING = "Debian packages are missing: apt-get install mmdebstrap systemd-container"


@pytest.fixture
def collect(tmp_path):
    """Returns a function that has pytest run the container's tests, on a machine without their packages."""

    def run(*options):
        # This Python is found by its path, and PATH names no command.
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/device/test_systemd.py"]
        environment = os.environ | {"PATH": str(tmp_path)}
        return subprocess.run(
            [*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )

    return run


def test_missing_packages_fail_and_are_named(collect):
    done = collect()
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
    assert "tests cannot run here; ALLOW_SKIP=1 skips them" in done.stderr
    assert MISSING in done.stderr


def test_they_are_skipped_if_that_is_allowed(collect):
    done = collect("--allow-skip")
    assert done.returncode == 0, done.stdout + done.stderr
    assert MISSING in done.stdout
    assert " skipped in " in done.stdout and "passed" not in done.stdout


@pytest.mark.parametrize("allowed", [False, True])
def test_make_passes_the_permission_on(allowed):
    words = ["make", "--dry-run", "test-device-systemd", *(["ALLOW_SKIP=1"] if allowed else [])]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ("--allow-skip" in done.stdout) == allowed
    assert "tests/device/test_systemd.py" in done.stdout
