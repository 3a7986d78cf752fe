"""What the board says of itself: temperature, and whether its firmware holds it back."""

from __future__ import annotations

from pathlib import Path

from edge.types import BoardState

# All reasons for which a board is held back, by bits of a Raspberry Pi's get_throttled that tell of now; from
# 16 on they tell of what was.
REASONS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
# Where kernels have had that file, beneath /sys/devices/platform.
_PI_FILES = ("soc/soc:firmware/get_throttled", "*/*:firmware/get_throttled", "*:firmware/get_throttled")
# Zones of the processor; a board has others, of a charger or a radio.
_ZONES = ("cpu", "soc", "tj", "pkg")
# What slows the processor, among fans; a Jetson's is cpu-throttle-alert.
_COOLERS = ("cpufreq", "throttle")


class ThermalSensors:
    """Reads Linux's thermal zones and cooling devices, and a Raspberry Pi's firmware."""

    def __init__(self, sys: Path = Path("/sys")) -> None:
        """Looks for what there is to read, once.

        Args:
            sys: where sysfs is mounted.
        """
        thermal = sys / "class" / "thermal"
        zones = sorted(thermal.glob("thermal_zone*"))
        of_processor = [zone for zone in zones if any(name in _read(zone / "type") for name in _ZONES)]
        self._temperatures = [zone / "temp" for zone in of_processor or zones]
        self._coolers = [
            cooler / "cur_state"
            for cooler in sorted(thermal.glob("cooling_device*"))
            if any(name in _read(cooler / "type") for name in _COOLERS)
        ]
        platform = sys / "devices" / "platform"
        self._pi = next((path for pattern in _PI_FILES for path in sorted(platform.glob(pattern))), None)

    def state(self) -> BoardState:
        """What can be read now; a sensor that does not answer is left out."""
        celsius = [value / 1000 for value in map(_number, self._temperatures) if value is not None]
        throttled = []
        bits = _number(self._pi, 16) if self._pi else None
        if bits is not None:
            throttled = [name for bit, name in enumerate(REASONS) if bits >> bit & 1]
        elif any(_number(cooler) for cooler in self._coolers):
            throttled = ["throttled"]
        return BoardState(max(celsius, default=None), tuple(throttled))


def _read(path: Path) -> str:
    # Sensors of a part that is switched off answer with an error, of a part that is gone with none.
    try:
        return path.read_text().strip().lower()
    except OSError:
        return ""


def _number(path: Path, base: int = 10) -> int | None:
    try:
        return int(_read(path), base)
    except ValueError:
        return None
