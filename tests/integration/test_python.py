"""The public names of the package, their examples, and the recipes of docs/python.md as they are written."""

import csv
import doctest
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest

import edge
from tests.support.faces import FACE_BOX, picture_of
from tests.support.pictures import read_picture

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
PUBLIC = [
    *("Box", "CameraError", "Candidate", "CaptureSettings", "ConfigError", "DataError", "Detection"),
    *("DetectorSettings", "EdgeError", "Face", "FaceDetector", "FaceReader", "Frame", "GovernorSettings"),
    *("HaarDetector", "MetricsSettings", "MissingDependencyError", "ModelError", "MqttSettings"),
    *("OutputError", "Pipeline", "Reading", "Report", "SchedulerSettings", "Scores", "Settings", "Sink"),
    *("SmoothingSettings", "TrackingSettings", "draw_faces", "open", "open_source"),
]
FPS = 15
SECONDS = 4


def test_the_public_names_are_these_and_all_can_be_had():
    assert sorted(edge.__all__) == PUBLIC
    for name in edge.__all__:
        assert getattr(edge, name).__doc__, name
        assert name in dir(edge)
    with pytest.raises(AttributeError, match="has no attribute 'Camera'"):
        edge.Camera  # noqa: B018


def test_importing_the_package_imports_neither_opencv_nor_numpy():
    code = "import edge, sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "edge.version" in done.stdout.split()
    assert not {"cv2", "numpy", "paho", "edge.pipeline"} & set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    [
        "edge",
        "edge.pipeline.loop",
        "edge.types",
        "edge.detection.detector",
        "edge.detection.haar",
        "edge.inference.classifier",
    ],
)
def test_examples_of_docstrings_run(module):
    result = doctest.testmod(import_module(module), optionflags=doctest.ELLIPSIS)
    assert result.attempted > 0
    assert result.failed == 0


def recipes() -> dict[str, str]:
    """{heading: code} of the page; the block before the first heading is called by the page's title."""
    parts = re.split(r"^#+ (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    blocks = {
        title: re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        for title, text in zip(parts[1::2], parts[2::2], strict=True)
    }
    assert all(len(code) == 1 for code in blocks.values())
    return {title: code[0] for title, code in blocks.items()}


@pytest.fixture
def play(tmp_path, monkeypatch):
    """Runs a recipe in an empty folder, with a clip of a happy face in place of camera 0."""
    monkeypatch.chdir(tmp_path)
    size_wh = (640, 480)
    video = cv2.VideoWriter("clip.avi", cv2.VideoWriter.fourcc(*"MJPG"), FPS, size_wh, isColor=False)
    happy = picture_of("happy")
    for _ in range(SECONDS * FPS):
        video.write(happy)
    video.release()
    cv2.imwrite("group.jpg", happy)
    images = tmp_path / "images"
    images.mkdir()
    cv2.imwrite(str(images / "b.jpg"), np.full_like(happy, 128))
    cv2.imwrite(str(images / "a.jpg"), happy)

    def run(title):
        code = recipes()[title]
        clip = code.replace('source="0"', 'source="clip.avi", settings=edge.Settings(fast=True)')
        names: dict[str, object] = {}
        exec(compile(clip, title, "exec"), names)
        return names

    return run


def test_the_first_example_prints_each_face_of_each_frame(play, capsys):
    play("emotiny from Python")
    lines = capsys.readouterr().out.splitlines()
    assert (SECONDS - 0.5) * FPS <= len(lines) <= SECONDS * FPS  # the first frames make it sure
    assert all(re.fullmatch(r"1 happy \d+%", line) for line in lines)


def test_who_smiles_is_printed_once(play, capsys):
    play("Print who smiles")
    assert re.fullmatch(r"0\.\d s: face 1 smiles\n", capsys.readouterr().out)


def test_a_pin_goes_on_after_two_happy_seconds(play):
    from gpiozero import Device
    from gpiozero.pins.mock import MockFactory

    Device.pin_factory = MockFactory()
    try:
        lamp = play("Switch a GPIO pin when somebody is happy for two seconds")["lamp"]
        assert lamp.value == 1
        states = [state.state for state in lamp.pin.states]
        assert states == [False, True]
    finally:
        Device.pin_factory.reset()
        Device.pin_factory = None


def test_one_image_is_read(play, capsys):
    play("Read one image")
    (line,) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"Box\(.*\) happy \d+% (fe)?male", line)


def test_a_folder_is_read_into_a_table(play):
    play("Read a folder of images into a CSV file")
    with Path("faces.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["file"], row["emotion"]) == ("a.jpg", "happy")
    box = edge.Box(*(int(row[name]) for name in ("x", "y", "width", "height")))
    assert box.iou(FACE_BOX) > 0.5


def test_a_sink_of_ones_own_receives_frames(play, capsys):
    play("Write an output of your own")
    assert [path.name for path in sorted(Path().glob("*.png"))] == ["smile-1.png"]
    assert read_picture("smile-1.png").shape == (480, 640, 3)
    assert capsys.readouterr().out.startswith(f"{SECONDS * FPS} frames in ")
