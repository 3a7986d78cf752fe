"""The names of an option, and the parsers of its values."""

from pathlib import Path

import pytest

from edge.settings.option import Option, parse_size


def option(kind, **more):
    return Option("group.name", "name", kind, "a meaning", "--name", **more)


def test_names():
    one = option("text")
    assert (one.section, one.name, one.variable) == ("group", "name", "EMOTINY_GROUP_NAME")
    top = Option("max_frames", "max_frames", "integer", "a meaning")
    assert (top.section, top.name, top.variable) == ("", "max_frames", "EMOTINY_MAX_FRAMES")


@pytest.mark.parametrize(
    ("kind", "more", "metavar"),
    [
        ("text", {}, "NAME"),
        ("number", {}, "N"),
        ("file", {}, "FILE"),
        ("size", {}, "WxH"),
        ("integer", {"choices": ("0", "90")}, "{0,90}"),
    ],
)
def test_the_placeholder_in_the_help(kind, more, metavar):
    assert option(kind, **more).metavar == metavar


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("text", "", ""),
        ("text", " a b ", " a b "),
        ("number", "1e-3", 0.001),
        ("integer", "-7", -7),
        ("switch", "YES", True),
        ("switch", "0", False),
        ("file", "a b.json", Path("a b.json")),
        ("size", "640x480", (640, 480)),
    ],
)
def test_a_text_is_parsed(kind, text, value):
    parsed = option(kind).parse(text)
    assert parsed == value
    assert type(parsed) is type(value) or isinstance(value, Path)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("text", "a\0", "'a\\x00': expected no NUL character"),
        ("number", "", "'': expected a number"),
        ("integer", "1.0", "'1.0': expected a whole number"),
        ("switch", "2", "'2': expected true or false"),
        ("file", "", "an empty text: expected a file's name"),
        ("file", "a\0", "'a\\x00': expected no NUL character"),
        ("size", "640", "'640': expected WIDTHxHEIGHT, such as 640x480"),
        ("size", "640x480x3", "'640x480x3': expected WIDTHxHEIGHT, such as 640x480"),
    ],
)
def test_a_text_that_is_refused_is_quoted(kind, text, message):
    with pytest.raises(ValueError) as caught:
        option(kind).parse(text)
    assert str(caught.value) == message


def test_only_choices_are_accepted():
    rotate = option("integer", choices=("0", "90"))
    assert rotate.parse("90") == 90
    with pytest.raises(ValueError, match="'45': expected one of 0, 90"):
        rotate.parse("45")


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("number", 1, 1.0),
        ("number", 0.5, 0.5),
        ("integer", 3, 3),
        ("switch", False, False),
        ("text", "true", "true"),
        ("size", "64x48", (64, 48)),
    ],
)
def test_a_value_of_a_file_is_converted(kind, value, expected):
    converted = option(kind).convert(value)
    assert (converted, type(converted)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("number", "1", "'1': expected a number"),
        ("number", True, "True: expected a number"),
        ("integer", 1.0, "1.0: expected a whole number"),
        ("switch", 1, "1: expected true or false"),
        ("switch", "true", "'true': expected true or false"),
        ("text", 1, "1: expected a text in quotes"),
        ("file", 1, "1: expected a file's name in quotes"),
        ("size", [64, 48], '[64, 48]: expected a size in quotes, such as "640x480"'),
    ],
)
def test_a_value_of_another_type_is_refused(kind, value, message):
    with pytest.raises(ValueError) as caught:
        option(kind).convert(value)
    assert str(caught.value) == message


def test_a_secret_is_not_quoted():
    secret = option("text", secret=True)
    for refuse, value in ((secret.parse, "hush: hush\0"), (secret.convert, 12345)):
        with pytest.raises(ValueError) as caught:
            refuse(value)
        assert str(caught.value).startswith("********: expected ")


@pytest.mark.parametrize("text", ["", "x", "640x", "x480", "6.4x480", "640 480"])
def test_what_is_not_a_size(text):
    with pytest.raises(ValueError, match="expected WIDTHxHEIGHT"):
        parse_size(text)
