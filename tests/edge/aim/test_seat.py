from edge.aim.seat import Seat
from tests.support.clock import Clock


def test_one_at_a_time_until_the_seat_is_free():
    clock = Clock()
    seat = Seat(clock)
    assert seat.claim("a") == (True, True)
    clock.now_s = 4.0
    assert seat.claim("b") == (False, False)
    assert seat.claim("a") == (True, False)
    clock.now_s = 8.9
    assert seat.claim("b") == (False, False)  # asking does not take the seat away
    clock.now_s = 9.0
    assert seat.claim("b") == (True, True)
    assert seat.claim("a") == (False, False)
