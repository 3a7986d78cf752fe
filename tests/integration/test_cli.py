import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import cv2
import jsonschema
import pytest

import edge
from edge.cli.main import main
from edge.output.jsonl import SCHEMA_PATH
from edge.system import remedies
from tests.support.program import LIMIT_S, finish, start
from tests.support.runtimes import TFLITE

FULL = Path("/dev/full")
FRAMES = 20  # of the clip


def test_a_video_becomes_a_line_per_frame_and_a_summary(clip, options, tmp_path):
    seen = tmp_path / "seen.mp4"
    code, out, err = finish(
        start("run", "--source", clip, "--fast", "--output", "jsonl", "--annotate", seen, *options)
    )
    assert code == 0
    lines = [json.loads(line) for line in out.splitlines()]
    schema = json.loads(SCHEMA_PATH.read_text())
    for line in lines:
        jsonschema.validate(line, schema, jsonschema.Draft202012Validator)
    assert [line["frame"] for line in lines] == list(range(FRAMES))
    assert [line["time"] for line in lines] == [number / 10 for number in range(FRAMES)]
    ids = [[face["id"] for face in line["faces"]] for line in lines]
    first = ids.index([1])
    assert ids == [*[[]] * first, *[[1]] * (FRAMES - first)]
    assert 2 <= first <= 10  # sure within a second
    summary = rf"^emotiny: 20 frames in .* a face in {FRAMES - first} of them; identities: 1; emotion: \w+ \d"
    assert re.search(summary, err, re.M)
    video = cv2.VideoCapture(str(seen))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == FRAMES
    video.release()


def test_the_console_is_for_people(clip, options):
    code, out, _ = finish(start("run", "--source", clip, "--fast", *options))
    assert code == 0
    assert re.search(
        r"FPS processed, .* captured, 0 dropped  \|  #1 \w+ \d+%, apparent gender \w+ \d+%$", out, re.M
    )


def test_without_output_only_the_summary_is_written(clip, options, tmp_path):
    seen = tmp_path / "seen.png"
    code, out, err = finish(
        start("run", "--source", clip, "--fast", "--output", "none", "--annotate", seen, *options)
    )
    assert (code, out) == (0, "")
    assert re.search(rf"^emotiny: {FRAMES} frames in ", err, re.M)
    assert seen.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(options, number):
    process = start("run", "--source", "demo", "--output", "jsonl", *options)
    first = json.loads(process.stdout.readline())
    process.send_signal(number)
    signalled_s = time.monotonic()
    code, out, err = finish(process)
    # It takes well under a second; the rest is for a machine that does something else besides.
    assert time.monotonic() - signalled_s < 10
    assert code == 0
    assert [json.loads(line)["frame"] for line in out.splitlines()][:1] in ([], [first["frame"] + 1])
    assert re.search(r"^emotiny: \d+ frames in ", err, re.M)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_a_signal_ends_forget_while_it_waits_for_a_broker(number, code):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = start(
            *("forget", "--mqtt-device", "x", "--mqtt-host", "127.0.0.1"),
            *("--mqtt-port", silent.getsockname()[1]),
            # What a shell starts behind itself is deaf to Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        connection, _ = silent.accept()
        with connection:
            connection.recv(64)
            process.send_signal(number)
            signalled_s = time.monotonic()
            process.communicate(timeout=LIMIT_S)
    assert process.returncode == code
    assert time.monotonic() - signalled_s < 5  # the broker has ten seconds to answer


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["schema"], "edge.cli.schema.write_text"),
        (["config"], "edge.cli.config.write_text"),
        (["cameras"], "edge.cli.cameras.find_cameras"),
    ],
)
def test_signals_do_what_they_always_do_to_what_never_asks_for_them(words, where, monkeypatch):
    found = []

    def look(*_):
        found.append(signal.getsignal(signal.SIGTERM))
        return ()

    monkeypatch.setattr(where, look)
    main(words)
    assert found == [signal.SIG_DFL]


@pytest.mark.skipif(any(Path("/dev").glob("video*")), reason="this machine has a camera")
def test_a_service_without_a_camera_waits_and_reports_nobody(options):
    """The demo's faces are nobody's, and Home Assistant would take them for somebody."""
    process = start("run", "--reconnect", "--output", "jsonl", *options)
    for line in process.stderr:
        if "no camera answers" in line:
            break
    why = "is one connected? `emotiny cameras` says where to look"
    assert line.endswith(f"auto: no camera answers; {why}; trying again\n")
    process.send_signal(signal.SIGTERM)
    code, out, err = finish(process)
    assert (code, out) == (0, "")
    assert "emotiny: 0 frames" in err


@pytest.mark.parametrize("output", ["jsonl", "console"])
def test_a_reader_that_leaves_ends_it_quietly(options, output):
    process = start("run", "--source", "demo", "--fast", "--output", output, *options)
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    code, _, err = finish(process)
    assert code == 0
    assert "emotiny" not in err


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", ["run", "schema"])
def test_a_full_disk_is_exit_4(clip, options, command):
    more = ["--source", str(clip), "--fast", "--output", "jsonl", *options] if command == "run" else []
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edge", command, *more],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1] == "emotiny: error: cannot write to <stdout>: No space left on device"


