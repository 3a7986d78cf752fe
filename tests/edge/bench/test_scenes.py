"""Scenes of few and many faces."""

import time

import cv2
import numpy as np
import pytest

import edge.bench.library_time
import edge.bench.scenes
from edge.bench.clip import demo_faces
from edge.bench.library_time import LibraryTime, library_time, own_share
from edge.bench.loops import LOOPS
from edge.bench.scenes import measure_scenes
from edge.bench.timing import StageTimer
from edge.inference.network import Network

# Without the men's, which are averages of more people and blurred.
CLEAR_FACES = demo_faces()[::2]


def without_progress(items, name):
    return items


def test_every_face_of_a_scene_is_followed(settings):
    cases = ((1, (320, 240), 1), (2, (640, 480), 6))
    one, six = measure_scenes(settings, CLEAR_FACES, without_progress, cases)
    assert [(scene.threads, scene.size_wh, scene.faces) for scene in (one, six)] == list(cases)
    assert (one.followed, six.followed) == (1, 6)
    assert set(one.ms) == set(LOOPS)
    assert one.frame.p50 <= one.frame.p95 <= one.frame.p99 <= one.frame.worst
    assert {"propose", "judge", "tracker", "emotion", "gender", "rest"} <= set(one.stages)
    assert 0 < one.own_share < 1


def test_a_scene_may_be_empty(settings):
    (scene,) = measure_scenes(settings, CLEAR_FACES, without_progress, ((1, (320, 240), 0),))
    assert (scene.faces, scene.followed) == (0, 0)
    assert "emotion" not in scene.stages


def test_what_the_libraries_take_is_measured_and_given_back():
    before = cv2.resize
    with library_time() as measured:
        assert not measured.library_s
        cv2.resize(np.zeros((2000, 2000), np.uint8), (700, 700))
        assert sum(measured.library_s) > 0
    assert cv2.resize is before


@pytest.mark.parametrize(
    "work",
    [
        lambda: cv2.boxFilter(np.zeros((500, 500), np.uint8), cv2.CV_32F, (5, 5)),
        lambda: Network.open(None, "proposal", size_hw=(64, 64)),
    ],
)
def test_every_function_and_an_interpreter_s_opening_belong_to_the_libraries(work):
    with library_time() as measured:
        work()
    assert sum(measured.library_s) > 0


def times(library_s, own_s):
    measured = LibraryTime()
    measured.library_s, measured.own_s = library_s, own_s
    return measured


def test_what_the_measurement_itself_takes_is_nobody_s(monkeypatch):
    monkeypatch.setattr(edge.bench.library_time, "_cost_of_timing_s", lambda: (2e-6, 1e-6))
    measured = times(library_s=[6e-6] * 1000, own_s=[4e-6] * 1000)
    assert own_share([measured]) == pytest.approx(1 - 0.005 / 0.008)


def test_what_another_process_takes_is_nobody_s(monkeypatch):
    monkeypatch.setattr(edge.bench.library_time, "_cost_of_timing_s", lambda: (0.0, 0.0))
    first = times(library_s=[6e-6, 9e-3], own_s=[4e-6, 4e-6, 2e-6])
    second = times(library_s=[6e-6, 4e-6], own_s=[4e-6, 7e-3, 2e-6])
    assert own_share([first, second]) == pytest.approx(1 - 10 / 20)


def test_what_is_done_between_frames_is_nobody_s():
    with library_time() as measured:
        for _ in range(2):
            measured.begin_frame()
            cv2.resize(np.zeros((8, 8), np.uint8), (4, 4))
            measured.end_frame()
            time.sleep(0.2)
    assert len(measured.own_s) == 4  # before and after the call of each frame
    assert 0 < min(measured.own_s) <= max(measured.own_s) < 0.2


def test_timing_a_call_takes_a_moment_of_which_a_part_is_counted():
    added_s, counted_s = edge.bench.library_time._cost_of_timing_s()
    assert 1e-8 < added_s < 1e-4
    assert abs(counted_s) < 1e-4


def test_all_loops_have_the_scene_s_number_of_threads(settings, monkeypatch):
    threads = []

    class IdleLoop:
        def __init__(self, settings, with_stages=True):
            threads.append((settings.models.threads, cv2.getNumThreads()))
            self.timer = StageTimer()

        def step(self, frame):
            return []

        def process(self, frame):
            return None

    monkeypatch.setattr(edge.bench.scenes, "EmotinyLoop", IdleLoop)
    for name in LOOPS:
        monkeypatch.setitem(LOOPS, name, IdleLoop)
    measure_scenes(settings, demo_faces(), without_progress, ((2, (320, 240), 1),))
    assert threads == [(2, 2)] * (len(LOOPS) + edge.bench.scenes._SHARE_RUNS)


def test_the_number_of_threads_is_restored(settings):
    before = cv2.getNumThreads()
    seen = []

    def failing(items, name):
        for item in items:
            yield item
            seen.append(cv2.getNumThreads())
            raise KeyboardInterrupt

    cv2.setNumThreads(2)
    try:
        with pytest.raises(KeyboardInterrupt):
            measure_scenes(settings, demo_faces(), failing, ((1, (320, 240), 1),))
        assert (seen, cv2.getNumThreads()) == ([1], 2)
    finally:
        cv2.setNumThreads(before)
