"""`search` refuses what cannot be compared before it reads any data."""

import pytest

pytestmark = pytest.mark.train

from quantize.cli.main import main  # noqa: E402
from quantize.cli.parser import parser  # noqa: E402
from quantize.search.plan import SearchPlan  # noqa: E402


def test_a_search_for_nothing_is_refused_in_one_line(capsys):
    assert main(["search", "--draws", "0", "--data", "/nowhere"]) == 2
    assert capsys.readouterr().err == "quantize: error: draws 0: expected at least 1\n"


def test_options_are_those_of_the_plan_unless_given():
    arguments = parser().parse_args(["search"])
    given = {name: getattr(arguments, name) for name in ("seeds", "search_epochs", "draws", "epochs")}
    assert given == {name: getattr(SearchPlan(), name) for name in given}
