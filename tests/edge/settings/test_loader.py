"""Settings from flags, variables, a file and credentials."""

import math
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as fuzzing
from hypothesis import strategies as st

from edge.cli.main import main
from edge.errors import ConfigError
from edge.settings.loader import (
    RawSettings,
    collect,
    default_files,
    find_file,
    read_credentials,
    read_environment,
    read_file,
    settings_of,
)
from edge.settings.settings import OPTIONS, SECTIONS, Settings, build, values_of
from tests.support.settings import arguments, write


def test_a_flag_overrides_a_variable_the_file_and_the_default(tmp_path):
    path = write(tmp_path, "[follow]\nsearch_s = 1\nidle_s = 2\ncoast_s = 3.5\n")
    environment = {"EMOTINY_FOLLOW_SEARCH_S": "11", "EMOTINY_FOLLOW_IDLE_S": "12"}
    given = arguments("--config", path, "--search", 21)
    follow = settings_of(given, environment).follow
    assert (follow.search_s, follow.idle_s, follow.coast_s) == (21, 12, 3.5)
    assert follow.lost_track_s == Settings().follow.lost_track_s
    assert collect(given, environment).origins == {
        "follow.search_s": "--search",
        "follow.idle_s": "EMOTINY_FOLLOW_IDLE_S",
        "follow.coast_s": str(path),
    }


def test_a_switch_can_be_turned_off_again(tmp_path):
    path = write(tmp_path, "fast = true\n[picture]\nmirror = true\n")
    assert settings_of(arguments("--config", path), {}).fast
    assert settings_of(arguments("--config", path), {}).picture.mirror
    assert not settings_of(arguments("--config", path, "--no-mirror"), {}).picture.mirror
    assert not settings_of(arguments("--config", path), {"EMOTINY_FAST": "no"}).fast


def test_dev_null_stands_for_no_settings_file(tmp_path):
    home = {"HOME": str(tmp_path)}
    write(tmp_path / ".config" / "emotiny", "source = 'demo'\n")
    assert settings_of(arguments("--config", "/dev/null"), home) == Settings()
    with pytest.raises(ConfigError, match="no such file"):
        settings_of(arguments("--config", tmp_path), home)


def test_the_file_is_the_named_one_or_the_first_default_one(tmp_path):
    home = {"HOME": str(tmp_path)}
    assert [str(path) for path in default_files(home)] == [
        f"{tmp_path}/.config/emotiny/config.toml",
        "/etc/emotiny/config.toml",
    ]
    own = write(tmp_path / ".config" / "emotiny", "source = 'demo'\n")
    assert find_file(None, home) == own
    assert settings_of(arguments(), home).source == "demo"
    other = write(tmp_path, "source = '7'\n")
    assert settings_of(arguments(), home | {"EMOTINY_CONFIG": str(other)}).source == "7"
    assert settings_of(arguments("--config", own), home | {"EMOTINY_CONFIG": str(other)}).source == "demo"
    assert find_file(None, {"HOME": "/nobody", "XDG_CONFIG_HOME": str(tmp_path / ".config")}) == own


