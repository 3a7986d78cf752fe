"""The bench: what it takes for true, what it counts, and its command."""

import argparse
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from edge.bench.accuracy import Observation, exhaustive_detections, score, true_faces
from edge.bench.clip import compose, demo_faces, read_clip
from edge.bench.loops import LOOPS, EmotinyLoop
from edge.bench.measure import measure, play
from edge.bench.scenes import measure_scenes
from edge.bench.soak import soak
from edge.bench.timing import StageTimer
from edge.cli.parser import parser
from edge.detection.haar import find_cascade
from edge.errors import CameraError, ConfigError, OutputError
from edge.settings.settings import Settings
from edge.sources.camera import CaptureSettings
from edge.types import UNCERTAIN, Box

TIMES = tuple(number / 12 for number in range(24))
FACE = Box(100, 100, 80, 80)


def quietly(items, name):
    return items


@pytest.fixture(scope="module")
def settings(models):
    return Settings(
        emotion_model=models / "tiny_emotion.json", gender_model=models / "tiny_gender.json", detect_threads=1
    )


def moved(box, x):
    return Box(box.x + x, box.y, box.width, box.height)


def test_what_is_found_again_and_again_is_a_face_and_a_flash_is_none():
    found = [[moved(FACE, 4 * number)] if number % 3 else [] for number in range(24)]
    found[7].append(Box(400, 50, 60, 60))
    (face,) = true_faces(found, TIMES)
    assert sorted(face.found) == [number for number in range(24) if number % 3]
    assert face.boxes[6] == moved(FACE, 24)  # between its neighbours
    assert 0 not in face.boxes


def test_of_two_faces_in_one_place_the_shorter_lived_is_none():
    found = [[FACE, *([Box(100, 140, 80, 80)] if number > 11 else [])] for number in range(24)]
    (face,) = true_faces(found, TIMES)
    assert set(face.found.values()) == {FACE}


def seen(*said):
    return [[Observation(FACE, *each)] if each else [] for each in said]


def test_a_score_counts_what_it_says_it_counts():
    times = TIMES[:5]
    chains = true_faces([[FACE]] * 5, times)
    reference = seen(*[(0, "happy", "male")] * 5)
    loop = seen(
        (1, UNCERTAIN, "male"), (1, "happy", "male"), None, (2, UNCERTAIN, "male"), (2, "sad", "male")
    )
    loop[4].append(Observation(Box(300, 300, 50, 50), 3, "fear", "female"))
    found = score(chains, reference, loop, times)
    assert (found.recall, found.precision, found.faces) == (4 / 5, 4 / 5, 5)
    assert found.id_switches == 1
    assert found.label_changes == pytest.approx(1 / (4 / 12))  # happy to sad; uncertain is no label
    assert found.uncertain == 2 / 8


