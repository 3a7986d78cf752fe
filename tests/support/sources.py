"""A copy of the sources as a clean checkout holds them, and what is built of it."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
_LIMIT_S = 120


def copy_sources(folder: Path) -> Path:
    """Copies them, since a build leaves folders behind.

    Args:
        folder: for the copy and for what git writes.

    Returns:
        The copy.
    """
    tree = folder / "tree"
    folder.mkdir(parents=True, exist_ok=True)
    # A repository of its own, so that an unpacked sdist, which is none, is asked in the same way.
    git = ("git", f"--git-dir={folder / 'git'}", f"--work-tree={ROOT}")
    subprocess.run([*git, "init", "--quiet"], check=True, capture_output=True)
    command = [*git, "ls-files", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        # What a build writes, and a checkout within this one.
        if name != "PKG-INFO" and not name.endswith("/"):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    return tree


def build(tree: Path, out: Path, *kinds: str) -> list[Path]:
    """Builds from a folder, without an index.

    Args:
        tree: the sources.
        out: where to, new.
        kinds: --wheel, --sdist or both.

    Returns:
        What was built, by name.
    """
    command = (sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", str(out), str(tree))
    done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(out.iterdir())
