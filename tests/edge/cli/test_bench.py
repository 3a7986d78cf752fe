"""`emotiny bench`: its arguments, its files, and how it ends."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from edge.cli.bench import run
from edge.cli.parser import parser
from edge.detection.haar import find_cascade
from edge.errors import CameraError, ConfigError, OutputError

ROOT = Path(__file__).parents[3]


def run_bench(*arguments):
    assert run(parser().parse_args(["bench", *map(str, arguments)]), None) == 0


def test_results_are_written_as_json_and_compared_with(tmp_path, capsys):
    path = tmp_path / "bench.json"
    run_bench("--frames", 20, "--runs", 1, "--size", "320x240", "--json", path)
    assert "id switches" in capsys.readouterr().out
    earlier = json.loads(path.read_text())
    assert earlier["clips"]["demo"]["c"]["score"]["recall"] > 0.6
    earlier["clips"]["demo"]["c"]["cost"]["ms"] *= 10
    path.write_text(json.dumps(earlier))
    run_bench("--frames", 20, "--runs", 1, "--size", "320x240", "--against", path)
    assert "demo (c): " in (out := capsys.readouterr().out)
    assert "faster" in out.split("demo (c): ")[1].splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("none.mp4",), CameraError, "none.mp4"),
        (("--runs", 0), ConfigError, "--runs 0: must be at least 1"),
        (("--against", "{}/none.json"), ConfigError, "none.json: cannot be read: No such file"),
        (("--against", find_cascade()), ConfigError, "no results of `bench --json`"),
        (("--json", "{}/none/x.json"), OutputError, "there is no folder"),
        (("--json", 300 * "a"), OutputError, "File name too long"),
        (("--json", 300 * "a" + "/x.json"), OutputError, "File name too long"),
        (("{}",), ConfigError, "expected a video"),
        (("a/hall.mp4", "b/hall.avi"), ConfigError, "two clips are called hall; rename"),
        (("demo", "demo"), ConfigError, "two clips are called demo; rename"),
    ],
)
def test_an_invalid_argument_is_refused(tmp_path, happy, arguments, error, message):
    cv2.imwrite(str(tmp_path / "a.png"), happy)
    with pytest.raises(error, match=re.escape(message)):
        run_bench(*(str(argument).replace("{}", str(tmp_path)) for argument in arguments))


def test_a_read_only_folder_is_refused_before_anything_is_measured(tmp_path, without_rights):
    tmp_path.chmod(0o500)
    path = tmp_path / "x.json"
    done = without_rights("-m", "edge", "bench", "--json", str(path))
    assert done.returncode == OutputError.exit_code
    assert f"cannot write {path}: the folder {tmp_path} cannot be written to" in done.stderr
    assert done.stdout == ""


def test_control_c_ends_it():
    # A shell that runs the tests in the background has its children ignore the signal.
    restore = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    words = ["bench", "--long", "10000000", "--frames", "15", "--runs", "1"]
    code = f"{restore}from edge.cli.main import main; sys.exit(main({words}))"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            # Its first line is written shortly before the loops are measured.
            assert process.stderr is not None and process.stderr.readline()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 128 + signal.SIGINT
    assert "Traceback" not in errors
