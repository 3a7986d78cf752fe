"""Where Prometheus may ask."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from edge.errors import ConfigError


@dataclass(frozen=True)
class MetricsSettings:
    """An address to listen on.

    Attributes:
        port: 1 to 65535, above 1023 for a user without rights; 0 opens none.
        address: of this device, IPv4 or IPv6; 127.0.0.1 for programs on it only, 0.0.0.0 for whoever can
            reach it.
    """

    port: int = 0
    address: str = "127.0.0.1"

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"metrics port {self.port}: must be 0 (off) to 65535")
        try:
            ipaddress.ip_address(self.address)
        except ValueError as error:
            raise ConfigError(
                f"metrics address {self.address!r}: expected an address of this device, such as 127.0.0.1, "
                "or 0.0.0.0 for all"
            ) from error

    @property
    def ipv6(self) -> bool:
        """Whether the address is of IPv6."""
        return ipaddress.ip_address(self.address).version == 6

    @property
    def url(self) -> str:
        """What is asked for, by a program on this device where the address is its own."""
        host = f"[{self.address}]" if self.ipv6 else self.address
        return f"http://{host}:{self.port}/metrics"
