"""Fixtures of several packages' tests; those of one package lie in tests/support/."""

import signal
import subprocess

import pytest

pytest_plugins = (
    "tests.support.cameras",
    "tests.support.edge_fixtures",
    "tests.support.scene_fixtures",
    "tests.support.train_fixtures",
    "tests.support.v4l2",
)


@pytest.fixture(autouse=True)
def _signals_as_before():
    """Gives signals their handlers back.

    A command line that a test has run in this process and ended by a signal ignores signals from then on, as
    every process would that a later test starts.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of its own that takes 16 KiB and no more."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "none", str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"mounting a small disk needs root: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
