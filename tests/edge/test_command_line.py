"""Errors in command lines are one line that suggests what was meant."""

import pytest

from edge.command_line import Parser, did_you_mean
from edge.errors import ConfigError


@pytest.fixture
def parser():
    top = Parser(prog="x")
    commands = top.add_subparsers(dest="command", required=True)
    paint = commands.add_parser("paint", help="cover a wall")
    paint.add_argument("--colour", choices=("red", "blue"))
    paint.usual_option = "--colour"
    commands.add_parser("mend", help="close a hole").add_argument("--width", type=int)
    return top


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["paitn"], "unknown command 'paitn'; did you mean 'paint'?"),
        (["zzz"], "unknown command 'zzz'; commands are paint, mend"),
        (["paint", "--color", "red"], "unrecognized arguments: --color red; did you mean '--colour'?"),
        (["mend", "--witdh=3"], "unrecognized arguments: --witdh=3; did you mean '--width'?"),
        (["mend", "--colour", "red"], "unrecognized arguments: --colour red"),  # not one of this command's
        (["mend", "--wid", "3"], "unrecognized arguments: --wid 3; did you mean '--width'?"),
        (["--width", "3"], "--width: expected a command first, such as 'mend --width'"),
        (["--width=3"], "--width: expected a command first, such as 'mend --width'"),
        (["--quux", "paitn"], "unknown command 'paitn'; did you mean 'paint'?"),
        (["paint", "red"], "unrecognized arguments: red; did you mean '--colour red'?"),
        (["paint", "--colour", "red", "blue"], "unrecognized arguments: blue (see"),
        (["mend", "3"], "unrecognized arguments: 3 (see"),  # it has no usual option
        (["paint", "--colour", "green"], "argument --colour: invalid choice: 'green'"),
    ],
)
def test_an_error_is_one_line_that_suggests_what_was_meant(parser, arguments, message):
    with pytest.raises(ConfigError) as caught:
        parser.parse_args(arguments)
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith(" (see --help)")
    assert "\n" not in str(caught.value)


def test_no_command_shows_what_each_is_for(parser, capsys):
    with pytest.raises(SystemExit) as caught:
        parser.parse_args([])
    assert caught.value.code == ConfigError.exit_code
    output = capsys.readouterr()
    assert "cover a wall" in output.err
    assert "close a hole" in output.err
    assert not output.out


def test_what_is_like_nothing_known_gets_no_suggestion():
    assert did_you_mean("--quux", ["--colour", "--width"]) == ""
