"""Plans that cannot be carried out are refused."""

import pytest

from edge.errors import ConfigError

pytestmark = pytest.mark.train

from tests.support.pruning import small_plan  # noqa: E402


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"criterion": "hope"}, "no criterion 'hope'; expected taylor, magnitude, random"),
        ({"share": 0.0}, "expected a number above 0 and below 1"),
        ({"share": 1.0}, "expected a number above 0 and below 1"),
        ({"tuning": 0}, "^tuning 0, expected at least 1$"),
        ({"multiple": 0}, "^multiple 0, expected at least 1$"),
        ({"rate": -2e-3}, "a learning rate of -0.002; expected a number above 0"),
        ({"rate": 0}, "a learning rate of 0;"),
        ({"rate": float("nan")}, "a learning rate of nan;"),
        ({"seed": -1}, "seed -1, expected 0 to 4294967295"),
        ({"seed": 2**32}, "seed 4294967296, expected 0 to 4294967295"),
    ],
)
def test_impossible_plans_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        small_plan(**change)


def test_a_plan_without_a_multiple_is_written_as_before_there_was_one():
    assert "multiple" not in small_plan().to_dict()
    assert small_plan(multiple=16).to_dict()["multiple"] == 16