def test_a_thorough_search_finds_every_composed_face_and_one_that_the_edge_cuts(happy, face_box):
    clip, boxes = compose(demo_faces(), 6, (640, 480), 0.1)
    found = exhaustive_detections(clip.frames[0])
    assert all(max(box.iou(each) for each in found) > 0.5 for box in boxes[0])
    cut = np.ascontiguousarray(happy[:, face_box.x + face_box.width // 6 :])
    assert any(box.x == 0 and box.iou(Box(0, 120, 200, 240)) > 0.5 for box in exhaustive_detections(cut))


class Hash:
    """Something with a method that takes a moment."""

    def digest(self):
        return hashlib.sha256(bytes(1 << 20)).digest()


def test_a_timer_adds_up_what_a_frame_had():
    timer, subject = StageTimer(), Hash()
    timer.instrument(subject, digest="hash")
    for calls in (2, 0, 1):
        for _ in range(calls):
            assert subject.digest() == Hash().digest()
        timer.next_frame()
    assert [set(frame) for frame in timer.frames] == [{"hash"}, set(), {"hash"}]
    assert timer.frames[0]["hash"] > 0


def test_all_loops_see_the_demo(settings):
    clip = read_clip("demo", CaptureSettings(), 30)
    outcomes = measure(clip, settings, runs=1)
    assert list(outcomes) == ["a", "b", "c"]
    for outcome in outcomes.values():
        assert outcome.score.faces >= 25
        assert outcome.score.recall > 0.95
        assert outcome.score.precision > 0.95
        stages = outcome.cost.stages
        assert {"detect", "emotion", "gender", "rest"} <= set(stages)
        assert sum(stage.share for stage in stages.values()) == pytest.approx(1)
    assert outcomes["a"].score.recall == 1
    assert outcomes["c"].score.id_switches == 0


def test_composed_faces_are_followed_however_many(settings):
    cases = ((1, (320, 240), 1), (1, (640, 480), 6))
    one, six = measure_scenes(settings, demo_faces(), quietly, cases)
    assert (one.followed, six.followed) == (1, 6)
    assert set(one.ms) == set(LOOPS)


def test_the_loop_does_not_grow(settings):
    clip = read_clip("demo", CaptureSettings(), 40)
    samples = soak(clip, settings, 1200, quietly)
    assert samples[-1].frames == 1200
    middle, end = samples[9], samples[-1]
    # Memory is paged in by and by; blocks of Python tell of a queue at once.
    assert end.resident_mb < middle.resident_mb + 5
    assert end.blocks < middle.blocks + 300
    assert end.people <= 3


def test_its_loop_is_the_loop_that_runs(settings):
    clip, boxes = compose(demo_faces(), 2, (640, 480), 2)
    run = play(EmotinyLoop(settings), clip)
    assert {face.id for faces in run.seen for face in faces} == {1, 2}
    assert all(max(face.box.iou(box) for box in boxes[-1]) > 0.5 for face in run.seen[-1])


def options(*arguments):
    return parser().parse_args(["bench", *map(str, arguments)])


def test_results_go_into_json_and_are_compared_with_it(tmp_path, capsys):
    from edge.cli.bench import bench

    path = tmp_path / "bench.json"
    bench(options("--frames", 20, "--runs", 1, "--size", "320x240", "--json", path))
    first = capsys.readouterr().out
    assert "id switches" in first
    earlier = json.loads(path.read_text())
    assert earlier["clips"]["demo"]["c"]["score"]["recall"] > 0.9
    earlier["clips"]["demo"]["c"]["cost"]["ms"] *= 10
    path.write_text(json.dumps(earlier))
    bench(options("--frames", 20, "--runs", 1, "--size", "320x240", "--against", path))
    assert "demo (c): " in (out := capsys.readouterr().out)
    assert "faster" in out.split("demo (c): ")[1].splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("none.mp4",), CameraError, "none.mp4"),
        (("--runs", 0), ConfigError, "--runs 0: must be at least 1"),
        (("--against", "{}/none.json"), ConfigError, "none.json: cannot be read: No such file"),
        (("--against", find_cascade()), ConfigError, "no results of `bench --json`"),
        (("--json", "{}/none/x.json"), OutputError, "there is no folder"),
        (("{}",), ConfigError, "expected a video"),
        (("a/hall.mp4", "b/hall.avi"), ConfigError, "two clips are called hall; rename"),
        (("demo", "demo"), ConfigError, "two clips are called demo; rename"),
    ],
)
def test_what_cannot_be_is_one_line(tmp_path, happy, arguments, error, said):
    import cv2

    from edge.cli.bench import bench

    cv2.imwrite(str(tmp_path / "a.png"), happy)
    with pytest.raises(error, match=said.replace("(", r"\(")):
        bench(options(*(str(each).replace("{}", str(tmp_path)) for each in arguments)))


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"version": 2}', '{"version": 1}', '{"version": 1, "clips": {"demo": {}}, "footprints": {}}'],
)
def test_damaged_earlier_results_are_refused_before_anything_is_measured(tmp_path, text):
    from edge.cli.bench import bench

    path = tmp_path / "earlier.json"
    path.write_text(text)
    said = "results of version 2; expected 1" if "2" in text else "no results of"
    with pytest.raises(ConfigError, match=rf"earlier\.json: {said}"):
        bench(options("--against", path))


def test_a_folder_that_may_not_be_written_to_is_said_before_anything_is_measured(tmp_path, without_rights):
    tmp_path.chmod(0o500)
    path = tmp_path / "x.json"
    done = without_rights("-m", "edge", "bench", "--json", str(path))
    assert done.returncode == 4
    assert f"cannot write {path}: the folder {tmp_path} cannot be written to" in done.stderr


def test_results_that_cannot_be_written_leave_those_that_were_there(tmp_path, monkeypatch):
    from edge.cli.bench import _write

    path = tmp_path / "bench.json"
    _write(path, "old")
    write_text = Path.write_text

    def full(self, text):
        write_text(self, text[:2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match=r"bench\.json: No space left on device"):
        _write(path, "new results")
    assert [each.name for each in tmp_path.iterdir()] == ["bench.json"]
    assert path.read_text() == "old"


def test_results_may_go_where_there_is_no_file(tmp_path):
    from edge.cli.bench import _write

    (tmp_path / "link").symlink_to("target")
    _write(tmp_path / "link", "results")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "results"
    _write(Path(os.devnull), "results")
    assert Path(os.devnull).is_char_device()


def test_its_options_are_the_command_s():
    assert isinstance(options("--scenes"), argparse.Namespace)
