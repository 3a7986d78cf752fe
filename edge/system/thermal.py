"""Reads the temperature of the board, and whether it is throttled."""

from __future__ import annotations

from pathlib import Path

from edge.types import BoardState

# The reasons for throttling, by the bits of a Raspberry Pi's get_throttled; the bits from 16 on say that the
# same happened before.
REASONS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
# Where different kernels have that file, below /sys/devices/platform.
_PI_FILES = ("soc/soc:firmware/get_throttled", "*/*:firmware/get_throttled", "*:firmware/get_throttled")
# Thermal zones of the processor; a board has others, such as those of a charger or a radio.
_ZONES = ("cpu", "soc", "tj", "pkg")
# Cooling devices that slow the processor, unlike fans; a Jetson's is cpu-throttle-alert.
_COOLERS = ("cpufreq", "throttle")


class ThermalSensors:
    """Reads Linux's thermal zones and cooling devices, and a Raspberry Pi's firmware."""

    def __init__(self, sys: Path = Path("/sys")) -> None:
        """Finds the sensors of this board.

        Args:
            sys: The mount point of sysfs.
        """
        thermal = sys / "class" / "thermal"
        zones = sorted(thermal.glob("thermal_zone*"))
        processor_zones = [zone for zone in zones if any(name in _read(zone / "type") for name in _ZONES)]
        self._temperatures = [zone / "temp" for zone in processor_zones or zones]
        self._coolers = [
            cooler / "cur_state"
            for cooler in sorted(thermal.glob("cooling_device*"))
            if any(name in _read(cooler / "type") for name in _COOLERS)
        ]
        platform = sys / "devices" / "platform"
        self._pi = next((path for pattern in _PI_FILES for path in sorted(platform.glob(pattern))), None)

    def state(self) -> BoardState:
        """Reads the sensors; one that cannot be read is left out."""
        celsius = [value / 1000 for value in map(_number, self._temperatures) if value is not None]
        throttled = []
        bits = _number(self._pi, 16) if self._pi else None
        if bits is not None:
            throttled = [name for bit, name in enumerate(REASONS) if bits >> bit & 1]
        elif any(_number(cooler) for cooler in self._coolers):
            throttled = ["throttled"]
        return BoardState(max(celsius, default=None), tuple(throttled))


def _read(path: Path) -> str:
    # Reading a sensor of a part that is switched off or gone fails.
    try:
        return path.read_text().strip().lower()
    except OSError:
        return ""


def _number(path: Path, base: int = 10) -> int | None:
    try:
        return int(_read(path), base)
    except ValueError:
        return None
