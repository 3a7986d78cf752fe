"""Options of `emotiny aim`. They are no settings, so that no file can leave the page open."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from edge.detection.distance import FIELD_OF_VIEW_DEG
from edge.errors import ConfigError


@dataclass(frozen=True)
class AimOptions:
    """Where the page is served, for how long, and what it shows.

    Attributes:
        address: IPv4 or IPv6 address of this device to listen on.
        port: Port to listen on; 0 takes any free one.
        minutes: Minutes after which the page ends by itself, 1 to 60.
        lens_deg: Horizontal field of view of the lens in degrees, 10 to 170, for distances.
        show_picture: Whether the page shows the picture itself instead of its lines.
    """

    address: str = "127.0.0.1"
    port: int = 8090
    minutes: int = 10
    lens_deg: float = FIELD_OF_VIEW_DEG
    show_picture: bool = False

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("--port", self.port, 0, 65535),
            ("--minutes", self.minutes, 1, 60),
            ("--lens", self.lens_deg, 10, 170),
        ):
            if not low <= value <= high:  # neither is NaN
                raise ConfigError(f"{name} {value}: must be {low} to {high}")
        try:
            ipaddress.ip_address(self.address)
        except ValueError as error:
            raise ConfigError(
                f"--address {self.address!r}: expected an address of this device, such as 127.0.0.1, or "
                "0.0.0.0 for all"
            ) from error

    @property
    def ipv6(self) -> bool:
        """Whether the address is an IPv6 address."""
        return ipaddress.ip_address(self.address).version == 6

    @property
    def is_local(self) -> bool:
        """Whether only programs on this device can connect."""
        return ipaddress.ip_address(self.address).is_loopback
