"""csi:// and gst:// with Debian's OpenCV, which has GStreamer; NVIDIA's elements are replaced."""

import json
import re

import pytest

from tests.device.guest import DRAW_DEMO, run, write_file

EMOTINY = "/opt/emotiny/bin/emotiny"
PYTHON = "/opt/emotiny/bin/python"
GSTREAMER = ("gstreamer1.0-plugins-base", "gstreamer1.0-plugins-good")
OPENCV = ("python3-opencv", "opencv-data")
# Prints shape, type and contrast of a source's first three frames.
READ_FRAMES = """
import itertools, json, sys
from edge.sources.settings import CaptureSettings
from edge.sources.factory import open_source
size = tuple(map(int, sys.argv[2].split("x"))) if sys.argv[2:] else None
with open_source(sys.argv[1], CaptureSettings(size), fast=False) as camera:
    for frame in itertools.islice((frame for frame in camera if frame), 3):
        gray = frame.gray
        print(json.dumps([gray.shape, str(gray.dtype), int(gray.max()) - int(gray.min())]))
"""
# Runs a script with other elements instead of those of a Jetson: a test pattern in ordinary memory, and a
# scaler that produces what the caps after it ask for, as NVIDIA's does.
AS_JETSON = """
import runpy, sys
import cv2
REPLACEMENTS = {
    "nvarguscamerasrc sensor-id=0 ! ": "videotestsrc is-live=true ! ",
    "(memory:NVMM)": "",
    "nvvidconv ! ": "videoconvert ! videoscale ! ",
}
real = cv2.VideoCapture
def capture(pipeline, backend):
    for element, replacement in REPLACEMENTS.items():
        assert pipeline.count(element) == 1, pipeline
        pipeline = pipeline.replace(element, replacement)
    return real(pipeline, backend)
cv2.VideoCapture = capture
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def pip_opencv(userland, announce):
    """The package in an environment where Debian's OpenCV is installed too, but pip's hides it."""
    guest = userland("bookworm", "amd64", (*OPENCV, *GSTREAMER))
    announce("installing the package")
    offline = "--quiet --disable-pip-version-check --no-index --find-links /payload/wheels"
    install = f"/opt/emotiny/bin/pip install {offline} /payload/emotiny-*.whl"
    run(guest, f"python3 -m venv --system-site-packages /opt/emotiny && {install}", limit_s=300)
    for name, text in (("draw", DRAW_DEMO), ("read_frames", READ_FRAMES), ("as_jetson", AS_JETSON)):
        write_file(guest, f"/usr/local/lib/{name}.py", text)
    return guest


@pytest.fixture(scope="module")
def guest(pip_opencv, record):
    """The same after the fix that `emotiny` names for an OpenCV without GStreamer."""
    error = run(pip_opencv, f"{EMOTINY} run --source csi://0 2>&1", code=2).splitlines()[-1]
    commands = re.findall(r"`(.*?)`", error)
    # Debian's packages are installed already, and there is no network to install them from.
    assert commands[0] == "sudo apt install -y python3-opencv opencv-data"
    uninstall = commands[-1]
    assert uninstall.endswith("-m pip uninstall -y opencv-python opencv-python-headless")
    run(pip_opencv, uninstall)
    version = run(pip_opencv, f"{PYTHON} -c 'import cv2, numpy; print(cv2.__version__, numpy.__version__)'")
    record("Debian's OpenCV and numpy", version)
    run(pip_opencv, f"{PYTHON} /usr/local/lib/draw.py /var/tmp/demo.avi 90")
    return pip_opencv


@pytest.mark.parametrize("source", ["csi://0", "gst://videotestsrc"])
def test_an_error_names_the_fix_for_pip_s_opencv(pip_opencv, source):
    done = pip_opencv.execute(f"{EMOTINY} run --source {source} 2>&1", 60)
    assert done.code == 2
    error = done.out.splitlines()[-1]
    assert error.startswith(f"emotiny: error: {source}: this OpenCV is built without GStreamer")


def read_frames(guest, source, size="", as_jetson=False):
    """Returns [shape, type, contrast] of a source's first three frames."""
    wrapper = ["/usr/local/lib/as_jetson.py"] if as_jetson else []
    command = " ".join([PYTHON, *wrapper, "/usr/local/lib/read_frames.py", f"'{source}'", size])
    lines = run(guest, f"{command} 2>/dev/null").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ("", [360, 640]),  # in the proportions of the sensors, whatever is asked for
        ("1280x720", [720, 1280]),
        ("1920x1080", [1080, 1920]),
        ("320x240", [180, 320]),
    ],
)
def test_the_pipeline_of_a_csi_camera_delivers_gray_frames(guest, size, shape):
    frames = read_frames(guest, "csi://0", size, as_jetson=True)
    assert [frame[:2] for frame in frames] == [[shape, "uint8"]] * 3
    assert all(contrast > 100 for _, _, contrast in frames)


@pytest.mark.parametrize(
    ("pipeline", "size", "shape"),
    [
        ("videotestsrc is-live=true num-buffers=90", "", [240, 320]),  # the element's own size
        ("videotestsrc is-live=true", "640x360", [360, 640]),
        ("videotestsrc ! video/x-raw,width=800,height=600,format=YUY2", "", [600, 800]),
        # With an appsink of its own, in colour.
        ("videotestsrc ! video/x-raw,format=BGR,width=160,height=120 ! appsink", "", [120, 160]),
    ],
)
def test_a_pipeline_delivers_gray_frames_of_the_wanted_size(guest, pipeline, size, shape):
    frames = read_frames(guest, f"gst://{pipeline}", size)
    assert [frame[:2] for frame in frames] == [[shape, "uint8"]] * 3
    assert all(contrast > 100 for _, _, contrast in frames)


@pytest.mark.parametrize(
    ("detector", "finder"),
    [("network", "proposal_sepnet_"), ("haar", "/usr/share/opencv4/haarcascades/haarcascade_frontalface_")],
)
def test_faces_are_found_through_a_pipeline(guest, record, detector, finder):
    """By the networks, and by Debian's cascade."""
    source = "gst://filesrc location=/var/tmp/demo.avi ! avidemux ! jpegdec ! identity sync=true"
    options = f"--source '{source}' --detector {detector}"
    loop = f"{EMOTINY} run {options} --max-frames 60 --output jsonl 2>/dev/null"
    frames = [json.loads(line) for line in run(guest, loop).splitlines()]
    assert len(frames) == 60
    with_face = sum(bool(frame["faces"]) for frame in frames)
    record(
        f"the demo, as a recording that a pipeline plays, {detector}", f"a face in {with_face} of 60 frames"
    )
    # The cascade is asked rarely: it takes 13 frames to see the first face often enough.
    assert with_face > 40
    check = run(guest, f"{EMOTINY} check {options} 2>/dev/null")
    assert f"ok     face finder: {finder}" in check
    (description,) = re.findall(r"^ok +source: (.*)$", check, re.MULTILINE)
    record("emotiny check", description)


@pytest.mark.parametrize(
    ("pipeline", "reason"),
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
def test_a_pipeline_that_does_not_start_or_ends_is_a_missing_camera(guest, pipeline, reason):
    done = guest.execute(f"{EMOTINY} run --source 'gst://{pipeline}' 2>&1 >/dev/null", 60)
    assert done.code == 1, done.out
    assert done.out.splitlines()[-1] == f"emotiny: error: gst://{pipeline}: {reason}"
