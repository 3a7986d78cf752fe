"""Settings and their conversion from and to values by key."""

from dataclasses import is_dataclass, replace

import pytest

from edge.detection.settings import DetectorSettings
from edge.errors import ConfigError
from edge.inference.settings import ModelSettings
from edge.settings.settings import OPTIONS, Settings, build, values_of
from edge.sources.settings import CaptureSettings


def test_every_field_of_the_settings_is_an_option():
    values = values_of(Settings())
    for name, value in vars(Settings()).items():
        names = {f"{name}.{inner}" for inner in vars(value)} if is_dataclass(value) else {name}
        assert names - {"picture.size_wh"} <= set(values), name
    assert values["picture.size"] is None


def test_a_group_that_is_not_named_has_its_defaults():
    settings = build({"follow.search_s": 1.5, "source": "demo"}, {})
    assert settings == Settings(source="demo", follow=replace(Settings().follow, search_s=1.5))


def test_values_that_are_built_again_are_the_same_settings():
    settings = Settings(
        fast=True,
        picture=CaptureSettings((64, 48), 90, True),
        models=ModelSettings(threads=3),
        detector=DetectorSettings("haar", min_face=100, threads=2),
    )
    assert build(values_of(settings), {}) == settings


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("max_frames", 0, "--max-frames 0: must be at least 1"),
        ("models.threads", 0, "--threads 0: must be 1 to 64"),
        ("models.threads", 65, "--threads 65: must be 1 to 64"),
        ("detector.threads", 0, "detector threads 0: must be 1 to 64"),
        ("detector.threads", 65, "detector threads 65: must be 1 to 64"),
    ],
)
def test_a_value_out_of_range_names_all_origins_but_the_command_line(key, value, message):
    with pytest.raises(ConfigError) as caught:
        build({key: value}, {key: "--flag", "source": "EMOTINY_SOURCE", "fast": "/etc/x.toml"})
    assert str(caught.value) == f"{message} (settings are from /etc/x.toml, EMOTINY_SOURCE)"
    with pytest.raises(ConfigError) as caught:
        build({key: value}, {key: "--flag"})
    assert str(caught.value) == message


def test_names_are_unique():
    for names in (
        [option.key for option in OPTIONS],
        [option.variable for option in OPTIONS],
        [option.flag for option in OPTIONS if option.flag],
    ):
        assert len(set(names)) == len(names)


def test_only_the_password_has_no_flag_and_is_secret():
    assert [option.key for option in OPTIONS if not option.flag] == ["mqtt.password"]
    assert [option.key for option in OPTIONS if option.secret] == ["mqtt.password"]
