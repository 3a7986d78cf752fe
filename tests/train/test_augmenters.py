"""imgaug is imported with numpy 2, which lacks a table of it, and numpy is left as it was."""

import re
import subprocess
import sys

import pytest

pytestmark = pytest.mark.train

from tests.support.sources import ROOT  # noqa: E402

# Numpy 1 warns of nothing here, but has the table.
CODE = """
import numpy as np
vars(np).pop("sctypes", None)
from train.augmenters import iaa
assert not hasattr(np, "sctypes"), "left behind"
images = np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 8, 8, 1)
assert (iaa.Fliplr(1.0)(images=images) == images[:, :, ::-1]).all()
"""


def test_imgaug_works_without_the_table_that_numpy_2_dropped():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_one_module_imports_imgaug():
    importing = re.compile(r"^\s*(?:import|from) imgaug", re.MULTILINE)
    folders = ("edge", "train", "quantize", "tests")
    found = [
        path for name in folders for path in (ROOT / name).rglob("*.py") if importing.search(path.read_text())
    ]
    assert found == [ROOT / "train" / "augmenters.py"]
