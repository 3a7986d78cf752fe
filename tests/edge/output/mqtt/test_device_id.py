"""What devices are called that nobody named."""

import re

import pytest

from edge.output.mqtt.device_id import default_device
from edge.output.mqtt.settings import MqttSettings


@pytest.fixture
def machine(tmp_path):
    """Makes files that say which machine it is."""

    def make(text):
        path = tmp_path / text
        path.write_text(text)
        return path

    return make


def test_a_machine_with_a_name_of_its_own_is_called_that(machine):
    assert default_device({}, "kitchen", machine("1")) == "kitchen"


def test_machines_that_are_called_like_many_others_differ(machine):
    names = {default_device({}, "raspberrypi", machine(text)) for text in ("1", "2")}
    assert len(names) == 2
    assert all(re.fullmatch(r"raspberrypi-[0-9a-f]{4}", name) for name in names)
    assert default_device({}, "raspberrypi", machine("1")) in names  # the same at every start


def test_services_of_one_machine_differ(machine):
    assert default_device({"EMOTINY_INSTANCE": "hall"}, "kitchen", machine("1")) == "kitchen-hall"
    assert re.fullmatch(
        r"raspberrypi-[0-9a-f]{4}-hall",
        default_device({"EMOTINY_INSTANCE": "hall"}, "raspberrypi", machine("1")),
    )


@pytest.mark.parametrize("host", ["", "a.b", "küche/#", "x" * 80, "localhost"])
def test_whatever_a_machine_is_called_it_is_a_name(host, tmp_path):
    name = default_device({"EMOTINY_INSTANCE": "hall +"}, host, tmp_path / "none")
    assert MqttSettings(device=name).device == name
