import itertools
import random

from edge.output.mqtt.backoff import Backoff
from tests.support.clock import Clock


def test_delays_double_up_to_a_limit_and_are_spread():
    delays = {}
    for factor, seed in itertools.product((0.5, 1.5, None), range(20)):
        uniform = random.Random(seed).uniform if factor is None else lambda *_, factor=factor: factor
        backoff = Backoff(Clock(), uniform)
        delays[factor, seed] = [backoff.disconnected() for _ in range(50)]
    assert delays[0.5, 0][:6] == [1.0, 2.0, 4.0, 8.0, 16.0, 20.0]
    assert delays[1.5, 0][:6] == [3.0, 6.0, 12.0, 24.0, 48.0, 60.0]
    assert max(max(each) for each in delays.values()) == 60.0
    assert min(min(each) for each in delays.values()) == 1.0
    assert len({tuple(delays[None, seed]) for seed in range(20)}) == 20


def test_delays_start_anew_after_a_stable_connection():
    clock = Clock()
    backoff = Backoff(clock, lambda *_: 1.0)
    assert [backoff.disconnected() for _ in range(4)] == [2.0, 4.0, 8.0, 16.0]
    backoff.connected()
    clock.now_s += 29
    assert backoff.disconnected() == 32.0
    backoff.connected()
    clock.now_s += 30
    assert backoff.disconnected() == 2.0
    clock.now_s += 500  # without a connection, however long, they go on growing
    assert backoff.disconnected() == 4.0


def test_the_longest_delay_can_be_asked_for():
    clock = Clock()
    backoff = Backoff(clock, lambda *_: 1.0)
    backoff.connected()
    clock.now_s += 500
    assert backoff.disconnected(longest=True) == 40.0


def test_delays_grow_faster_after_suspicious_losses_and_a_stable_connection_must_last_longer():
    clock = Clock()
    backoff = Backoff(clock, lambda *_: 1.0)
    delays = []
    for lasted_s in (500, 2, 2, 60, 119, 120, 2):
        backoff.connected()
        clock.now_s += lasted_s
        delays.append(backoff.disconnected(suspicious=True))
    assert delays == [2.0, 16.0, 40.0, 40.0, 40.0, 2.0, 16.0]


def test_a_broker_that_was_stopped_after_a_stable_connection_is_soon_tried_again():
    clock = Clock()
    backoff = Backoff(clock, lambda *_: 1.0)
    backoff.connected()
    clock.now_s += 500
    assert backoff.disconnected(suspicious=True) == 2.0
    assert [backoff.disconnected() for _ in range(2)] == [4.0, 8.0]


def test_a_remedied_loss_is_followed_by_the_shortest_delay_and_resets_nothing():
    backoff = Backoff(Clock(), lambda *_: 1.0)
    assert [backoff.disconnected() for _ in range(3)] == [2.0, 4.0, 8.0]
    assert [backoff.disconnected(remedied=True) for _ in range(2)] == [2.0, 2.0]
    assert backoff.disconnected() == 16.0
