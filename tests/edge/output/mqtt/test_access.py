"""Brokers that require a password and forbid topics."""

import json
from pathlib import Path

import pytest

from edge.types import Box
from tests.support.broker import Broker, Listener, needs_mosquitto, payload_of, wait_until
from tests.support.reports import with_new_ids

pytestmark = needs_mosquitto

NEAR = Box(100, 60, 80, 80)


def test_a_password_from_a_file_and_an_access_list(locked, tmp_path, sink_on, frame_and_report):
    secret = tmp_path / "secret"
    secret.write_text("secret of kitchen\n")
    listener = Listener(locked.port, login=("ear", "secret of ear"))
    sink = sink_on(locked.port, username="kitchen", password_file=secret)
    listener.wait_topic("emotiny/kitchen/status", "online")
    sink.send(*frame_and_report(1, NEAR))
    listener.wait(lambda m: m.topic == "emotiny/kitchen/state" and payload_of(m)["faces"] == 1)
    listener.close()


def test_a_wrong_password_is_logged_once_and_never_printed(locked, sink_on, log, backoff):
    sink_on(locked.port, username="kitchen", password="wrong but private", backoff=backoff)
    log.wait("refuses")
    wait_until(lambda: len(backoff.delays_s) > 3)
    assert len(log.faults()) == 1
    assert "refuses: Not authorized; are mqtt.username and its password right" in log.faults()[0]
    assert "private" not in "".join(log.lines())


def test_a_topic_that_the_access_list_forbids_is_logged_once(locked_with, sink_on, frame_and_report, log):
    broker = locked_with(
        "user kitchen\ntopic readwrite emotiny/kitchen/status\ntopic write emotiny/kitchen/camera\n"
    )
    sink = sink_on(broker.port, username="kitchen", password="secret of kitchen")
    log.wait("connected")
    number = 0
    while sink.dropped < 20:  # rejected messages count as dropped; of each topic the first one is logged
        number += 1
        sink.send(*with_new_ids(number, *frame_and_report(number, NEAR)))
        wait_until(lambda: sink.unsent == 0)
    lines = log.faults()
    for name in (
        "emotiny/kitchen/state",
        "emotiny/kitchen/event",
        "emotiny/kitchen/enabled/state",
        "emotiny/kitchen/aim",
    ):
        assert (
            sum(
                f"Not authorized on {name}; let this user write emotiny/kitchen/# in the broker's access"
                in line
                for line in lines
            )
            == 1
        )
    assert (
        sum("let this user write homeassistant/device/emotiny_kitchen/config in" in line for line in lines)
        == 1
    )
    assert len(lines) == 5


def test_a_refused_subscription_is_logged_once_per_topic(tmp_path, sink_on, log):
    found = list(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))
    if not found:
        pytest.skip("Mosquitto's plugin is not where Debian puts it")
    # Mosquitto's own access list refuses no subscription; it delivers nothing instead.
    allowed = {
        "publishClientSend": True,
        "publishClientReceive": True,
        "unsubscribe": True,
        "subscribe": False,
    }
    rules = {"defaultACLAccess": allowed, "clients": [], "groups": [], "roles": []}
    (tmp_path / "rules.json").write_text(json.dumps(rules))
    broker = Broker(tmp_path, f"plugin {found[0]}", f"plugin_opt_config_file {tmp_path / 'rules.json'}")
    sink = sink_on(broker.port)
    log.wait(
        "Not authorized to listen to homeassistant/status; let this user read it in the broker's access list"
    )
    log.wait("Not authorized to listen to emotiny/kitchen/enabled/set")
    broker.kill()
    broker.start()
    log.wait("connected again")
    assert sum("to listen to" in line for line in log.lines()) == 2
    sink.close()
    broker.kill()
