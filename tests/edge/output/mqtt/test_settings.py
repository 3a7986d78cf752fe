import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ConfigError
from edge.output.mqtt.settings import MqttSettings

NAMED = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
NAMES = st.one_of(
    st.text(max_size=80),
    st.text("abcXYZ019_-+#/$ {}%\0\n\x7f\u2028é", max_size=70),
    st.from_regex(NAMED, fullmatch=True),
)


@pytest.mark.parametrize("field", ["device", "base", "discovery"])
def test_names_are_letters_digits_and_two_signs(field):
    @settings(max_examples=500, deadline=None)
    @given(NAMES)
    def check(name):
        if NAMED.match(name) or (field == "discovery" and name == ""):
            MqttSettings(**{field: name})
            return
        with pytest.raises(ConfigError, match=f"mqtt {field} ") as caught:
            MqttSettings(**{field: name})
        assert "\n" not in str(caught.value)

    check()


@pytest.mark.parametrize("field", ["device", "base", "discovery"])
@pytest.mark.parametrize(
    "name",
    [
        "+",
        "#",
        "a/b",
        "/",
        "$SYS",
        "a\0",
        "a\n",
        "\x7f",
        "{{ states }}",
        "{% set %}",
        "x" * 65,
        "a b",
        "é",
        "\uff41",
    ],
)
def test_a_name_cannot_be_a_wildcard_a_level_or_a_template(field, name):
    with pytest.raises(ConfigError, match=f"mqtt {field} "):
        MqttSettings(**{field: name})


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"device": "a/b"}, "mqtt device 'a/b': expected letters, digits, _ and -"),
        ({"device": "#"}, "mqtt device '#'"),
        ({"device": "{{ states }}"}, "mqtt device"),
        ({"base": ""}, "mqtt base ''"),
        ({"host": "a b"}, "mqtt host 'a b'"),
        ({"port": 70000}, "mqtt port 70000: must be 0 to 65535"),
        ({"queue": 0}, "mqtt queue 0"),
        ({"ca": __file__}, "of use with TLS only"),
        ({"tls": True, "certificate": __file__}, "expected both or neither"),
        ({"password": "x", "password_file": __file__}, "expected one of them"),
        ({"username": "a\udcff"}, "mqtt username: expected UTF-8"),
        ({"username": "é" * 32768}, "mqtt username: expected UTF-8, 65535 bytes of it at most"),
        ({"password": "a\udcff"}, "mqtt password: expected UTF-8"),
    ],
)
def test_settings_that_are_refused(more, text):
    paths = {
        name: Path(value) for name, value in more.items() if name in {"ca", "certificate", "password_file"}
    }
    with pytest.raises(ConfigError) as caught:
        MqttSettings(**(more | paths))
    assert text in str(caught.value)


@pytest.mark.parametrize(
    "host", ["mqtt://bob:pa/ss@hub", "mqtt://bob:pa:ss@hub:1883", "bob:pa@ss@hub", "mqtt:/bob:pa\nss@hub"]
)
def test_a_password_in_the_host_is_not_shown(host):
    with pytest.raises(ConfigError, match=r"\*\*\*@hub") as caught:
        MqttSettings(host=host)
    assert "pa" not in str(caught.value).replace("expected a name or an address", "")


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "a b", "é", "host/path", "tcp://host"])
def test_a_name_that_no_resolver_takes_is_refused(host):
    with pytest.raises(ConfigError, match="expected a name or an address"):
        MqttSettings(host=host)


@pytest.mark.parametrize(
    ("host", "instead"),
    [
        ("mqtt://hub:1883", "--mqtt-host hub --mqtt-port 1883"),
        ("mqtts://hub.local", "--mqtt-host hub.local --mqtt-tls"),
        ("hub:1883", "--mqtt-host hub --mqtt-port 1883"),
        ("[fe80::1]:1883", "--mqtt-host fe80::1 --mqtt-port 1883"),
        ("mqtt:/hub", "--mqtt-host hub"),
        ("wss://hub/mqtt", "--mqtt-host hub --mqtt-transport websockets --mqtt-tls"),
    ],
)
def test_a_url_is_answered_with_the_flags_that_mean_the_same(host, instead):
    with pytest.raises(ConfigError, match=f"expected a name or an address alone; try {instead}$"):
        MqttSettings(host=host)


@pytest.mark.parametrize(
    "host", ["http://hub", "mqqt://hub", "mqqt:/hub", "mqtt://hub:99999", "mqtt://", "mqtt://[", "://"]
)
def test_a_url_of_no_broker_gets_no_advice(host):
    with pytest.raises(ConfigError, match=r"expected a name or an address$"):
        MqttSettings(host=host)


def test_the_password_in_a_url_is_not_shown():
    with pytest.raises(ConfigError) as caught:
        MqttSettings(host="mqtt://me:secret@hub")
    assert "secret" not in str(caught.value)
    assert "--mqtt-host hub" in str(caught.value)
