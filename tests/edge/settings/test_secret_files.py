"""The warnings of a password that other users can read, or that this one cannot."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.cli.parser import parser
from edge.settings.loader import settings_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A settings file that everybody may read, and the password next to it."""
    (tmp_path / "config.toml").write_text("")
    (tmp_path / "config.toml").chmod(0o644)
    (tmp_path / "mqtt_password").write_text("only for us\n")
    (tmp_path / "mqtt_password").chmod(0o600)
    return tmp_path


def warnings_of(caplog: pytest.LogCaptureFixture, folder: Path, *words: str, **variables: str) -> list[str]:
    caplog.clear()
    arguments = parser().parse_args(["run", "--config", str(folder / "config.toml"), *words])
    settings = settings_of(arguments, variables)
    assert settings.mqtt.read_password() == "only for us"
    assert "only for us" not in caplog.text
    return [record.getMessage() for record in caplog.records]


def test_a_password_of_this_user_alone_is_no_warning(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = str(folder / "mqtt_password")
    assert warnings_of(caplog, folder) == []
    assert warnings_of(caplog, folder, "--mqtt-password-file", path) == []
    assert warnings_of(caplog, folder, EMOTINY_MQTT_PASSWORD="only for us") == []


@pytest.mark.parametrize(("mode", "shown"), [(0o640, "-rw-r-----"), (0o604, "-rw----r--")])
def test_a_password_that_others_can_read_is_one_line_with_the_fix(
    folder: Path, caplog: pytest.LogCaptureFixture, mode: int, shown: str
) -> None:
    path = folder / "mqtt_password"
    path.chmod(mode)
    for words in ((), ("--mqtt-password-file", str(path))):
        (line,) = warnings_of(caplog, folder, *words)
        assert line.startswith(f"{path}: other users can read the password in it ({shown} ")
        assert line.endswith(f"; fix: `chmod 600 {path}`")


def test_a_password_in_the_settings_file_belongs_elsewhere(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "config.toml").write_text('[mqtt]\npassword = "only for us"\n')
    (line,) = warnings_of(caplog, folder)
    assert line.startswith(f"{folder / 'config.toml'}: other users can read the password in it (-rw-r--r-- ")
    assert line.endswith(f"; fix: move it to {folder / 'mqtt_password'}, and `chmod 600` that")
    (folder / "config.toml").chmod(0o600)
    assert warnings_of(caplog, folder) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_a_password_of_another_user_is_known_to_that_user(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = folder / "mqtt_password"
    os.chown(path, 65534, 65534)
    (line,) = warnings_of(caplog, folder)
    assert line.endswith(f"; fix: `sudo chown root {path} && sudo chmod 600 {path}`")


def test_a_credential_of_systemd_is_no_warning(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its access list for the service's user shows as rights of the group."""
    path = folder / "mqtt_password"
    path.chmod(0o440)
    handed = {"CREDENTIALS_DIRECTORY": str(folder)}
    assert warnings_of(caplog, folder, **handed) == []
    assert warnings_of(caplog, folder, "--mqtt-password-file", str(path), **handed) == []


def test_the_service_is_told_where_its_password_belongs(
    folder: Path, caplog: pytest.LogCaptureFixture, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = folder / "mqtt_password"
    path.chmod(0o644)
    handed = str(tmp_path_factory.mktemp("credentials"))
    (line,) = warnings_of(caplog, folder, "--mqtt-password-file", str(path), CREDENTIALS_DIRECTORY=handed)
    assert line.endswith(
        "; fix: leave mqtt.password_file out, and put the password into /etc/emotiny/mqtt_password"
    )


@pytest.fixture
def not_for_us() -> Iterator[Path]:
    """A folder of settings with a password that this process may not read, also if root runs the tests."""
    # Not below tmp_path, which pytest makes for one user alone.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "config.toml").write_text("")
        (folder / "mqtt_password").write_text("only for root\n")
        (folder / "mqtt_password").chmod(0)
        user = os.geteuid()
        if user == 0:
            "broker".encode("idna")  # while this user may still read the module for it
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(user)


def test_a_user_who_may_not_read_the_password_is_told_so(
    not_for_us: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def lines_of(*words: str, **variables: str) -> list[str]:
        caplog.clear()
        arguments = parser().parse_args(["run", "--config", str(not_for_us / "config.toml"), *words])
        settings_of(arguments, variables)
        return [record.getMessage() for record in caplog.records]

    assert lines_of("--mqtt-host", "broker") == [
        f"{not_for_us / 'mqtt_password'}: this user may not read it, so the broker gets no password; "
        "fix: run with sudo"
    ]
    assert lines_of() == []  # without a broker, nothing needs it
    assert lines_of("--mqtt-host", "broker", EMOTINY_MQTT_PASSWORD="another") == []
