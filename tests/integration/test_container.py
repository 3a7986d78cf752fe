"""The Dockerfile and compose.yaml, without an engine; `make test-device-container` runs the image."""

import re
import socket
import subprocess
from pathlib import Path

import pytest

import edge
from edge.settings.loader import RESERVED_VARIABLES, read_environment
from tests.support.broker import Listener, free_port, needs_mosquitto, wait_for_port

yaml = pytest.importorskip("yaml", reason="no PyYAML: make install")

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
UNIT = (ROOT / "systemd" / "emotiny.service").read_text()
SERVICES = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
PASSWORD = "only 'for' us"
# Codes of MQTT 3.1.1 (section 3.2.2.3).
ACCEPTED, NOT_AUTHORIZED = 0, 5


def found(pattern, text):
    match = re.search(pattern, text)
    assert match, pattern
    return match[1]


def value_of(variable):
    """Returns the value of a variable that the image sets."""
    return found(rf"\b{variable}=(\S+)", DOCKERFILE)


def seconds_of(option):
    return int(found(rf"--{option}=(\d+)s", DOCKERFILE))


def test_every_base_has_a_version():
    stages = set(re.findall(r"^FROM \S+ AS (\w+)", DOCKERFILE, re.MULTILINE))
    bases = {*re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)} - stages
    pulled = {service["image"] for service in SERVICES.values() if "build" not in service}
    assert bases and pulled
    assert [
        name for name in bases | pulled if not re.search(r":.*[a-z0-9]", name) or name.endswith(":latest")
    ] == []
    assert SERVICES["emotiny"]["image"] == f"emotiny:{edge.__version__}"


def test_both_processors_have_a_lock_file():
    (lock,) = re.findall(r"systemd/requirements/(\S+)-\$\(uname -m\)\.txt", DOCKERFILE)
    for machine in ("aarch64", "x86_64"):
        assert (ROOT / "systemd" / "requirements" / f"{lock}-{machine}.txt").is_file()
    assert DOCKERFILE.count("--require-hashes") == DOCKERFILE.count(" -r ")


def test_the_settings_of_the_image_exist_and_those_of_the_unit_are_in_it():
    text = DOCKERFILE + "".join(f" {name}=x" for name in SERVICES["emotiny"]["environment"])
    names = set(re.findall(r"\b(EMOTINY_\w+)=", text)) - RESERVED_VARIABLES
    assert len(names) >= 5
    for name in names:
        values = [text for text in ("none", "1", "true") if is_read(name, text)]
        assert values, name
    assert f"EMOTINY_RECONNECT={value_of('EMOTINY_RECONNECT')}" in UNIT
    # What the unit does by StandardOutput=null.
    assert value_of("EMOTINY_OUTPUT") == "none"


def is_read(name, text):
    try:
        return bool(read_environment({name: text}).values)
    except ValueError as error:
        assert "no setting" not in str(error)
        return False


def test_a_hang_is_noticed_within_the_time_of_the_unit():
    watchdog_s = int(value_of("WATCHDOG_USEC")) / 1e6
    assert f"WatchdogSec={watchdog_s:g}\n" in UNIT
    assert seconds_of("timeout") > watchdog_s
    assert value_of("NOTIFY_SOCKET").startswith("@")


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_confined(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert {"mem_limit", "pids_limit", "tmpfs"} <= service.keys()
    assert not {"privileged", "network_mode", "pid", "cap_add", "volumes_from"} & service.keys()


def test_emotiny_has_the_memory_that_the_unit_gives_it():
    assert SERVICES["emotiny"]["mem_limit"] == found(r"MemoryMax=(\w+)", UNIT).lower()


@needs_mosquitto
def test_the_broker_takes_the_password_and_no_other(tmp_path):
    """Its script runs as it is, but for its folders and its port."""
    shell, options, script = SERVICES["mosquitto"]["command"]
    port = free_port()
    (tmp_path / "data").mkdir()
    script = (
        script.replace("$$", "$")
        .replace("/mosquitto/data", str(tmp_path / "data"))
        .replace("/tmp/", f"{tmp_path}/")
    )
    script = script.replace("listener 1883", f"listener {port} 127.0.0.1' 'user root")
    assert script.count(str(tmp_path)) == 6 and str(port) in script
    path = "/usr/sbin:/usr/local/sbin:/usr/bin:/bin"
    broker = subprocess.Popen([shell, options, script], env={"MQTT_PASSWORD": PASSWORD, "PATH": path})
    try:
        assert wait_for_port(port)
        listener = Listener(port, login=("emotiny", PASSWORD))
        listener.client.publish("emotiny/hall/status", "online")
        listener.wait_topic("emotiny/hall/status", "online")
        listener.close()
        assert answer(port, "emotiny", PASSWORD) == ACCEPTED
        assert answer(port, "emotiny", "another") == NOT_AUTHORIZED
        assert answer(port, "", "") == NOT_AUTHORIZED
        assert PASSWORD not in (tmp_path / "passwords").read_text()
        assert PASSWORD not in Path(f"/proc/{broker.pid}/cmdline").read_text()
    finally:
        broker.kill()
        broker.wait()


def answer(port, user, password):
    """Returns the code with which the broker answers a login by MQTT 3.1.1."""
    texts = ["t", *([user, password] if user else [])]
    flags = 0xC2 if user else 0x02
    body = b"\0\4MQTT" + bytes([4, flags, 0, 9])
    body += b"".join(len(text).to_bytes(2, "big") + text.encode() for text in texts)
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(bytes([0x10, len(body)]) + body)
        return connection.recv(4)[3]
