"""`check` on a device on which something is wrong: it must name the command that fixes it."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from edge import __version__
from edge.diagnostics import machine
from edge.diagnostics.check import run_checks, try_metrics, try_source
from edge.errors import CameraError, MissingDependencyError, OutputError
from edge.output.prometheus.settings import MetricsSettings
from edge.output.prometheus.sink import MetricsSink
from edge.settings.settings import Settings
from edge.sources.settings import CaptureSettings
from edge.system import remedies
from tests.support.faces import FACES

LIMIT_S = 120
ROOT = Path(__file__).parents[3]
PIP = f"{sys.executable} -m pip"
NUMPY, OPENCV = remedies.wanted("numpy"), remedies.wanted("opencv-python-headless")
OPENCV_ANEW = f"&& {PIP} install --force-reinstall --no-deps {OPENCV}`"


@pytest.fixture
def check(tmp_path):
    """Runs `check` in a process of its own, with stub modules before all others.

    Returns its exit code, {name: (state, text)} of its lines, and its standard error.
    """
    stubs = tmp_path / "stubs"

    def run(*words, tree=ROOT, **modules):
        for name, text in modules.items():
            (stubs / name).mkdir(parents=True)
            (stubs / name / "__init__.py").write_text(text)
        paths = [str(stubs), str(tree), *filter(None, [os.environ.get("PYTHONPATH")])]
        done = subprocess.run(
            [sys.executable, "-m", "edge", "check", "--source", str(FACES), *map(str, words)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "HOME": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert "Traceback" not in done.stderr
        lines = re.findall(r"^(ok   |wrong)  ([\w ]+): (.*)$", done.stdout, re.M)
        assert len(lines) == len(done.stdout.splitlines())
        return done.returncode, {name: (state.strip(), text) for state, name, text in lines}, done.stderr

    return run


# If OpenCV cannot be imported, `check` ends at once with one line.


@pytest.mark.parametrize(
    ("stub", "message", "fix"),
    [
        (
            "raise ImportError('libGL.so.1: cannot open shared object file: No such file or directory')",
            "OpenCV: libGL.so.1: cannot open shared object file",
            f"`{PIP} uninstall -y opencv-python opencv-contrib-python opencv-contrib-python-headless "
            + OPENCV_ANEW,
        ),
        (
            "raise ModuleNotFoundError(\"No module named 'cv2'\")",
            "OpenCV: No module named 'cv2'",
            f"`{PIP} install {OPENCV}`",
        ),
        (
            "raise ModuleNotFoundError(\"No module named 'numpy'\")",
            "OpenCV: No module named 'numpy'",
            f"`{PIP} install {NUMPY}`",
        ),
        (
            "raise ImportError('numpy.core.multiarray failed to import')",
            "OpenCV: numpy.core.multiarray failed to import",
            f"`{PIP} install {NUMPY} {OPENCV}`",
        ),
    ],
    ids=["opencv-python", "none", "no numpy", "another numpy"],
)
def test_an_opencv_that_cannot_be_imported(check, stub, message, fix):
    code, lines, err = check(cv2=stub)
    assert (code, lines) == (2, {})
    assert err == f"emotiny: error: {message}" + err.partition(message)[2]
    assert err.endswith(f"fix: {fix}\n")


OPENCV_5 = "import cv2; del cv2.CascadeClassifier; cv2.__version__ = '5.0.0'"
NO_CASCADE = "import cv2; cv2.data.haarcascades = '/nowhere/'"
DEBIAN = "import cv2; del cv2.data"


@pytest.mark.parametrize(
    ("site", "message", "fix"),
    [
        (OPENCV_5, "OpenCV 5.0.0 has no Haar cascade, 4.10 or a later 4 is expected", OPENCV_ANEW),
        (NO_CASCADE, "no haarcascade_frontalface_default.xml in /nowhere,", OPENCV_ANEW),
        (
            DEBIAN,
            "no haarcascade_frontalface_default.xml in /usr",
            "fix: `sudo apt install -y opencv-data`",
        ),
    ],
    ids=["OpenCV 5", "a wheel", "Debian's"],
)
def test_an_opencv_without_a_cascade(check, site, message, fix):
    if site != OPENCV_5 and Path("/usr/share/opencv4/haarcascades").exists():
        pytest.skip("this system has opencv-data")
    code, lines, _ = check("--detector", "haar", sitecustomize=site)
    assert code == 2
    state, text = lines["face finder"]
    assert (state, text.startswith(message), text.endswith(fix)) == ("wrong", True, True), text
    assert lines["source"][0] == "ok"  # the other checks are run nevertheless


@pytest.mark.parametrize("content", [None, "", "<?xml version='1.0'?><opencv_storage/>"])
def test_a_file_that_is_no_cascade(check, tmp_path, content):
    path = tmp_path / "mine.xml"
    if content is not None:
        path.write_text(content)
    code, lines, _ = check("--detector", "haar", "--cascade", path)
    assert code == 2
    state, text = lines["face finder"]
    assert (state, str(path) in text) == ("wrong", True), text
    assert text.endswith("; fix: leave detector.cascade out, for OpenCV's own")


def test_no_runtime_at_all(check):
    hidden = dict.fromkeys(("ai_edge_litert", "tflite_runtime", "tensorflow"), "raise ImportError('hidden')")
    code, lines, _ = check(**hidden)
    assert code == 2
    assert lines["runtime"][0] == "wrong"
    assert f"fix: `{PIP} install 'ai-edge-litert>=2.1,<3'" in lines["runtime"][1]
    # The checks that need the runtime fail alike.
    assert lines["emotion model"] == ("wrong", lines["runtime"][1])


def test_a_user_s_own_model_that_is_damaged(check, models, tmp_path):
    for suffix in (".json", ".tflite"):
        shutil.copy(models / f"tiny_emotion{suffix}", tmp_path)
    path = tmp_path / "tiny_emotion.tflite"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    code, lines, _ = check("--emotion-model", path)
    assert code == 2
    assert "its sha256 is" in lines["emotion model"][1]
    assert lines["emotion model"][1].endswith("fix: leave models.emotion out, for the one that is installed")
    assert lines["gender model"][0] == "ok"


@pytest.mark.parametrize("git", [True, False])
def test_an_installed_model_that_is_damaged(check, tmp_path, git):
    tree = tmp_path / "it's a tree"
    shutil.copytree(ROOT / "edge", tree / "edge", ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "models").mkdir()
    for path in (*(ROOT / "models").glob("*.json"), *(ROOT / "models").glob("*.tflite")):
        shutil.copy(path, tree / "models")
    if git:
        (tree / ".git").mkdir()
    damaged = tree / "models" / "gender_sepnet_48_int8.tflite"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    code, lines, _ = check(tree=tree)
    assert code == 2
    assert lines["emotion model"][0] == "ok"
    state, text = lines["gender model"]
    assert state == "wrong"
    assert "its sha256 is" in text
    fix = f"`git -C {shlex.quote(str(tree))} checkout -- models edge`"
    assert (
        fix if git else f"`{PIP} install --force-reinstall --no-deps emotiny-{__version__}-py3-none-any.whl`"
    ) in text


# picamera2.

OTHER_NUMPY = (
    "numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, got 88"
)


def test_picamera2_built_for_another_numpy(check):
    code, lines, _ = check(picamera2=f"raise ValueError({OTHER_NUMPY!r})")
    assert code == 2
    state, text = lines["picamera2"]
    assert state == "wrong"
    assert text.startswith(f"picamera2 cannot be imported (ValueError: {OTHER_NUMPY}); fix: `")
    assert lines["runtime"][0] == "ok"


def test_picamera2_that_can_be_imported(check):
    code, lines, _ = check(
        picamera2="class Picamera2:\n    global_camera_info = lambda: [{'Model': 'imx708'}, {'Model': 'x'}]"
    )
    assert (code, lines["picamera2"]) == (0, ("ok", "finds imx708, x"))


def old_pythons():
    """Yields the interpreters before 3.10 on this machine, of the system and of pyenv."""
    places = [shutil.which(f"python3.{minor}") for minor in (8, 9)]
    places += [str(path) for path in Path.home().glob(".pyenv/versions/3.[89].*/bin/python")]
    for place in filter(None, places):
        if subprocess.run([place, "-c", ""], capture_output=True, check=False).returncode == 0:
            yield place


def test_a_python_that_is_too_old():
    found = list(old_pythons())
    if not found:
        pytest.skip("no Python 3.8 or 3.9 here")
    for python in found:
        done = subprocess.run(
            [python, "-m", "edge", "check"],
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert re.match(
            r"emotiny: error: Python 3\.[89]\.\d+ is too old, 3\.10 or later is expected; fix: ", line
        )


@pytest.mark.parametrize("rotate", [0, 90])
def test_the_source_s_reach_is_that_of_its_lens(rotate):
    settings = Settings(source="demo", fast=True, picture=CaptureSettings(rotate=rotate))
    assert "faces from 24 pixels on are read, so up to 4.2 m away with a lens of 62" in try_source(
        settings, Event()
    )
    assert "1.3 m away with a lens of 127 degrees" in try_source(
        Settings(source="demo", fast=True), Event(), 127.0
    )


def test_a_camera_that_the_service_holds(monkeypatch):
    settings = Settings(source="/dev/video97")
    with pytest.raises(CameraError) as caught:
        try_source(settings, Event())
    assert "systemctl stop" not in str(caught.value)
    monkeypatch.setattr(machine, "service_state", lambda: "active")
    with pytest.raises(CameraError) as caught:
        try_source(settings, Event())
    assert str(caught.value).endswith("while it runs, `sudo systemctl stop emotiny`")


def test_the_port_for_prometheus(monkeypatch):
    assert try_metrics(MetricsSettings()) == "no port is set; none is opened"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = MetricsSettings(taken.getsockname()[1])
    assert try_metrics(settings) == f"http://127.0.0.1:{settings.port}/metrics"
    sink = MetricsSink(settings)
    with pytest.raises(OutputError, match="another program listens there"):
        try_metrics(settings)
    monkeypatch.setattr(machine, "service_state", lambda: "active")
    assert try_metrics(settings).endswith("/metrics, which the service has")
    sink.close()
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(
        MissingDependencyError, match=r"fix: `.* -m pip install 'prometheus-client>=0\.16,<1'`"
    ):
        try_metrics(settings)


def test_no_check_is_run_after_a_stop():
    stop = Event()
    stop.set()
    assert list(run_checks(Settings(), stop)) == []


def test_an_error_of_several_lines_is_one(monkeypatch):
    def fail():
        raise OutputError("one\n  two")

    monkeypatch.setattr(machine, "packages", fail)
    results = run_checks(Settings(), Event())
    assert next(results).error is None
    result = next(results)
    assert (result.name, result.text) == ("numpy", "one two")
    assert isinstance(result.error, OutputError)


def test_every_check_is_one_line(check):
    code, lines, _ = check()
    assert code == 0
    assert list(lines) == [
        *("system", "numpy", "memory", "picamera2", "runtime", "emotion model", "gender model"),
        *("face judge", "face finder", "permissions", "source", "broker", "metrics", "service", "board"),
    ]
