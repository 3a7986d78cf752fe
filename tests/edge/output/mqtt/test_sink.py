"""Reports on a real broker, heard by somebody who knows nothing of the package."""

import json
import signal
import subprocess
import sys
import time

import pytest

from edge.errors import ConfigError
from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.sink import MqttSink
from edge.types import Box
from tests.support.broker import MOSQUITTO, Listener, kept_on

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto: apt-get install mosquitto")

NEAR = Box(100, 60, 80, 80)


def told(message):
    return json.loads(message.payload)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_every_topic_with_its_retained_flag(broker, listener, sink_on, frame_and_report, version):
    sink = sink_on(broker.port, version=version)
    listener.topic("emotiny/kitchen/status", "online")
    sink.send(*frame_and_report(1, NEAR))
    state = listener.wait(lambda m: m.topic == "emotiny/kitchen/state" and told(m)["faces"] == 1)
    assert told(state) == {"v": 1, "faces": 1, "presence": "ON", "emotion": "happy", "gender": "female"}
    faces = told(listener.topic("emotiny/kitchen/faces"))
    assert faces["v"] == 1
    assert faces["faces"][0]["box"] == [100, 60, 80, 80]
    event = told(listener.topic("emotiny/kitchen/event"))
    assert event == {
        "v": 1,
        "event": "appeared",
        "id": 1,
        "for_s": 0.0,
        "emotion": "happy",
        "gender": "female",
    }
    stats = told(listener.topic("emotiny/kitchen/stats"))
    assert {"fps", "dropped", "temperature", "throttled", "unsent", "lost"} <= stats.keys()
    listener.topic("emotiny/kitchen/camera", "online")
    listener.topic("emotiny/kitchen/enabled/state", "ON")
    listener.topic("homeassistant/device/emotiny_kitchen/config")
    kept = kept_on(broker.port)
    assert kept.keys() == {
        *(f"emotiny/kitchen/{name}" for name in ("status", "camera", "state", "enabled/state")),
        "homeassistant/device/emotiny_kitchen/config",
    }
    assert all(message.qos == 1 for message in kept.values())


def test_closing_says_goodbye(broker, listener, sink_on, frame_and_report):
    sink = sink_on(broker.port)
    listener.topic("emotiny/kitchen/status", "online")
    sink.send(*frame_and_report(1, NEAR))
    sink.close()
    listener.topic("emotiny/kitchen/status", "offline")
    listener.topic("emotiny/kitchen/camera", "offline")
    time.sleep(0.5)  # the will is not published besides
    assert sum(m.topic == "emotiny/kitchen/status" and m.payload == b"offline" for m in listener.heard) == 1
    assert told(listener.wait(lambda m: m.topic.endswith("/event") and told(m)["event"] == "left"))["id"] == 1
    assert (
        told([m for m in listener.heard if m.topic.endswith("/state") and b"faces" in m.payload][-1])["faces"]
        == 0
    )


def test_reading_is_switched_off_and_on_and_nonsense_is_refused(broker, listener, sink_on, caplog):
    asked: list[bool] = []
    sink_on(broker.port, switch=asked.append)
    listener.topic("emotiny/kitchen/status", "online")
    time.sleep(0.3)
    for payload in (b"off", b"", b"OFF\n", b"ON" * 100_000, b"\xff\x00", b"OFF"):
        listener.client.publish("emotiny/kitchen/enabled/set", payload, 1)
    listener.topic("emotiny/kitchen/enabled/state", "OFF")
    assert asked == [False]
    said = [text for record in caplog.records if "expected ON or OFF" in (text := record.getMessage())]
    assert len(said) == 1  # the next ten seconds later at most, with how many there were
    assert len(said[0]) < 200
    listener.forget()
    listener.client.publish("emotiny/kitchen/enabled/set", b"ON", 1)
    listener.topic("emotiny/kitchen/enabled/state", "ON")
    assert asked == [False, True]


def test_a_camera_is_there_while_reading_is_switched_off(broker, listener, sink_on):
    sink = sink_on(broker.port)
    listener.topic("emotiny/kitchen/status", "online")
    for _ in range(3):
        sink.idle("off")
    listener.topic("emotiny/kitchen/camera", "online")
    sink.set_reading(on=False)
    listener.topic("emotiny/kitchen/enabled/state", "OFF")
    assert sum(m.topic == "emotiny/kitchen/camera" for m in listener.heard) == 1
    sink.idle("gone")
    listener.topic("emotiny/kitchen/camera", "offline")
    listener.forget()
    sink.idle("off")
    listener.topic("emotiny/kitchen/camera", "online")


