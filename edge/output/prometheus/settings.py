"""Settings of the metrics endpoint."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from edge.errors import ConfigError
from edge.option import option


@dataclass(frozen=True)
class MetricsSettings:
    """The address that the metrics endpoint listens on, IPv4 or IPv6."""

    port: int = field(
        default=0,
        metadata=option(
            "port for Prometheus, at /metrics, above 1023 without root's rights; 0 opens none",
            "--metrics-port",
        ),
    )
    address: str = field(
        default="127.0.0.1",
        metadata=option(
            "address of this device to listen on; 0.0.0.0 for access from other machines",
            "--metrics-address",
        ),
    )

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"metrics port {self.port}: must be 0 (off) to 65535")
        try:
            # The system encodes it as a host's name, and what follows a % may be any text.
            self.address.encode("ascii")
            ipaddress.ip_address(self.address)
        except ValueError as error:
            raise ConfigError(
                f"metrics address {self.address!r}: expected an address of this device, such as 127.0.0.1, "
                "or 0.0.0.0 for all"
            ) from error

    @property
    def ipv6(self) -> bool:
        """Whether the address is an IPv6 address."""
        return ipaddress.ip_address(self.address).version == 6

    @property
    def url(self) -> str:
        """URL of the metrics for programs that can reach the address."""
        host = f"[{self.address}]" if self.ipv6 else self.address
        return f"http://{host}:{self.port}/metrics"
