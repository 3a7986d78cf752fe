"""The package of datasets as a whole."""

import subprocess
import sys
from pathlib import Path


def test_datasets_are_read_without_heavy_libraries():
    code = (
        "import sys, train.data, train.data.survey;"
        "print([name for name in ('tensorflow', 'keras', 'matplotlib', 'imgaug', 'scipy') "
        "if name in sys.modules])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
        timeout=60,
    )
    assert process.stdout.strip() == "[]"
