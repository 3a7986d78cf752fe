"""How long a training still takes, from what was measured and what is left to compute."""

from dataclasses import replace

import pytest

pytestmark = pytest.mark.train

from train.recipes.named import classifier_named  # noqa: E402
from train.recipes.registry import RECIPES  # noqa: E402
from train.runs.outlook import Outlook, work_of  # noqa: E402


@pytest.fixture
def now():
    return [0.0]


def test_nothing_is_known_before_something_was_measured(now):
    outlook = Outlook([10.0, 30.0], [10.0, 30.0], lambda: now[0])
    assert outlook(None, 0.0) is None


def test_later_stages_take_as_long_for_their_work_as_the_present_one(now):
    outlook = Outlook([10.0, 30.0], [10.0, 30.0], lambda: now[0])
    assert outlook(100.0, 0.25) == pytest.approx(75 + 300)


def test_the_pace_of_stages_before_counts_too(now):
    outlook = Outlook([10.0, 10.0, 20.0], [10.0, 10.0, 20.0], lambda: now[0])
    now[0] = 50.0
    outlook.begin(1)
    assert outlook(None, 0.0) == pytest.approx(30 * 5)
    # 50 s and 150 s for 20 units of work.
    assert outlook(150.0, 0.5) == pytest.approx(75 + 20 * 10)


def test_finished_stages_take_no_time(now):
    outlook = Outlook([10.0, 30.0, 10.0], [10.0, 0.0, 5.0], lambda: now[0])
    assert outlook(100.0, 0.0) == pytest.approx(100 + 50)


def test_a_single_stage_needs_no_estimate_of_work(now):
    assert Outlook([1.0], [1.0], lambda: now[0])(100.0, 0.9) == pytest.approx(10)


def test_work_grows_with_epochs_and_includes_what_teachers_answer():
    gender = classifier_named("gender")
    assert work_of(replace(gender, epochs=96)) > 1.5 * work_of(gender)
    assert work_of(gender) > work_of(replace(gender, teachers=(), teaching=0.0))
    assert work_of(RECIPES["refinement"]) > work_of(RECIPES["refinement-first"]) > 0
