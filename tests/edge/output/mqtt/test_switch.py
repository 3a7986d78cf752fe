"""Reading that is switched off stays off."""

import contextlib
import json
import signal
import subprocess
import sys

import pytest

from edge.output.mqtt.settings import MqttSettings
from edge.output.mqtt.sink import MqttSink
from tests.support.broker import MOSQUITTO, until

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="no mosquitto: apt-get install mosquitto")


def test_a_sink_says_at_its_beginning_what_holds(broker, listener):
    settings = MqttSettings(host="127.0.0.1", port=broker.port, device="kitchen")
    with contextlib.closing(MqttSink(settings, reading=False)):
        listener.topic("emotiny/kitchen/enabled/state", "OFF")
        assert json.loads(listener.topic("emotiny/kitchen/state").payload)["presence"] == "OFF"
    assert not [
        m for m in listener.heard if m.topic == "emotiny/kitchen/enabled/state" and m.payload == b"ON"
    ]


def test_a_standing_order_goes_before_what_holds(broker, listener):
    listener.client.publish("emotiny/kitchen/enabled/set", b"OFF", 1, retain=True).wait_for_publish(5)
    asked: list[bool] = []
    settings = MqttSettings(host="127.0.0.1", port=broker.port, device="kitchen")
    with contextlib.closing(MqttSink(settings, asked.append)):
        listener.topic("emotiny/kitchen/enabled/state", "OFF")
        assert asked == [False]


@pytest.fixture
def run(models, tmp_path):
    """Starts a run of the demo by a file of settings, whose lines go into a file."""
    path, out = tmp_path / "config.toml", tmp_path / "out"
    command = [
        *(
            sys.executable,
            "-m",
            "edge",
            "run",
            "--source",
            "demo",
            "--config",
            str(path),
            "--output",
            "jsonl",
        ),
        *("--emotion-model", str(models / "tiny_emotion.json")),
        *("--gender-model", str(models / "tiny_gender.json")),
    ]
    processes = []

    def start(text):
        path.write_text(text)
        with out.open("w") as file:
            processes.append(subprocess.Popen(command, stdout=file, stderr=subprocess.DEVNULL))
        return processes[0], path, out

    yield start
    for process in processes:
        process.kill()
        process.wait()


def test_new_settings_do_not_switch_on_what_is_switched_off_unless_nobody_could(broker, listener, run):
    process, path, out = run(f'[mqtt]\nhost = "127.0.0.1"\nport = {broker.port}\ndevice = "hall"\n')
    listener.topic("emotiny/hall/enabled/state", "ON")
    listener.topic("emotiny/hall/camera", "online")
    listener.client.publish("emotiny/hall/enabled/set", b"OFF", 1)  # which the broker does not keep
    listener.topic("emotiny/hall/enabled/state", "OFF")
    listener.forget()
    process.send_signal(signal.SIGHUP)
    listener.topic("emotiny/hall/status", "online")
    assert listener.topic("emotiny/hall/enabled/state").payload == b"OFF"
    before_bytes = out.stat().st_size
    path.write_text("")
    process.send_signal(signal.SIGHUP)
    until(lambda: out.stat().st_size > before_bytes)
