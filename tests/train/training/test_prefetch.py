"""Images that another process prepares: those of each epoch's seed, from any epoch on."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.train

from train.augment import epoch_crops, even, plain_images, spoil  # noqa: E402
from train.spoiling import Spoiling  # noqa: E402
from train.training.prefetch import prefetched_epochs  # noqa: E402


def test_each_epoch_has_the_images_of_its_own_seed(toy, toy_recipe):
    training = toy.part("train").take(np.arange(20))
    recipe = replace(toy_recipe, seed=3)
    with prefetched_epochs(training, recipe, 2) as epochs:
        images = dict(epochs)
    assert sorted(images) == [2, 3]
    for epoch in (2, 3):
        expected = epoch_crops(training, recipe.crop, recipe.augmentation, 300_009 + epoch)
        np.testing.assert_array_equal(images[epoch], even(expected))
        assert (images[epoch] != plain_images(training, recipe.crop)).any()


def test_images_are_spoiled_before_they_are_evened(toy, toy_recipe):
    training = toy.part("train").take(np.arange(20))
    recipe = replace(toy_recipe, augmentation=None, spoiling=Spoiling(share=1.0))
    with prefetched_epochs(training, recipe, 3) as epochs:
        ((_, images),) = epochs
    seed = 100_003 * recipe.seed + 3
    np.testing.assert_array_equal(images, even(spoil(training.images, recipe.spoiling, seed)))


def test_the_process_ends_with_a_parent_that_is_killed():
    code = """
import multiprocessing, time
import tests.support.train_fixtures as fixtures
from train.training.prefetch import prefetched_epochs

if __name__ == "__main__":
    toy, recipe = (f.__wrapped__() for f in (fixtures.toy, fixtures.toy_recipe))
    with prefetched_epochs(toy, recipe, 0) as epochs:
        next(epochs)
        print(multiprocessing.active_children()[0].pid, flush=True)
        time.sleep(60)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    )
    try:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.communicate()
    deadline = time.monotonic() + 30
    while _is_running(child):
        assert time.monotonic() < deadline, "the process outlives its parent"
        time.sleep(0.05)


@pytest.mark.parametrize(("tasks", "to_all"), [([0.0], True), ([0.0, 300.0], True), ([0.0, 300.0], False)])
def test_an_interruption_ends_the_process_at_once_and_without_a_word_of_its_own(tasks, to_all):
    """Idle or busy; a terminal sends the signal to all processes, `kill` to one."""
    code = f"""
import signal, time
from train.training.prefetch import prefetched

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a test runner in the background ignores it
    try:
        with prefetched(time.sleep, {tasks}) as results:
            next(results)
            time.sleep(0.5)
            print("ready", flush=True)
            time.sleep(300)
    except KeyboardInterrupt:
        print("stopped", flush=True)
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        start_new_session=True,
    )
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        (os.killpg if to_all else os.kill)(parent.pid, signal.SIGINT)
        assert parent.communicate(timeout=120) == ("stopped\n", "")
    finally:
        parent.kill()
        parent.communicate()


def _is_running(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
