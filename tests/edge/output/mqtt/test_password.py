"""Where the password at the broker comes from."""

import pytest

from edge.errors import ConfigError


def test_a_credential_of_systemd_is_the_password_and_is_masked(tmp_path, capsys, monkeypatch):
    from edge.cli.main import main
    from edge.cli.parser import parser
    from edge.settings.loader import settings_of

    (tmp_path / "mqtt_password").write_text("only for us\n")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path), "HOME": str(tmp_path)}
    assert settings_of(parser().parse_args(["run"]), environment).mqtt.read_password() == "only for us"
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["config"]) == 0
    out = capsys.readouterr().out
    assert 'password = "********"  # ' in out
    assert "only for us" not in out
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    assert "--mqtt-password-file FILE" in (help_text := capsys.readouterr().out)
    assert "--mqtt-password " not in help_text


def password_of(*words, **variables):
    """Returns the password of a run with these flags and variables."""
    from edge.cli.parser import parser
    from edge.settings.loader import settings_of

    arguments = parser().parse_args(["run", *map(str, words)])
    return settings_of(arguments, {"HOME": "/nowhere", **variables}).mqtt.read_password()


@pytest.fixture
def settings_file(tmp_path):
    """A settings file with the service's password next to it."""
    path = tmp_path / "settings" / "config.toml"
    path.parent.mkdir()
    path.touch()
    (path.parent / "mqtt_password").write_text("the service's\n")
    return path


def test_a_run_by_hand_finds_the_service_s_password_next_to_the_settings(settings_file):
    assert password_of("--config", settings_file) == "the service's"
    assert password_of(EMOTINY_CONFIG=str(settings_file)) == "the service's"
    assert password_of() == ""
    (settings_file.parent / "mqtt_password").write_text("\n")  # as the unit writes it if there is no password
    assert password_of("--config", settings_file) == ""


def test_a_credential_of_systemd_goes_before_the_file_next_to_the_settings(settings_file, tmp_path):
    handed = tmp_path / "credentials"
    handed.mkdir()
    more = {"CREDENTIALS_DIRECTORY": str(handed)}
    assert password_of("--config", settings_file, **more) == ""
    (handed / "mqtt_password").write_text("an instance's\n")
    assert password_of("--config", settings_file, **more) == "an instance's"


def test_which_of_several_passwords_is_used(settings_file, tmp_path):
    """A flag goes before a variable, and a variable before the settings file."""
    other = tmp_path / "other"
    other.write_text("from a file\n")
    words = ("--config", settings_file)
    for text in ('password = "plain"', f'password_file = "{other}"'):
        settings_file.write_text(f"[mqtt]\n{text}\n")
        assert password_of(*words) == ("plain" if "plain" in text else "from a file")
        assert password_of(*words, EMOTINY_MQTT_PASSWORD="a variable's") == "a variable's"
        assert password_of(*words, EMOTINY_MQTT_PASSWORD="") == ""
        assert password_of(*words, "--mqtt-password-file", other, EMOTINY_MQTT_PASSWORD="x") == "from a file"
    settings_file.write_text(f'[mqtt]\npassword = "plain"\npassword_file = "{other}"\n')
    with pytest.raises(ConfigError, match="mqtt password and password_file: expected one of them"):
        password_of(*words)


def test_a_password_that_only_root_can_read_is_left_out_unless_it_is_a_credential(
    settings_file, without_rights
):
    password = settings_file.parent / "mqtt_password"
    password.chmod(0)
    done = without_rights("-m", "edge", "config", "--config", str(settings_file))
    assert (done.returncode, done.stderr) == (0, "")
    assert 'password = ""  # default' in done.stdout
    done = without_rights("-m", "edge", "config", CREDENTIALS_DIRECTORY=str(settings_file.parent))
    assert done.returncode == 2
    assert f"credential {password}: cannot be read" in done.stderr
