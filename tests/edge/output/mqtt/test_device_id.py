import re

import pytest

from edge.output.mqtt.device_id import default_device
from edge.output.mqtt.settings import MqttSettings


@pytest.fixture
def machine(tmp_path):
    """Makes files such as /etc/machine-id with a given text."""

    def make(text):
        path = tmp_path / text
        path.write_text(text)
        return path

    return make


def test_an_uncommon_host_name_is_used_as_it_is(machine):
    assert default_device({}, "kitchen", machine("1")) == "kitchen"


def test_machines_with_a_common_host_name_get_different_names(machine):
    names = {default_device({}, "raspberrypi", machine(text)) for text in ("1", "2")}
    assert len(names) == 2
    assert all(re.fullmatch(r"raspberrypi-[0-9a-f]{4}", name) for name in names)
    assert default_device({}, "raspberrypi", machine("1")) in names  # the same at every start


def test_services_of_one_machine_get_different_names(machine):
    assert default_device({"EMOTINY_INSTANCE": "hall"}, "kitchen", machine("1")) == "kitchen-hall"
    assert re.fullmatch(
        r"raspberrypi-[0-9a-f]{4}-hall",
        default_device({"EMOTINY_INSTANCE": "hall"}, "raspberrypi", machine("1")),
    )


@pytest.mark.parametrize("host", ["", "a.b", "küche/#", "x" * 80, "localhost"])
def test_any_host_name_leads_to_a_valid_name(host, tmp_path):
    name = default_device({"EMOTINY_INSTANCE": "hall +"}, host, tmp_path / "none")
    assert MqttSettings(device=name).device == name
