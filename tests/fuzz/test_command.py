"""What the command line may print, and how it may end."""

import pytest

from tests.fuzz.command import problem_of

ERROR = "emotiny: error: source x: expected UTF-8\n"


@pytest.mark.parametrize(
    ("returned", "err", "code", "problem"),
    [
        (0, "INFO edge.sources.demo: demo\nemotiny: 2 frames\n", 0, ""),
        (2, ERROR, 2, ""),
        (2, ERROR, None, ""),
        (-11, "", None, "ends by SIGSEGV"),
        (1, "Traceback (most recent call last):\n", None, "prints a traceback"),
        (7, ERROR, None, "ends with exit code 7, expected (0, 1, 2, 3, 4)"),
        (1, ERROR, 2, "ends with exit code 1, expected 2"),
        (2, "", 2, "prints 0 errors with exit code 2"),
        (2, ERROR + ERROR, 2, "prints 2 errors with exit code 2"),
        (2, ERROR + "and more\n", 2, "prints 'and more' beside its messages"),
    ],
)
def test_what_is_wrong_with_a_command_line(returned, err, code, problem):
    assert problem_of("run", returned, err, code).removeprefix("the command line ") == problem
