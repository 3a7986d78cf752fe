"""Temperature and throttling, read from files like those of kernels."""

from pathlib import Path

import pytest

from edge.system.thermal import ThermalSensors
from edge.types import BoardState


def write(sys: Path, **files: str) -> Path:
    """Writes files below a sysfs; in their names __ stands for a slash and _colon_ for a colon."""
    for name, text in files.items():
        path = sys / name.replace("__", "/").replace("_colon_", ":")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return sys


def pi(sys: Path, temperature: int, throttled: str) -> Path:
    return write(
        sys,
        class__thermal__thermal_zone0__type="cpu-thermal",
        class__thermal__thermal_zone0__temp=str(temperature),
        class__thermal__cooling_device0__type="pwm-fan",
        class__thermal__cooling_device0__cur_state="3",
        devices__platform__soc__soc_colon_firmware__get_throttled=throttled,
    )


@pytest.mark.parametrize(
    ("bits", "throttled"),
    [
        ("0", ()),
        ("50000", ()),  # throttled before, but not now
        ("50005", ("under-voltage", "throttled")),
        ("a000a", ("frequency capped", "soft temperature limit")),
    ],
)
def test_a_raspberry_pi(tmp_path, bits, throttled):
    assert ThermalSensors(pi(tmp_path, 61322, bits)).state() == BoardState(61.322, throttled)


def test_a_jetson_has_many_zones_and_some_are_asleep(tmp_path):
    write(
        tmp_path,
        class__thermal__thermal_zone0__type="CPU-therm",
        class__thermal__thermal_zone0__temp="51500",
        class__thermal__thermal_zone1__type="tj-therm",
        class__thermal__thermal_zone1__temp="53250",
        class__thermal__thermal_zone2__type="PMIC-Die",
        class__thermal__thermal_zone2__temp="100000",
        class__thermal__thermal_zone3__type="SOC0-therm",
        class__thermal__cooling_device0__type="cpu-throttle-alert",
        class__thermal__cooling_device0__cur_state="0",
    )
    (tmp_path / "class/thermal/thermal_zone3/temp").mkdir()  # reading it is an error
    board = ThermalSensors(tmp_path)
    assert board.state() == BoardState(53.25, ())
    write(tmp_path, class__thermal__cooling_device0__cur_state="1")
    assert board.state() == BoardState(53.25, ("throttled",))


def test_a_board_that_tells_nothing(tmp_path):
    assert ThermalSensors(tmp_path).state() == BoardState(None, ())


def test_this_machine():
    celsius = ThermalSensors().state().temperature_c
    assert celsius is None or 0 < celsius < 120
