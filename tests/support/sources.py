"""Copies the sources as a clean checkout holds them, and builds distributions from the copy."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_LIMIT_S = 120


def copy_sources(folder: Path) -> Path:
    """Copies the sources, because a build leaves folders behind.

    Args:
        folder: Folder for the copy and for the files of git.

    Returns:
        The folder of the copy.
    """
    tree = folder / "tree"
    folder.mkdir(parents=True, exist_ok=True)
    # A repository of its own, because the tests also run in an unpacked sdist, which is no repository.
    git = ("git", f"--git-dir={folder / 'git'}", f"--work-tree={ROOT}")
    subprocess.run([*git, "init", "--quiet"], check=True, capture_output=True)
    command = [*git, "ls-files", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        # Without a build's own file, and without a checkout inside of this one.
        if name != "PKG-INFO" and not name.endswith("/"):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    return tree


def build(tree: Path, out: Path, *kinds: str) -> list[Path]:
    """Builds distributions without a package index.

    Args:
        tree: Folder of the sources.
        out: Folder to create for the distributions.
        *kinds: --wheel, --sdist or both.

    Returns:
        The distributions, sorted by name.
    """
    command = (sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", str(out), str(tree))
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(out.iterdir())
