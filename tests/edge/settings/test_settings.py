"""Settings from flags, variables, a file and defaults."""

import math
import os
import subprocess
import sys
from dataclasses import is_dataclass
from pathlib import Path

import pytest
import tomllib
from hypothesis import HealthCheck, given
from hypothesis import settings as fuzzing
from hypothesis import strategies as st

from edge.cli.main import main
from edge.cli.parser import parser
from edge.errors import ConfigError
from edge.settings.loader import collect, default_files, find_file, read_environment, read_file, settings_of
from edge.settings.settings import OPTIONS, SECTIONS, Settings, build, values_of


@pytest.fixture(autouse=True)
def nobody_s_files(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


def arguments(*words):
    return parser().parse_args(["run", *map(str, words)])


def write(folder, text, name="config.toml"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_flag_goes_before_a_variable_before_the_file_before_the_default(tmp_path):
    path = write(tmp_path, "[follow]\nsearch_s = 1\nidle_s = 2\nverify_s = 3.5\n")
    environment = {"EMOTINY_FOLLOW_SEARCH_S": "11", "EMOTINY_FOLLOW_IDLE_S": "12"}
    given = arguments("--config", path, "--search", 21)
    follow = settings_of(given, environment).follow
    assert (follow.search_s, follow.idle_s, follow.verify_s) == (21, 12, 3.5)
    assert follow.coast_s == Settings().follow.coast_s
    assert collect(given, environment).origins == {
        "follow.search_s": "--search",
        "follow.idle_s": "EMOTINY_FOLLOW_IDLE_S",
        "follow.verify_s": str(path),
    }


def test_a_switch_can_be_put_back(tmp_path):
    path = write(tmp_path, "fast = true\n[picture]\nmirror = true\n")
    assert settings_of(arguments("--config", path), {}).fast
    assert settings_of(arguments("--config", path), {}).picture.mirror
    assert not settings_of(arguments("--config", path, "--no-mirror"), {}).picture.mirror
    assert not settings_of(arguments("--config", path), {"EMOTINY_FAST": "no"}).fast


def test_dev_null_is_a_file_without_settings_in_the_place_of_the_usual_ones(tmp_path):
    home = {"HOME": str(tmp_path)}
    write(tmp_path / ".config" / "emotiny", "source = 'demo'\n")
    assert settings_of(arguments("--config", "/dev/null"), home) == Settings()
    with pytest.raises(ConfigError, match="no such file"):
        settings_of(arguments("--config", tmp_path), home)


def test_where_the_file_is_looked_for(tmp_path):
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


EACH = {
    "text": ("'x'", "x", "x"),
    "number": ("0.5", "0.5", 0.5),
    "integer": ("1", "1", 1),
    "switch": ("true", "yes", True),
    "file": ("'a b.json'", "a b.json", "a b.json"),
    "size": ("'64x48'", "64x48", (64, 48)),
}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.key)
def test_every_setting_has_a_key_and_a_variable(option, tmp_path):
    in_file, in_variable, value = EACH[option.kind]
    if option.choices:
        value = option.parse(option.choices[-1])
        in_file, in_variable = repr(value), str(value)
    section = f"[{option.section}]\n" if option.section else ""
    path = write(tmp_path, f"{section}{option.name} = {in_file}\n")
    assert option.section in SECTIONS
    for raw in (read_file(path), read_environment({option.variable: in_variable})):
        assert str(raw.values[option.key]) == str(value)
        assert list(raw.origins) == [option.key]
        # What x, 1 and 0.5 cannot be, or what must be there.
        if option.key not in {
            *("budget.hot_c", "detector.side", "detector.scale_factor", "mqtt.password_file", "mqtt.ca"),
            *("mqtt.certificate", "mqtt.key", "mqtt.keepalive_s", "mqtt.heartbeat_s", "mqtt.queue"),
            "metrics.address",
        }:
            assert str(values_of(build(raw.values, raw.origins))[option.key]) == str(value)


def test_every_field_of_the_settings_is_an_option():
    values = values_of(Settings())
    for name, value in vars(Settings()).items():
        names = {f"{name}.{inner}" for inner in vars(value)} if is_dataclass(value) else {name}
        assert names - {"picture.size_wh"} <= set(values), name
    assert values["picture.size"] is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("serch_s = 1", "no setting 'serch_s'; did you mean 'follow.search_s'?"),
        ("[follow]\nserch_s = 1", "no setting 'follow.serch_s'; did you mean 'follow.search_s'?"),
        ("search_s = 1", "no setting 'search_s'; did you mean 'follow.search_s'?"),
        ("[folow]\nsearch_s = 1", "no setting 'folow'"),
        ("zzz = 1", "no setting 'zzz'; known are source, output"),
        ("[follow]\nsearch_s = '1'", "follow.search_s = '1': expected a number"),
        ("[follow]\nverifications = 1.5", "follow.verifications = 1.5: expected a whole number"),
        ("[follow]\nverifications = true", "follow.verifications = True: expected a whole number"),
        ("[follow]\nverifications = [1]", "follow.verifications = [1]: expected a whole number"),
        ("[follow]\nsearch_s = -1", "search_s -1.0: must be 0 to 3600 seconds (settings are from"),
        ("[follow]\nsearch_s = nan", "search_s nan: must be 0 to 3600 seconds"),
        ("fast = 1", "fast = 1: expected true or false"),
        ("output = 'xml'", "output = 'xml': expected one of console, jsonl"),
        ("[picture]\nsize = '640'", "picture.size = '640': expected WIDTHxHEIGHT"),
        ("[picture]\nsize = 640", 'picture.size = 640: expected a size in quotes, such as "640x480"'),
        ("[picture]\nrotate = 45", "picture.rotate = '45': expected one of 0, 90, 180, 270"),
        ("[models]\nemotion = ''", "models.emotion = an empty text: expected a file's name"),
        ('source = "a\\u0000b"', "expected no NUL character"),
        ("source = demo", "no TOML: "),
        (f"[follow]\nverifications = {'9' * 5000}", "no TOML: "),
    ],
)
def test_what_a_file_must_not_hold(tmp_path, text, said):
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        settings_of(arguments("--config", path), {})
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("EMOTINY_SEARCH_S", "1", "no setting EMOTINY_SEARCH_S; did you mean 'EMOTINY_FOLLOW_SEARCH_S'?"),
        (
            "EMOTINY_FOLLOW_VERIFICATIONS",
            "many",
            "EMOTINY_FOLLOW_VERIFICATIONS 'many': expected a whole number",
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
def test_what_a_variable_must_not_be(name, text, said):
    with pytest.raises(ConfigError) as caught:
        settings_of(arguments(), {name: text})
    assert said in str(caught.value)


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


def test_what_is_secret_is_not_shown_where_it_is_wrong(tmp_path, monkeypatch, capsys):
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


def test_other_programs_variables_are_theirs():
    environment = {"EMOTINY_RUNTIME": "litert", "EMOTINY_DATA": "x", "EMOTINYX": "y", "PATH": "/bin"}
    assert settings_of(arguments(), environment) == Settings()


@pytest.mark.parametrize("text", [b"\xff\xfe", b"a = 1\n" * 200_000, None], ids=["latin", "large", "folder"])
def test_a_file_that_is_none(tmp_path, text):
    path = tmp_path / "config.toml"
    path.mkdir() if text is None else path.write_bytes(text)
    with pytest.raises(ConfigError, match=r"config.toml: (no UTF-8|larger than 1 MB|no such file)"):
        settings_of(arguments("--config", path), {})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = write(tmp_path, "")
    path.chmod(0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        settings_of(arguments("--config", path), {})


def test_config_prints_what_holds_and_where_it_is_from(tmp_path, capsys):
    path = write(tmp_path, "source = 'demo'\n")
    assert main(["config", "--config", str(path), "--max-fps", "5"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert f'source = "demo"  # {path}' in lines
    assert "max_fps = 5.0  # --max-fps" in lines
    assert "search_s = 0.65  # default" in lines
    assert "#size = default" in lines
    again = write(tmp_path, out, "again.toml")
    assert settings_of(arguments("--config", again), {}) == settings_of(
        arguments("--config", path, "--max-fps", "5"), {}
    )


def test_config_prints_no_camera_s_password(tmp_path, capsys):
    path = write(tmp_path, 'source = "rtsp://me:pw@cam:554/x?token=pw"\n')
    assert main(["config", "--config", str(path)]) == 0
    out = capsys.readouterr().out
    assert f'source = "rtsp://***@cam:554/x?***"  # {path}' in out.splitlines()
    assert "pw" not in out.replace(str(path), "")


def test_config_leaves_no_half_of_a_file(tmp_path):
    """A limit of this process stands in for a disk that is full."""
    path = tmp_path / "new.toml"
    limited = (
        "import resource, sys; from edge.cli.main import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-B", "-c", limited, "config", "--write", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 4
    assert done.stderr == f"emotiny: error: cannot write {path}: File too large\n"
    assert not path.exists()
    path.write_text("mine")
    assert main(["config", "--write", str(path)]) == 4
    assert path.read_text() == "mine"


def test_config_writes_a_file_that_changes_nothing_and_overwrites_none(tmp_path, capsys):
    path = tmp_path / "new.toml"
    assert main(["config", "--write", str(path)]) == 0
    text = path.read_text()
    assert settings_of(arguments("--config", path), {}) == Settings()
    # Without the marks it says the defaults.
    bare = "\n".join(
        line[1:] if line.startswith("#") and not line.startswith("# ") and not line.endswith("=") else line
        for line in text.splitlines()
    )
    assert settings_of(arguments("--config", write(tmp_path, bare, "bare.toml")), {}) == Settings()
    assert tomllib.loads(bare)["follow"]["search_s"] == pytest.approx(0.65)
    assert main(["config", "--write", str(path)]) == 4
    assert "cannot write" in capsys.readouterr().err
    assert path.read_text() == text


def test_the_example_file_next_to_the_service_is_up_to_date(tmp_path):
    path = tmp_path / "new.toml"
    assert main(["config", "--write", str(path)]) == 0
    example = Path(__file__).parents[3] / "systemd/config.toml"
    assert path.read_text() == example.read_text()


def test_a_path_with_strange_characters_survives(tmp_path, capsys):
    strange = 'a "b" \\ c\té.json'
    assert main(["config", "--emotion-model", strange]) == 0
    path = write(tmp_path, capsys.readouterr().out)
    assert str(settings_of(arguments("--config", path), {}).models.emotion) == strange


@st.composite
def nearly_a_file(draw):
    """A file of settings with values of all kinds, and some damage."""
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
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(st.text(max_size=3)) + text[place + draw(st.integers(0, 2)) :]
    return text.encode("utf-8", "surrogatepass")


@given(st.one_of(nearly_a_file(), st.binary(max_size=200)))
@fuzzing(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_a_file_holds_it_is_settings_or_one_line(tmp_path, capsys, content):
    path = tmp_path / "fuzzed.toml"
    path.write_bytes(content)
    code = main(["config", "--config", str(path)])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "") or (code == 2 and err.count("\n") == 1 and out == ""), (code, err)


def test_numbers_of_all_kinds(tmp_path):
    path = write(tmp_path, "[budget]\nmax_fps = 7\n[detector]\nscale_factor = 1.1e0\n")
    settings = settings_of(arguments("--config", path), {})
    assert settings.budget.max_fps == 7
    assert math.isclose(settings.detector.scale_factor, 1.1)
