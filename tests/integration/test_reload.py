"""Settings that are read again at SIGHUP, and networks that a start or a reload refuses."""

import importlib.util
import json
import logging
import os
import re
import signal
import sys
import time
from pathlib import Path

import cv2
import pytest

from edge.cli.main import main
from edge.cli.parser import parser
from edge.cli.run import reload_settings
from edge.errors import CameraError, ConfigError, MissingDependencyError
from edge.settings.loader import settings_of
from edge.settings.settings import Settings
from edge.system.signals import StopSignals
from tests.support.flipped import flip
from tests.support.program import LIMIT_S, finish, start


def test_settings_are_read_anew_and_bad_ones_are_not_taken(options, tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("[budget]\nmax_fps = 10\n")
    process = start("run", "--source", "demo", "--config", path, "--output", "jsonl", *options)
    assert json.loads(process.stdout.readline())["frame"] == 0
    for number, text in enumerate(("[budget]\nmax_fps = -1\n", "[models]\nthreads = 2\n"), 1):
        path.write_text(text)
        process.send_signal(signal.SIGHUP)
        until_s = time.monotonic() + LIMIT_S
        frames: list[int] = []
        # The second one begins anew, with its first frame.
        while (number == 1 and len(frames) < 15) or (number == 2 and 0 not in frames):
            frames.append(json.loads(process.stdout.readline())["frame"])
            assert time.monotonic() < until_s
        assert (0 in frames) == (number == 2)
    process.send_signal(signal.SIGTERM)
    code, _, err = finish(process)
    assert code == 0
    assert "SIGHUP: max_fps -1.0: must be 0 (no limit) to 1000" in err
    assert "keeping the old settings" in err
    assert "SIGHUP: restarting with new settings" in err
    assert len(re.findall(r"^emotiny: \d+ frames in ", err, re.M)) == 2


def many_brackets(folder):
    (folder / "bad.json").write_text("[" * 200_000)
    (folder / "bad.tflite").write_bytes(b"\x1c\0\0\0TFL3")
    return folder / "bad.json", os.environ


def flipped_bit(folder):
    """A network that ends the process that reads a face with it."""
    path = flip(Path(__file__).parents[1] / "models" / "tiny_emotion.json", 9408, folder)
    return path, os.environ


BAD = pytest.mark.parametrize(
    ("make", "said"),
    [
        (many_brackets, r"bad\.json: nested more than 32 levels deep"),
        (flipped_bit, r"tiny_emotion\.tflite: ends the interpreter \(SIG\w+\) at its first reading"),
    ],
)


@BAD
def test_a_start_with_a_bad_network_is_exit_2(options, tmp_path, make, said):
    bad, environment = make(tmp_path)
    process = start(
        "run", "--source", "demo", "--output", "jsonl", *options, "--emotion-model", bad, env=environment
    )
    code, out, err = finish(process)
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"emotiny: error: .*{said}.*\n", err)


@BAD
def test_a_reload_with_a_bad_network_goes_on_with_the_old_one(options, tmp_path, make, said):
    bad, environment = make(tmp_path)
    path = tmp_path / "config.toml"
    path.write_text("")
    flags = ("--source", "demo", "--config", path, "--output", "jsonl", *options[2:])
    process = start("run", *flags, env=environment)
    assert json.loads(process.stdout.readline())["frame"] == 0
    path.write_text(f'[models]\nemotion = "{bad}"\n')
    process.send_signal(signal.SIGHUP)
    for line in process.stderr:
        if "SIGHUP" in line:
            break
    assert re.search(rf"SIGHUP: .*{said}.*; keeping the old settings$", line)
    frames = [json.loads(process.stdout.readline())["frame"] for _ in range(30)]
    assert frames == sorted(frames) and frames[0] > 0
    process.send_signal(signal.SIGTERM)
    code, _, err = finish(process)
    assert code == 0
    assert len(re.findall(r"^emotiny: \d+ frames in ", err, re.M)) == 1


NO_GSTREAMER = pytest.mark.skipif(
    cv2.videoio_registry.hasBackend(cv2.CAP_GSTREAMER), reason="this OpenCV has GStreamer"
)
NO_PICAMERA = pytest.mark.skipif(
    importlib.util.find_spec("picamera2") is not None, reason="this machine has picamera2"
)


@pytest.fixture
def tried(options, tmp_path):
    """Tries settings, as a run does at SIGHUP whose command line has these flags."""
    path = tmp_path / "config.toml"
    path.touch()

    def try_(text, *flags):
        path.write_text("")
        arguments = parser().parse_args(["run", "--config", str(path), *options, *map(str, flags)])
        now = settings_of(arguments, {})
        path.write_text(text)
        return reload_settings(lambda: settings_of(arguments, {}), now)

    return try_


