"""The command line's flags for settings."""

import pytest

from edge.cli.parser import parser
from edge.errors import ConfigError
from edge.settings.loader import collect, read_environment
from edge.settings.settings import OPTIONS
from tests.support.settings import arguments


@pytest.mark.parametrize(
    "option",
    [option for option in OPTIONS if option.flag and option.kind != "switch"],
    ids=lambda option: option.key,
)
@pytest.mark.parametrize("text", ["", "a\0b", "maybe"], ids=["empty", "NUL", "word"])
def test_a_flag_and_a_variable_accept_the_same_texts(option, text):
    try:
        value = read_environment({option.variable: text}).values[option.key]
    except ConfigError as error:
        expected = str(error).partition(f"{option.variable} ")[2]
        with pytest.raises(ConfigError) as caught:
            arguments(f"{option.flag}={text}")
        assert expected in str(caught.value)
    else:
        assert collect(arguments(f"{option.flag}={text}"), {"HOME": "/nowhere"}).values == {option.key: value}


@pytest.mark.parametrize(
    ("word", "variable", "expected"),
    [
        ("--cascade=", "EMOTINY_DETECTOR_CASCADE=", "an empty text: expected a file's name"),
        ("--source=a\0b", "EMOTINY_SOURCE=a\0b", "'a\\x00b': expected no NUL character"),
    ],
)
def test_an_empty_file_name_and_a_nul_are_refused_wherever_they_are_from(word, variable, expected):
    with pytest.raises(ConfigError) as caught:
        arguments(word)
    assert str(caught.value) == f"argument {word.partition('=')[0]}: {expected} (see --help)"
    name, _, text = variable.partition("=")
    with pytest.raises(ConfigError) as caught:
        read_environment({name: text})
    assert str(caught.value) == f"environment: {name} {expected}"


@pytest.fixture
def help_of(capsys, monkeypatch):
    """Returns a function that returns a command's help, as one line."""
    monkeypatch.setenv("COLUMNS", "500")

    def show(*words):
        with pytest.raises(SystemExit):
            parser().parse_args([*words, "--help"])
        return " ".join(capsys.readouterr().out.split())

    return show


def test_the_help_of_every_command_can_be_shown(help_of):
    for command in parser().commands():
        assert help_of(command).startswith(f"usage: emotiny {command} ")


def test_the_help_names_defaults(help_of):
    text = help_of("run")
    assert "side of the smallest face in pixels, 16 to 1000 (default: 24)" in text
    assert "--cascade FILE file of the Haar cascade (default: OpenCV's frontal face)" in text
    assert "--max-frames N stop after N processed frames --reconnect" in text  # which has no default
    assert "37 % (1/e)" in text