EXAMPLES = {
    "text": ("'x'", "x", "x"),
    "number": ("0.5", "0.5", 0.5),
    "integer": ("1", "1", 1),
    "switch": ("true", "yes", True),
    "file": ("'a b.json'", "a b.json", "a b.json"),
    "size": ("'64x48'", "64x48", (64, 48)),
}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.key)
def test_every_setting_has_a_key_and_a_variable(option, tmp_path):
    in_file, in_variable, value = EXAMPLES[option.kind]
    if option.choices:
        value = option.parse(option.choices[-1])
        in_file, in_variable = repr(value), str(value)
    section = f"[{option.section}]\n" if option.section else ""
    path = write(tmp_path, f"{section}{option.name} = {in_file}\n")
    assert option.section in SECTIONS
    for raw in (read_file(path), read_environment({option.variable: in_variable})):
        assert str(raw.values[option.key]) == str(value)
        assert list(raw.origins) == [option.key]
        # Except those for which x, 1 or 0.5 is out of range, which name a file that must exist, or which
        # another setting must go with.
        if option.key not in {
            *("budget.hot_c", "detector.cascade", "detector.min_face", "mqtt.password_file", "mqtt.ca"),
            *("mqtt.certificate", "mqtt.key", "mqtt.keepalive_s", "mqtt.heartbeat_s", "mqtt.queue"),
            "metrics.address",
        }:
            assert str(values_of(build(raw.values, raw.origins))[option.key]) == str(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("serch_s = 1", "no setting 'serch_s'; did you mean 'follow.search_s'?"),
        ("[follow]\nserch_s = 1", "no setting 'follow.serch_s'; did you mean 'follow.search_s'?"),
        ("search_s = 1", "no setting 'search_s'; did you mean 'follow.search_s'?"),
        ("[folow]\nsearch_s = 1", "no setting 'folow'"),
        ("zzz = 1", "no setting 'zzz'; known are source, output"),
        ("[follow]\nsearch_s = '1'", "follow.search_s = '1': expected a number"),
        ("[read]\nreads = 1.5", "read.reads = 1.5: expected a whole number"),
        ("[read]\nreads = true", "read.reads = True: expected a whole number"),
        ("[read]\nreads = [1]", "read.reads = [1]: expected a whole number"),
        ("[follow]\nsearch_s = -1", "search_s -1.0: must be 0 to 3600 seconds (settings are from"),
        ("[follow]\nsearch_s = nan", "search_s nan: must be 0 to 3600 seconds"),
        ("fast = 1", "fast = 1: expected true or false"),
        ("output = 'xml'", "output = 'xml': expected one of console, jsonl, none"),
        ("[picture]\nsize = '640'", "picture.size = '640': expected WIDTHxHEIGHT"),
        ("[picture]\nsize = 640", 'picture.size = 640: expected a size in quotes, such as "640x480"'),
        ("[picture]\nrotate = 45", "picture.rotate = '45': expected one of 0, 90, 180, 270"),
        ("[models]\nemotion = ''", "models.emotion = an empty text: expected a file's name"),
        ('source = "a\\u0000b"', "expected no NUL character"),
        ("source = demo", "no TOML: "),
        (f"[read]\nreads = {'9' * 5000}", "no TOML: "),
    ],
)
def test_a_file_with_something_else_than_settings_is_refused(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        settings_of(arguments("--config", path), {})
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("EMOTINY_SEARCH_S", "1", "no setting EMOTINY_SEARCH_S; did you mean 'EMOTINY_FOLLOW_SEARCH_S'?"),
        (
            "EMOTINY_READ_READS",
            "many",
            "EMOTINY_READ_READS 'many': expected a whole number",
        ),
        ("EMOTINY_FAST", "maybe", "EMOTINY_FAST 'maybe': expected true or false"),
        ("EMOTINY_THREADS", "0", "no setting EMOTINY_THREADS"),
        (
            "EMOTINY_MODELS_THREADS",
            "0",
            "threads 0: must be 1 to 64 (settings are from EMOTINY_MODELS_THREADS)",
        ),
    ],
)
def test_a_wrong_variable_is_refused(name, text, message):
    with pytest.raises(ConfigError) as caught:
        settings_of(arguments(), {name: text})
    assert message in str(caught.value)


def test_the_stronger_of_two_ways_to_give_the_password_replaces_the_weaker(tmp_path):
    (tmp_path / "mqtt_password").write_text("weakest\n")
    path = write(tmp_path, "[mqtt]\npassword = 'weak'\n")
    collected = collect(arguments("--config", path), {})
    assert collected.values == {"mqtt.password": "weak"}
    collected = collect(arguments("--config", path, "--mqtt-password-file", "strong"), {})
    assert collected == RawSettings(
        {"mqtt.password_file": Path("strong")}, {"mqtt.password_file": "--mqtt-password-file"}
    )


def test_a_credential_is_read_and_an_empty_one_sets_nothing(tmp_path):
    (tmp_path / "mqtt_password").write_text("secret\n")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    path = str(tmp_path / "mqtt_password")
    assert read_credentials(environment, None) == RawSettings(
        {"mqtt.password": "secret"}, {"mqtt.password": path}
    )
    (tmp_path / "mqtt_password").write_text("\n")
    assert read_credentials(environment, None) == RawSettings()
    assert read_credentials({}, None) == RawSettings()