@pytest.mark.parametrize("reconnect", ["", "--reconnect"])
@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ('source = "picamera://0"', ConfigError, "picamera://0: unknown kind"),
        ('source = "picamera2://front"', ConfigError, "expected a camera's number"),
        ('source = "gst://"', ConfigError, "gst://: no pipeline"),
        ('source = "rtsp://"', ConfigError, "rtsp://: no host"),
        ('source = ""', ConfigError, "source: empty"),
        pytest.param('source = "csi://0"', MissingDependencyError, "without GStreamer", marks=NO_GSTREAMER),
        pytest.param('source = "gst://x"', MissingDependencyError, "without GStreamer", marks=NO_GSTREAMER),
        pytest.param(
            'source = "picamera2://0"', MissingDependencyError, "cannot be imported", marks=NO_PICAMERA
        ),
        ('[mqtt]\nhost = "h"\ntls = true\nca = "{cli}"', ConfigError, "mqtt certificates: "),
        ('annotate = "none/x.png"', ConfigError, "there is no folder none"),
        ('annotate = "x.gif"', ConfigError, "expected a file name ending in"),
    ],
)
def test_a_reload_refuses_what_a_run_would_end_with(tried, text, kind, said, reconnect):
    with pytest.raises(kind, match=re.escape(said)):
        tried(text.replace("{cli}", __file__), *filter(None, [reconnect]))


@pytest.mark.parametrize(
    ("name", "said"),
    [("none.mp4", "no such file"), ("/dev/video97", "no such device"), ("97", "/dev/video97: no such")],
)
def test_a_reload_refuses_a_source_that_is_not_there_unless_it_would_be_waited_for(tried, name, said):
    with pytest.raises(CameraError, match=said):
        tried(f'source = "{name}"')
    assert tried(f'source = "{name}"', "--reconnect").source == name


def test_a_reload_opens_no_source(tried, monkeypatch, clip):
    def refuse(*_, **__):
        raise AssertionError("opened")

    for name in ("factory.open_v4l2", "factory.open_demo", "factory.AutoCamera", "opencv.LiveCamera"):
        monkeypatch.setattr(f"edge.sources.{name}", refuse)
    for source in ("/dev/video0", "auto", "demo", "http://host/x", clip):
        assert tried(f'source = "{source}"', *(["--reconnect"] if "dev" in str(source) else []))


def test_a_reload_refuses_a_broker_without_paho(tried, monkeypatch):
    monkeypatch.setitem(sys.modules, "edge.output.mqtt.client", None)
    with pytest.raises(MissingDependencyError, match="pip install 'paho-mqtt"):
        tried('[mqtt]\nhost = "broker"')


def test_a_reload_may_name_another_annotation_but_not_the_one_that_is_being_written(tried, tmp_path):
    here, other, old = (tmp_path / name for name in ("here.png", "other.png", "old.png"))
    old.write_text("mine")
    with pytest.raises(ConfigError, match=r"here\.png: this run writes it; choose another name"):
        tried("", "--annotate", here)
    with pytest.raises(ConfigError, match=r"old\.png: exists"):
        tried(f'annotate = "{old}"')
    assert tried(f'annotate = "{other}"').annotate == other
    assert not other.exists()


def test_a_folder_that_may_not_be_looked_into_ends_no_run(tmp_path, caplog):
    control: StopSignals[Settings] = StopSignals()
    with control:

        def renew():
            raise PermissionError(13, "Permission denied", str(tmp_path))

        control.arm(renew)
        os.kill(os.getpid(), signal.SIGHUP)
        assert not control.is_set()
    assert f"Permission denied: '{tmp_path}'; keeping the old settings" in caplog.text


def test_a_reload_changes_threads_and_what_is_logged(options, tmp_path, monkeypatch):
    path = tmp_path / "config.toml"
    path.write_text("[detector]\nthreads = 1\n")
    found = []

    def run(pipeline, control, most):
        found.append((cv2.getNumThreads(), logging.getLogger().level))
        if len(found) == 1:
            path.write_text('log_level = "error"\n[detector]\nthreads = 2\n')
            os.kill(os.getpid(), signal.SIGHUP)
            assert control.is_set()
        return "a summary"

    monkeypatch.setattr("edge.pipeline.loop.Pipeline.run", run)
    threads = cv2.getNumThreads()
    try:
        assert main(["run", "--config", str(path), "--source", "demo", *options]) == 0
    finally:
        cv2.setNumThreads(threads)
    assert found == [(1, logging.INFO), (2, logging.ERROR)]
