"""Settings as a TOML file: what `config` prints and writes."""

import subprocess
import sys
from pathlib import Path

import pytest
import tomllib

from edge.cli.main import main
from edge.settings.loader import settings_of
from edge.settings.settings import Settings, values_of
from edge.settings.template import render_toml
from tests.support.settings import arguments, write


def test_config_prints_settings_with_their_origins(tmp_path, capsys):
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


def test_config_hides_the_password_of_a_camera(tmp_path, capsys):
    path = write(tmp_path, 'source = "rtsp://me:pw@cam:554/x?token=pw"\n')
    assert main(["config", "--config", str(path)]) == 0
    out = capsys.readouterr().out
    assert f'source = "rtsp://***@cam:554/x?***"  # {path}' in out.splitlines()
    assert "pw" not in out.replace(str(path), "")


def test_config_leaves_no_unfinished_file(tmp_path):
    """A limit on the size of files stands in for a full disk."""
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


def test_config_writes_a_new_file_of_the_defaults(tmp_path, capsys):
    path = tmp_path / "new.toml"
    assert main(["config", "--write", str(path)]) == 0
    text = path.read_text()
    assert settings_of(arguments("--config", path), {}) == Settings()
    # Uncommented, the lines are the defaults.
    bare = "\n".join(
        line[1:] if line.startswith("#") and not line.startswith("# ") and not line.endswith("=") else line
        for line in text.splitlines()
    )
    assert settings_of(arguments("--config", write(tmp_path, bare, "bare.toml")), {}) == Settings()
    assert tomllib.loads(bare)["follow"]["search_s"] == pytest.approx(0.65)
    assert main(["config", "--write", str(path)]) == 4
    assert "exists; remove it or name another file" in capsys.readouterr().err
    assert path.read_text() == text


def test_the_example_file_next_to_the_service_is_up_to_date(tmp_path):
    path = tmp_path / "new.toml"
    assert main(["config", "--write", str(path)]) == 0
    example = Path(__file__).parents[3] / "systemd/config.toml"
    assert path.read_text() == example.read_text()


def test_a_path_with_special_characters_can_be_read_back(tmp_path, capsys):
    special = 'a "b" \\ c\té.json'
    assert main(["config", "--emotion-model", special]) == 0
    path = write(tmp_path, capsys.readouterr().out)
    assert str(settings_of(arguments("--config", path), {}).models.emotion) == special


def test_a_secret_is_stars_and_no_secret_is_empty():
    values = values_of(Settings())
    assert 'password = ""  # default' in render_toml(values, {})
    lines = list(render_toml(values | {"mqtt.password": "hush"}, {"mqtt.password": "EMOTINY_MQTT_PASSWORD"}))
    assert 'password = "********"  # EMOTINY_MQTT_PASSWORD' in lines
    assert "hush" not in "".join(lines)


def test_no_name_of_a_file_and_no_sign_breaks_the_text(tmp_path):
    settings = Settings(annotate=Path("a\U000e0001\u2028.png"))
    lines = list(render_toml(values_of(settings), {"annotate": "a\nb.toml", "source": "\x7f\x1b"}))
    again = write(tmp_path, "\n".join(lines))
    assert settings_of(arguments("--config", again), {}) == settings
    assert 'annotate = "a\\U000e0001\\u2028.png"  # a\\u000ab.toml' in lines
