"""What tests of settings share."""

import pytest


@pytest.fixture(autouse=True)
def no_settings_files(monkeypatch, tmp_path):
    """Hides the settings file of the user who runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
