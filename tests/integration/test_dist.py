"""`make dist`: the same commit gives the same bytes, whoever builds it, where and when."""

import os
import subprocess
import sys
import tarfile
import zipfile

import pytest

import edge
from tests.support.sources import copy_sources

NAMES = [f"emotiny-{edge.__version__}-py3-none-any.whl", f"emotiny-{edge.__version__}.tar.gz"]
COMMITTED_S = 1_700_000_000
LIMIT_S = 300


def git(folder, *words):
    who = ("-c", "user.name=nobody", "-c", "user.email=nobody@localhost")
    date = {f"GIT_{role}_DATE": f"@{COMMITTED_S} +0000" for role in ("AUTHOR", "COMMITTER")}
    command = ("git", "-C", str(folder), *who, *words)
    subprocess.run(command, check=True, capture_output=True, env=os.environ | date)


def make_dist(tree, umask):
    """Returns wheel and sdist as `make dist` builds them, with this environment and its setuptools."""
    program = tree / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    program.chmod(0o755)
    # -o: these are as good as new.
    done = ("-o", ".venv/.done", "-o", "build/tools/.done")
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    made = subprocess.run(
        ["make", *done, "dist"],
        cwd=tree,
        env=environment,
        umask=umask,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    assert sorted(path.name for path in (tree / "dist").iterdir()) == NAMES
    return [tree / "dist" / name for name in NAMES]


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """Wheel and sdist of one commit, built in a folder and in a clone of it that others may not read."""
    first = copy_sources(tmp_path_factory.mktemp("first"))
    for archive in (first / "models" / "trained").glob("*.zip"):
        archive.unlink()  # 38 MB that cost time and show nothing
    git(first, "init", "--quiet")
    git(first, "add", "--all")
    git(first, "commit", "--quiet", "--message", "all")
    other = tmp_path_factory.mktemp("other") / "a longer name"
    subprocess.run(["git", "clone", "--quiet", str(first), str(other)], check=True, umask=0o077)
    # What an earlier build of another state leaves behind.
    (other / "emotiny.egg-info").mkdir()
    (other / "emotiny.egg-info" / "SOURCES.txt").write_text(".git/HEAD\n")
    for age, path in enumerate(other.rglob("*.py")):
        os.utime(path, (COMMITTED_S - age, COMMITTED_S - age))
    return make_dist(first, 0o022), make_dist(other, 0o077)


@pytest.mark.parametrize("number", range(len(NAMES)), ids=["wheel", "sdist"])
def test_two_builds_of_a_commit_are_equal(twice, number):
    one, other = (paths[number].read_bytes() for paths in twice)
    assert one == other


def test_times_and_modes_say_nothing_about_the_machine(twice):
    wheel, sdist = twice[1]
    with zipfile.ZipFile(wheel) as archive:
        assert {info.date_time for info in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}
        assert {info.external_attr >> 16 & 0o777 for info in archive.infolist()} <= {
            0o644,
            0o664,
            0o755,
        }  # RECORD is 664, always
    with tarfile.open(sdist) as archive:
        for member in archive:
            assert (member.mtime, member.uid, member.gid, member.uname) == (COMMITTED_S, 0, 0, "")
            assert member.mode in (0o644, 0o755)
