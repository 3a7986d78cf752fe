"""What a newcomer sees at first: the demo, read by the shipped networks as what it shows."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


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
        (7.0, {"female": "neutral", "male": "sad"}),
    ],
)
def test_each_emotion_is_read_before_the_next_is_shown(reports, time_s, faces):
    report = min(reports, key=lambda report: abs(report["time"] - time_s))
    read = {face["gender"]["label"]: face["emotion"]["label"] for face in report["faces"]}
    assert faces.items() <= read.items()
