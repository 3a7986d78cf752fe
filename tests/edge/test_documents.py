"""Text that people write: bounds come before the parser, and what is within them is read as ever."""

import json
import time
from contextlib import suppress
from pathlib import Path

import pytest

from edge.documents import MAX_DEPTH, parse_json, parse_toml, read_secret, read_text

DEEP = "nested more than 32 levels deep"
# Texts that a careless scanner takes for minutes to look through, or a parser takes for hours.
HOSTILE = (
    '"',
    '"\\',
    "\\",
    '"""',
    '"""\\',
    "'",
    "'''",
    "[",
    "{",
    "[]",
    ".",
    "a.",
    "#",
    "\n",
    "[a.a]\n",
    '\\"',
)


@pytest.mark.parametrize("text", ['{"a": [1, 2.5, "x"]}', "null", '"["', '{"[[": "\\"[[[[", "b": "]"}'])
def test_json_is_what_the_library_reads(text):
    assert parse_json(text) == json.loads(text)


@pytest.mark.parametrize("depth", [1, MAX_DEPTH - 1, MAX_DEPTH])
def test_json_may_be_as_deep_as_the_bound(depth):
    text = "[" * depth + "]" * depth
    assert parse_json(text) == json.loads(text)


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"]": '])
@pytest.mark.parametrize("count", [MAX_DEPTH + 1, 200_000])
def test_deeper_json_is_refused(opening, count):
    with pytest.raises(ValueError, match=DEEP):
        parse_json(opening * count)


def test_brackets_in_strings_have_no_depth():
    text = json.dumps({"a": "[" * 1000 + '"' * 1000 + "{" * 1000, "b": ["\\"] * 1000})
    assert parse_json(text) == json.loads(text)


@pytest.mark.parametrize("text", ["", "{", "[1", "nul", '{"a": 1}]', "9" * 5000])
def test_what_is_no_json_says_so(text):
    with pytest.raises(ValueError, match=r"^not JSON: "):
        parse_json(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[mqtt]\nhost = 'a.b.c'  # a.b.c\n", {"mqtt": {"host": "a.b.c"}}),
        ("a.b.c = 1.5", {"a": {"b": {"c": 1.5}}}),
        ('a = "' + "[." * 1000 + '"', {"a": "[." * 1000}),
        ("a = '" + "[." * 1000 + "'", {"a": "[." * 1000}),
        ('a = """' + "\\\\[.\n" * 1000 + '"""', {"a": "\\[.\n" * 1000}),
        ('a = """\\""" ' + "." * 99 + '"""', {"a": '""" ' + "." * 99}),
        ("a = '''" + "[.\n" * 1000 + "'''", {"a": "[.\n" * 1000}),
        ("#" + "[." * 1000, {}),
        ("a = [" + "1.5,\n" * 1000 + "]", {"a": [1.5] * 1000}),
    ],
)
def test_toml_is_what_the_library_reads(text, value):
    assert parse_toml(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "[a" + ".a" * 30_000 + "]",
        "[[a" + ".a" * 30_000 + "]]",
        "a" + ".a" * 30_000 + " = 1",
        '"a"' + '."a"' * 15_000 + " = 1",
        "a = " + "[" * 60_000,
        "a = " + "{a=" * 20_000,
        # Behind strings whose ends are easily missed.
        'a = {b = """c"""", ' + "d." * 30_000 + "d = 1}",
        'a = {b = "\\\\", ' + "d." * 30_000 + "d = 1}",
        "a = {b = '''c'''', " + "d." * 30_000 + "d = 1}",
        "a = {b = '\\', " + "d." * 30_000 + "d = 1}",
    ],
)
def test_deeper_toml_is_refused(text):
    with pytest.raises(ValueError, match=DEEP):
        parse_toml(text)


@pytest.mark.parametrize("end", ["", "\\", '"', "."])
@pytest.mark.parametrize("part", HOSTILE)
def test_no_text_keeps_a_parser_busy(part, end):
    """Of processor time they take hundredths of a second, and minutes where it grows with the square."""
    text = part * (60_000 // len(part)) + end
    for parse in (parse_json, parse_toml):
        start_s = time.process_time()
        with suppress(ValueError):
            parse(text)
        assert time.process_time() - start_s < 5


def test_a_text_is_read_within_bounds(tmp_path):
    path = tmp_path / "file"
    path.write_bytes("é".encode() * 1024)
    assert read_text(path, 2048) == "é" * 1024
    with pytest.raises(OSError, match="larger than 1 kB"):
        read_text(path, 2047)
    path.write_bytes(b"\xe9")
    with pytest.raises(ValueError, match="no UTF-8 text"):
        read_text(path, 1024)


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        ("secret\n", "secret"),
        ("secret", "secret"),
        ("secret\r\n", "secret"),
        ("\ufeffsecret\nmore", "secret"),
        (" se\u2028cret \n", " se\u2028cret "),
        ("", ""),
        ("\r\n \n", ""),
    ],
)
def test_a_secret_is_the_first_line_as_any_editor_writes_it(tmp_path, content, secret):
    path = tmp_path / "file"
    path.write_bytes(content.encode())
    assert read_secret(path, 100) == secret


def test_a_secret_below_an_empty_line_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_text("\nsecret\n")
    with pytest.raises(ValueError, match="its first line is empty"):
        read_secret(path, 100)


def test_a_file_without_an_end_is_refused():
    with pytest.raises(OSError, match="a device; expected a regular file"):
        read_text(Path("/dev/zero"), 1 << 16)
