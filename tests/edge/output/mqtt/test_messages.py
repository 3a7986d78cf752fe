from hypothesis import given, settings

from edge.output.mqtt.messages import parse_enabled
from tests.support.payloads import PAYLOADS


@settings(max_examples=500, deadline=None)
@given(PAYLOADS)
def test_only_on_and_off_are_commands(payload):
    assert parse_enabled(payload) == {b"ON": True, b"OFF": False}.get(payload)


def test_what_a_command_asks_for():
    assert (parse_enabled(b"ON"), parse_enabled(b"OFF")) == (True, False)
