"""What a newcomer sees at first: the demo, read by the shipped networks as what it shows."""

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.sources.demo import Demo

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "edge" / "sources"


@pytest.fixture(scope="module")
def reports():
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "edge",
            "run",
            "--source=demo",
            "--fast",
            "--output=jsonl",
            "--max-frames=150",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("time_s", "faces"),
    [
        (2.0, {"female": "surprise"}),
        (4.5, {"female": "angry", "male": "happy"}),
        (7.0, {"female": "neutral"}),
    ],
)
def test_each_emotion_is_read_before_the_next_is_shown(reports, time_s, faces):
    report = min(reports, key=lambda report: abs(report["time"] - time_s))
    read = {face["gender"]["label"]: face["emotion"]["label"] for face in report["faces"]}
    assert faces.items() <= read.items()


def test_the_picture_in_the_readme_is_of_this_demo():
    """docs/usage.md has the command that makes it; whoever changes the demo makes it anew."""
    (frames,) = re.findall(r"--source demo --fast --max-frames (\d+)", (ROOT / "docs/usage.md").read_text())
    picture = cv2.imread(str(ROOT / "docs" / "demo.png"), cv2.IMREAD_GRAYSCALE)
    frame = Demo(SOURCES / "demo_faces").frame(int(frames) - 1)
    same = np.abs(picture.astype(int) - frame) <= 2
    assert same.mean() > 0.9  # the rest are boxes and labels
