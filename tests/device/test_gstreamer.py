"""csi:// and gst:// with an OpenCV that has GStreamer, Debian's; NVIDIA's elements are replaced."""

import json
import re

import pytest

from tests.device.guest import DRAW, put, run

EMOTINY = "/opt/emotiny/bin/emotiny"
PYTHON = "/opt/emotiny/bin/python"
GSTREAMER = ("gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good")
OPENCV = ("python3-opencv", "opencv-data")
# What a source's first three pictures are.
LOOK = """
import itertools, json, sys
from edge.sources.camera import CaptureSettings
from edge.sources.factory import open_source
size = tuple(map(int, sys.argv[2].split("x"))) if sys.argv[2:] else None
with open_source(sys.argv[1], CaptureSettings(size), fast=False) as camera:
    for frame in itertools.islice((frame for frame in camera if frame), 3):
        gray = frame.gray
        print(json.dumps([gray.shape, str(gray.dtype), int(gray.max()) - int(gray.min())]))
"""
# The elements of a Jetson, and what stands in for each: a test picture, in common memory, and a scaler that,
# like NVIDIA's, makes what the caps behind it ask for.
BOARD = """
import runpy, sys
import cv2
STANDS_IN = {
    "nvarguscamerasrc sensor-id=0 ! ": "videotestsrc is-live=true ! ",
    "(memory:NVMM)": "",
    "nvvidconv ! ": "videoconvert ! videoscale ! ",
}
real = cv2.VideoCapture
def capture(pipeline, backend):
    for element, other in STANDS_IN.items():
        assert pipeline.count(element) == 1, pipeline
        pipeline = pipeline.replace(element, other)
    return real(pipeline, backend)
cv2.VideoCapture = capture
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def pip_opencv(userland, say):
    """The package in an environment that sees Debian's OpenCV, which pip's hides."""
    guest = userland("GStreamer", "bookworm", "amd64", (*OPENCV, *GSTREAMER))
    say("installing the package")
    offline = "--quiet --disable-pip-version-check --no-index --find-links /payload/wheels"
    install = f"/opt/emotiny/bin/pip install {offline} /payload/emotiny-*.whl"
    run(guest, f"python3 -m venv --system-site-packages /opt/emotiny && {install}", limit_s=300)
    for name, text in (("draw", DRAW), ("look", LOOK), ("board", BOARD)):
        put(guest, f"/usr/local/lib/{name}.py", text)
    return guest


@pytest.fixture(scope="module")
def guest(pip_opencv, note):
    """The same after what `emotiny` itself says that mends an OpenCV without GStreamer."""
    said = run(pip_opencv, f"{EMOTINY} run --source csi://0 2>&1", code=2).splitlines()[-1]
    commands = re.findall(r"`(.*?)`", said)
    # Debian's packages are there, and there is no network.
    assert commands[0] == "sudo apt install -y python3-opencv opencv-data"
    uninstall = commands[-1]
    assert uninstall.endswith("-m pip uninstall -y opencv-python opencv-python-headless")
    run(pip_opencv, uninstall)
    version = run(pip_opencv, f"{PYTHON} -c 'import cv2, numpy; print(cv2.__version__, numpy.__version__)'")
    note("Debian's OpenCV and numpy", version)
    run(pip_opencv, f"{PYTHON} /usr/local/lib/draw.py")
    return pip_opencv


@pytest.mark.parametrize("source", ["csi://0", "gst://videotestsrc"])
def test_pip_s_opencv_says_what_mends_it(pip_opencv, source):
    done = pip_opencv.do(f"{EMOTINY} run --source {source} 2>&1", 60)
    assert done.code == 2
    error = done.out.splitlines()[-1]
    assert error.startswith(f"emotiny: error: {source}: this OpenCV is built without GStreamer")


def look(guest, source, size="", board=False):
    words = ["/usr/local/lib/board.py"] if board else []
    command = " ".join([PYTHON, *words, "/usr/local/lib/look.py", f"'{source}'", size])
    lines = run(guest, f"{command} 2>/dev/null").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ("", [360, 640]),  # the sensors' shape, whatever is asked
        ("1280x720", [720, 1280]),
        ("1920x1080", [1080, 1920]),
        ("320x240", [180, 320]),
    ],
)
def test_the_pipeline_of_a_csi_camera_gives_gray_pictures(guest, size, shape):
    pictures = look(guest, "csi://0", size, board=True)
    assert [picture[:2] for picture in pictures] == [[shape, "uint8"]] * 3
    assert all(contrast > 100 for _, _, contrast in pictures)


@pytest.mark.parametrize(
    ("pipeline", "size", "shape"),
    [
        ("videotestsrc is-live=true num-buffers=90", "", [240, 320]),  # the element's own size
        ("videotestsrc is-live=true", "640x360", [360, 640]),
        ("videotestsrc ! video/x-raw,width=800,height=600,format=YUY2", "", [600, 800]),
        # An appsink of its own, with colour.
        ("videotestsrc ! video/x-raw,format=BGR,width=160,height=120 ! appsink", "", [120, 160]),
    ],
)
def test_a_pipeline_gives_gray_pictures_of_the_wanted_size(guest, pipeline, size, shape):
    pictures = look(guest, f"gst://{pipeline}", size)
    assert [picture[:2] for picture in pictures] == [[shape, "uint8"]] * 3
    assert all(contrast > 100 for _, _, contrast in pictures)


def test_faces_are_found_through_a_pipeline_with_debian_s_cascade(guest, note):
    play = "gst://filesrc location=/var/tmp/demo.avi ! avidemux ! jpegdec ! identity sync=true"
    loop = f"{EMOTINY} run --source '{play}' --max-frames 30 --output jsonl 2>/dev/null"
    frames = [json.loads(line) for line in run(guest, loop).splitlines()]
    assert len(frames) == 30
    with_face = sum(bool(frame["faces"]) for frame in frames)
    note("the demo, as a recording that a pipeline plays", f"a face in {with_face} of 30 frames")
    assert with_face > 20
    check = run(guest, f"{EMOTINY} check --source '{play}' 2>/dev/null")
    assert "ok     cascade: /usr/share/opencv4/haarcascades/haarcascade_frontalface_default.xml" in check
    (source,) = re.findall(r"^ok +source: (.*)$", check, re.MULTILINE)
    note("emotiny check", source)


@pytest.mark.parametrize(
    ("pipeline", "why"),
    [
        (
            "nosuchelement",
            "no picture within 10 s of opening; try it with gst-launch-1.0, which names an element that is "
            "missing; `--source demo` works without a camera",
        ),
        ("v4l2src device=/dev/video77", "the pipeline does not start; try it with gst-launch-1.0"),
        ("videotestsrc num-buffers=5", "every read fails at once; unplugged?"),
    ],
)
def test_a_pipeline_that_does_not_start_or_ends_is_a_camera_that_is_not_there(guest, pipeline, why):
    done = guest.do(f"{EMOTINY} run --source 'gst://{pipeline}' 2>&1 >/dev/null", 60)
    assert done.code == 1, done.out
    assert done.out.splitlines()[-1] == f"emotiny: error: gst://{pipeline}: {why}"