def test_a_picture_that_was_in_work_when_reading_was_switched_off_says_nothing_of_faces(
    broker, listener, sink_on, frame_and_report
):
    sink = sink_on(broker.port)
    listener.topic("emotiny/kitchen/status", "online")
    listener.client.publish("emotiny/kitchen/enabled/set", b"OFF", 1)
    listener.topic("emotiny/kitchen/enabled/state", "OFF")
    listener.forget()
    sink.send(*frame_and_report(1, NEAR))
    listener.topic("emotiny/kitchen/camera", "online")
    listener.client.publish("emotiny/kitchen/enabled/set", b"ON", 1)
    listener.topic("emotiny/kitchen/enabled/state", "ON")
    assert not [m.topic for m in listener.heard if m.topic.endswith(("/event", "/faces", "/stats"))]
    sink.send(*frame_and_report(2, NEAR))
    assert told(listener.topic("emotiny/kitchen/event"))["event"] == "appeared"


def test_home_assistant_s_birth_is_answered(broker, listener, sink_on):
    sink_on(broker.port)
    config = listener.topic("homeassistant/device/emotiny_kitchen/config")
    payload = told(config)
    assert payload["dev"]["ids"] == ["emotiny_kitchen"]
    assert {part["p"] for part in payload["cmps"].values()} == {"sensor", "binary_sensor", "switch"}
    listener.forget()
    listener.client.publish("homeassistant/status", "online", 1)
    listener.topic("homeassistant/device/emotiny_kitchen/config")


def test_the_last_will_after_sigkill(broker, listener, models):
    command = [
        *(sys.executable, "-m", "edge", "run", "--source", "demo", "--mqtt-host", "127.0.0.1"),
        *("--mqtt-port", str(broker.port), "--mqtt-device", "hall", "--log-level", "error"),
        *("--emotion-model", str(models / "tiny_emotion.json")),
        *("--gender-model", str(models / "tiny_gender.json")),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        listener.topic("emotiny/hall/status", "online")
        listener.topic("emotiny/hall/camera", "online")
        assert told(listener.wait(lambda m: m.topic == "emotiny/hall/state" and told(m)["faces"] > 0))
        process.send_signal(signal.SIGKILL)
        listener.topic("emotiny/hall/status", "offline")
    finally:
        process.kill()
        process.communicate()


def test_a_password_from_a_file_and_an_access_list(locked, tmp_path, sink_on, frame_and_report):
    secret = tmp_path / "secret"
    secret.write_text("secret of kitchen\n")
    listener = Listener(locked.port, login=("ear", "secret of ear"))
    sink = sink_on(locked.port, username="kitchen", password_file=secret)
    listener.topic("emotiny/kitchen/status", "online")
    sink.send(*frame_and_report(1, NEAR))
    listener.wait(lambda m: m.topic == "emotiny/kitchen/state" and told(m)["faces"] == 1)
    listener.close()


def test_tls_with_a_certificate_of_the_device(encrypted, authority, sink_on, frame_and_report):
    own = {
        "ca_certs": str(authority / "ca.crt"),
        "certfile": str(authority / "device.crt"),
        "keyfile": str(authority / "device.key"),
    }
    listener = Listener(encrypted.port, tls=own)
    sink = sink_on(
        encrypted.port,
        host="localhost",
        tls=True,
        ca=authority / "ca.crt",
        certificate=authority / "device.crt",
        key=authority / "device.key",
    )
    listener.topic("emotiny/kitchen/status", "online")
    sink.send(*frame_and_report(1, NEAR))
    listener.topic("emotiny/kitchen/event")
    listener.close()


@pytest.mark.parametrize(
    ("more", "said"),
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
    ],
)
def test_what_cannot_be(more, said):
    from pathlib import Path

    paths = {
        name: Path(value) for name, value in more.items() if name in {"ca", "certificate", "password_file"}
    }
    with pytest.raises(ConfigError) as caught:
        MqttSettings(**(more | paths))
    assert said in str(caught.value)


