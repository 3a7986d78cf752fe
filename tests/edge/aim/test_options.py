import math

import pytest

from edge.aim.options import AimOptions
from edge.errors import ConfigError


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"port": -1}, "--port -1: must be 0 to 65535"),
        ({"port": 65536}, "--port 65536: must be 0 to 65535"),
        ({"minutes": 0}, "--minutes 0: must be 1 to 60"),
        ({"minutes": 61}, "--minutes 61: must be 1 to 60"),
        ({"lens_deg": 9.9}, "--lens 9.9: must be 10 to 170"),
        ({"lens_deg": math.nan}, "--lens nan: must be 10 to 170"),
        ({"address": "localhost"}, "--address 'localhost': expected an address of this device"),
        ({"address": ""}, "--address '': expected an address of this device"),
    ],
)
def test_options_that_are_refused(more, text):
    with pytest.raises(ConfigError) as caught:
        AimOptions(**more)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("address", "is_local", "ipv6"),
    [("127.0.0.1", True, False), ("::1", True, True), ("0.0.0.0", False, False), ("::", False, True)],
)
def test_which_addresses_only_this_device_can_reach(address, is_local, ipv6):
    options = AimOptions(address=address)
    assert (options.is_local, options.ipv6) == (is_local, ipv6)
