from edge.output.mqtt.throttle import LogThrottle
from tests.support.clock import Clock


def test_a_kind_is_due_once_an_interval_with_the_number_in_between():
    clock = Clock()
    throttle = LogThrottle(10.0, clock)
    assert [throttle.due("a"), throttle.due("a"), throttle.due("a"), throttle.due("b")] == [0, None, None, 0]
    clock.now_s = 10.0
    assert [throttle.due("a"), throttle.due("a")] == [2, None]


def test_after_a_reset_every_kind_is_due():
    throttle = LogThrottle(10.0, Clock())
    throttle.due("a")
    assert throttle.due("a") is None
    throttle.reset()
    assert throttle.due("a") == 0