def test_a_certificate_that_is_none(tmp_path):
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("nothing")
    with pytest.raises(ConfigError, match="mqtt certificates"):
        MqttSink(MqttSettings(host="localhost", tls=True, ca=nonsense))


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
    assert "--mqtt-password-file FILE" in (said := capsys.readouterr().out)
    assert "--mqtt-password " not in said


def secret_of(*words, **variables):
    """The password that a run with these flags and variables has."""
    from edge.cli.parser import parser
    from edge.settings.loader import settings_of

    arguments = parser().parse_args(["run", *map(str, words)])
    return settings_of(arguments, {"HOME": "/nowhere", **variables}).mqtt.read_password()


@pytest.fixture
def settings_file(tmp_path):
    """A file of settings, with the service's password beside it."""
    path = tmp_path / "settings" / "config.toml"
    path.parent.mkdir()
    path.touch()
    (path.parent / "mqtt_password").write_text("the service's\n")
    return path


def test_by_hand_the_password_beside_the_settings_is_the_service_s(settings_file):
    assert secret_of("--config", settings_file) == "the service's"
    assert secret_of(EMOTINY_CONFIG=str(settings_file)) == "the service's"
    assert secret_of() == ""
    (settings_file.parent / "mqtt_password").write_text("\n")  # as the unit gives where there is none
    assert secret_of("--config", settings_file) == ""


def test_what_systemd_hands_over_goes_before_what_lies_beside_the_settings(settings_file, tmp_path):
    handed = tmp_path / "credentials"
    handed.mkdir()
    more = {"CREDENTIALS_DIRECTORY": str(handed)}
    assert secret_of("--config", settings_file, **more) == ""
    (handed / "mqtt_password").write_text("an instance's\n")
    assert secret_of("--config", settings_file, **more) == "an instance's"


def test_a_password_goes_before_one_that_is_less_near(settings_file, tmp_path):
    """By whichever of the two ways either is given."""
    other = tmp_path / "other"
    other.write_text("from a file\n")
    words = ("--config", settings_file)
    for text in ('password = "plain"', f'password_file = "{other}"'):
        settings_file.write_text(f"[mqtt]\n{text}\n")
        assert secret_of(*words) == ("plain" if "plain" in text else "from a file")
        assert secret_of(*words, EMOTINY_MQTT_PASSWORD="a variable's") == "a variable's"
        assert secret_of(*words, EMOTINY_MQTT_PASSWORD="") == ""
        assert secret_of(*words, "--mqtt-password-file", other, EMOTINY_MQTT_PASSWORD="x") == "from a file"
    settings_file.write_text(f'[mqtt]\npassword = "plain"\npassword_file = "{other}"\n')
    with pytest.raises(ConfigError, match="mqtt password and password_file: expected one of them"):
        secret_of(*words)


def test_a_password_that_is_for_root_alone_is_left_out_but_not_one_that_is_handed_over(
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


def found_by_check(settings):
    from edge.diagnostics.check import try_broker

    return try_broker(settings)


def test_check_knows_a_broker_that_takes_messages(broker):
    found = found_by_check(MqttSettings(host="127.0.0.1", port=broker.port))
    assert found == f"127.0.0.1:{broker.port}, MQTT 5: connects, and takes messages"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"username": "kitchen", "password": "wrong"}, "refuses: Not authorized; are mqtt.username"),
        (
            {"username": "kitchen"},
            "refuses: Not authorized; mqtt.username is set without a password; only root and",
        ),
        ({}, "refuses: Not authorized; are mqtt.username and its password right"),
        (
            {"username": "kitchen", "password": "secret of kitchen", "device": "hall"},
            "Not authorized on emotiny/hall/check; let this user write emotiny/hall/#",
        ),
    ],
)
def test_check_says_what_a_broker_refuses(locked, more, said):
    with pytest.raises(ConfigError) as caught:
        found_by_check(
            MqttSettings(**({"host": "127.0.0.1", "port": locked.port, "device": "kitchen"} | more))
        )
    assert said in str(caught.value)


# Where the handshake fails paho leaves its socket to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_check_says_that_a_certificate_is_not_trusted(encrypted, authority):
    other = MqttSettings(host="localhost", port=encrypted.port, tls=True, ca=authority / "other.crt")
    with pytest.raises(ConfigError, match="its certificate is not trusted"):
        found_by_check(other)


def test_check_says_that_a_name_is_not_known():
    with pytest.raises(ConfigError, match="its name is not known"):
        found_by_check(MqttSettings(host="no-such-host.invalid"))
