"""Scenes of few and many faces."""

import cv2
import pytest

from edge.bench.clip import demo_faces
from edge.bench.loops import LOOPS
from edge.bench.scenes import measure_scenes
from edge.bench.timing import StageTimer

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


def test_all_loops_have_the_scene_s_number_of_threads(settings, monkeypatch):
    threads = []

    class IdleLoop:
        def __init__(self, settings):
            threads.append((settings.models.threads, cv2.getNumThreads()))
            self.timer = StageTimer()

        def step(self, frame):
            return []

    for name in LOOPS:
        monkeypatch.setitem(LOOPS, name, IdleLoop)
    measure_scenes(settings, demo_faces(), without_progress, ((2, (320, 240), 1),))
    assert threads == [(2, 2)] * len(LOOPS)


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