def test_check_says_what_was_found(options, capsys):
    assert main(["check", "--source", "demo", *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok     system: Python 3.")
    assert lines[1].startswith("ok     numpy: numpy ")
    assert "ok     emotion model: tiny_emotion, 263 parameters" in lines
    assert "ok     gender model: tiny_gender, 178 parameters" in lines
    assert any(re.fullmatch(r"ok     face judge: \w+, \d+ parameters", line) for line in lines)
    assert any(re.fullmatch(r"ok     face finder: \w+, \d+ parameters", line) for line in lines)
    assert any(
        re.match(r"ok     source: demo, 640x480, 1\d\.\d pictures a second; faces from 24 pix", line)
        for line in lines
    )
    assert "ok     broker: none is set; nothing is sent" in lines


def test_check_goes_on_after_what_is_wrong(options, capsys):
    arguments = [
        *("--source", "/dev/video99", "--detector", "haar", "--cascade", "none.xml"),
        *("--mqtt-host", "127.0.0.1", "--mqtt-port", "9"),
    ]
    assert main(["check", *arguments, *options]) == 2  # of the first
    lines = capsys.readouterr().out.splitlines()
    wrong = {line[7:].partition(":")[0]: line for line in lines if line.startswith("wrong")}
    assert set(wrong) == {"face finder", "source", "broker"}
    assert (
        "127.0.0.1:9: cannot be reached (Connection refused); is it running, is mqtt.port" in wrong["broker"]
    )
    assert lines[-1].startswith("ok     board: ")


def test_schema_is_printed(capsys):
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(SCHEMA_PATH.read_text())


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"emotiny {edge.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["fly"],
            2,
            "unknown command 'fly'; commands are run, check, config, forget, cameras, aim, bench, report",
        ),
        (["rnu"], 2, "unknown command 'rnu'; did you mean 'run'?"),
        (["run", "--sorce", "0"], 2, "unrecognized arguments: --sorce 0; did you mean '--source'?"),
        (["run", "--mqtt-host", "mqtt://hub:1883"], 2, "try --mqtt-host hub --mqtt-port 1883"),
        (["run", "--colour"], 2, "unrecognized arguments: --colour"),
        (["run", "--max", "3"], 2, "unrecognized arguments: --max 3"),
        (["run", "--size", "640"], 2, "argument --size: '640': expected WIDTHxHEIGHT"),
        (["run", "--size", "1x1"], 2, "picture size 1x1: each side must be 16 to 8192"),
        (["run", "--rotate", "45"], 2, "argument --rotate: '45': expected one of 0, 90, 180, 270"),
        (["run", "--max-frames", "0"], 2, "--max-frames 0: must be at least 1"),
        (["run", "--max-frames", "x"], 2, "argument --max-frames: 'x': expected a whole number"),
        (["run", "--threads", "0"], 2, "--threads 0: must be 1 to 64"),
        (["run", "--min-face", "9"], 2, "detector smallest face 9: must be 16 to 1000"),
        (["run", "--detector", "eyes"], 2, "argument --detector: 'eyes': expected one of network, haar"),
        (["run", "--output", "xml"], 2, "argument --output: 'xml': expected one of console, jsonl, none"),
        (["run", "--annotate", "out.gif"], 2, "annotation out.gif: expected a file name ending in"),
        (
            ["run", "--detector", "haar", "--cascade", "none.xml"],
            2,
            "cascade none.xml: cannot be read: No such",
        ),
        (["run", "--proposal-model", "none.tflite"], 2, "cannot read none.tflite: No such file or directory"),
        (["run", "--refinement-model", "none.json"], 2, "cannot read none.json: No such file or directory"),
        (["run", "--emotion-model", "none.tflite"], 2, "cannot read none.tflite: No such file or directory"),
        (["run", "--source", "none.mp4"], 1, "none.mp4"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(arguments, code, message, options, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    models = options if arguments[:1] == ["run"] else []
    assert main([*arguments[:1], *models, *arguments[1:]]) == code
    out, err = capsys.readouterr()
    line = err.splitlines()[-1]
    assert line.startswith("emotiny: error: ")
    assert message in line
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_annotation_is_refused_before_anything_starts(clip, options, tmp_path, capsys):
    (tmp_path / "old.png").write_text("mine")
    arguments = ["--source", str(clip), "--output", "jsonl", "--annotate", str(tmp_path / "old.png")]
    assert main(["run", *arguments, *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "exists; remove it or choose another name" in err
    assert (tmp_path / "old.png").read_text() == "mine"


def test_an_opencv_that_cannot_be_imported_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert main(["run"]) == 2
    assert remedies.wanted("opencv-python-headless") in capsys.readouterr().err


@pytest.mark.parametrize("runtime", ["", TFLITE])
def test_nothing_of_the_desktop_is_imported_on_a_device(clip, options, runtime):
    code = (
        "import sys; from edge.cli.main import main; code = main(sys.argv[1:]); "
        "heavy = {'tensorflow', 'keras', 'imgaug', 'matplotlib', 'pandas', 'train', 'quantize'}; "
        "print(code, sorted(heavy & sys.modules.keys()), file=sys.stderr)"
    )
    arguments = ["run", "--source", str(clip), "--fast", "--max-frames", "3", *options]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env=os.environ | {"EMOTINY_RUNTIME": runtime},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.stderr.splitlines()[-1] == "0 []", done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_closed_standard_stream_is_none_of_its_business(closed, tmp_path):
    """As of a program that is started by another one which needs no output."""
    seen = tmp_path / "seen.png"
    command = f"{sys.executable} -m edge run --source demo --fast --max-frames 3 --annotate {seen} {closed}"
    done = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert cv2.imread(str(seen)) is not None