def test_a_wrong_secret_is_not_printed(tmp_path, monkeypatch, capsys):
    path = write(tmp_path, "[mqtt]\npassword = 12345678\n")
    assert main(["run", "--config", str(path)]) == 2
    err = capsys.readouterr().err
    assert err.endswith("mqtt.password = ********: expected a text in quotes\n")
    assert "12345678" not in err
    (tmp_path / "mqtt_password").write_text("12345: 678\0")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert main(["run", "--config", os.devnull]) == 2
    err = capsys.readouterr().err
    assert err.endswith("********: expected no NUL character\n")
    assert "12345" not in err


def test_variables_that_are_no_settings_are_ignored():
    environment = {"EMOTINY_RUNTIME": "litert", "EMOTINY_DATA": "x", "EMOTINYX": "y", "PATH": "/bin"}
    assert settings_of(arguments(), environment) == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"\xff\xfe", "no UTF-8 text"),
        (b"a = 1\n" * 20_000, "cannot be read: larger than 64 kB"),
        (b"[a" + b".a" * 30_000 + b"]", "nested more than 32 levels deep"),
        (b"a" + b".a" * 30_000 + b" = 1", "nested more than 32 levels deep"),
        (b"a = " + b"[" * 60_000, "nested more than 32 levels deep"),
        (b"a = " + b"{a = " * 10_000, "nested more than 32 levels deep"),
        (None, "no such file"),
    ],
    ids=["latin", "large", "header", "key", "brackets", "braces", "folder"],
)
def test_what_is_no_settings_file(tmp_path, text, message):
    path = tmp_path / "config.toml"
    path.mkdir() if text is None else path.write_bytes(text)
    with pytest.raises(ConfigError, match=f"config.toml: {message}"):
        settings_of(arguments("--config", path), {})


def test_a_settings_file_whose_name_is_too_long():
    with pytest.raises(ConfigError, match="cannot be read: File name too long"):
        settings_of(arguments("--config", 300 * "a"), {})


@pytest.mark.parametrize("variable", ["HOME", "XDG_CONFIG_HOME"])
def test_a_folder_of_settings_whose_name_is_too_long(variable):
    with pytest.raises(
        ConfigError, match=r"cannot be looked for: File name too long; name a file with --conf"
    ):
        settings_of(arguments(), {variable: "/" + 300 * "a"})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_this_user_must_not_read(tmp_path):
    path = write(tmp_path, "")
    path.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        settings_of(arguments("--config", path), {})


def test_whole_numbers_and_exponents_are_numbers(tmp_path):
    path = write(tmp_path, "[budget]\nmax_fps = 7\n[follow]\nidle_s = 1.1e0\n")
    settings = settings_of(arguments("--config", path), {})
    assert settings.budget.max_fps == 7
    assert math.isclose(settings.follow.idle_s, 1.1)


@st.composite
def damaged_file(draw):
    """A settings file with values of all kinds, slightly damaged."""
    lines = []
    for section in draw(st.lists(st.sampled_from([*SECTIONS, "mqtt"]), max_size=4)):
        lines += [f"[{section}]"] if section else []
        names = [option.name for option in OPTIONS if option.section == section] or ["x"]
        for name in draw(st.lists(st.sampled_from(names), max_size=4)):
            value = draw(
                st.one_of(
                    st.integers(),
                    st.floats().map(str),
                    st.text(max_size=8).map(repr),
                    st.sampled_from(
                        ["true", "'640x480'", "'1x1'", "[]", "{a = 1}", "1979-05-27", "'x' 1", ""]
                    ),
                )
            )
            lines.append(f"{name} = {value}")
    text = "\n".join(lines)
    for _ in range(draw(st.integers(0, 2))):
        index = draw(st.integers(0, len(text)))
        text = text[:index] + draw(st.text(max_size=3)) + text[index + draw(st.integers(0, 2)) :]
    return text.encode("utf-8", "surrogatepass")


@given(st.one_of(damaged_file(), st.binary(max_size=200)))
@fuzzing(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_file_is_settings_or_one_line_of_an_error(tmp_path, capsys, content):
    path = tmp_path / "fuzzed.toml"
    path.write_bytes(content)
    code = main(["config", "--config", str(path)])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "") or (code == 2 and err.count("\n") == 1 and out == ""), (code, err)
