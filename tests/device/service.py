"""A unit of the package in a guest."""

from __future__ import annotations

import shlex
import time

from tests.device.guest import Guest, run, wait_until, write_file


class Service:
    """A unit that is installed in a guest, with default settings and without the changes of earlier tests."""

    def __init__(self, guest: Guest, unit: str = "emotiny", file: str = "config") -> None:
        """Stops the unit and removes the drop-in of an earlier test, but none of the installer's.

        Args:
            guest: Where the unit is installed.
            unit: Name of the unit.
            file: Name of its settings file in /etc/emotiny, without the suffix.
        """
        self.guest = guest
        self.unit = unit
        self._file = f"/etc/emotiny/{file}.toml"
        self._drop_ins = f"/etc/systemd/system/{unit}.service.d"
        run(guest, f"systemctl stop {unit}; rm -f {self._drop_ins}/test.conf; systemctl daemon-reload")
        run(guest, f"systemctl reset-failed {unit}", code=None)
        # The cursor is that of a line of our own: --after-cursor would leave out one of the unit's.
        run(guest, "echo begin | systemd-cat; journalctl --sync")
        self._cursor = run(guest, "journalctl --quiet --lines=1 --show-cursor").partition("cursor: ")[2]

    def write_settings(self, settings: str) -> None:
        """Writes its settings file."""
        write_file(self.guest, self._file, settings + "\n")

    def drop_in(self, lines: str) -> None:
        """Replaces its drop-in, which changes the section [Service] of the unit."""
        write_file(self.guest, f"{self._drop_ins}/test.conf", f"[Service]\n{lines}\n")
        run(self.guest, "systemctl daemon-reload")

    def start(self, *, code: int | None = 0) -> float:
        """Starts it and returns the seconds until it is ready.

        Args:
            code: The exit code that systemctl must have; None for any.
        """
        start_s = time.monotonic()
        run(self.guest, f"systemctl start {self.unit}", code=code)
        return time.monotonic() - start_s

    def systemctl(self, command: str) -> float:
        """Runs a systemctl command on it and returns the seconds that it took."""
        start_s = time.monotonic()
        run(self.guest, f"systemctl {command} {self.unit}")
        return time.monotonic() - start_s

    def show(self, name: str) -> str:
        """Returns one of its properties."""
        return run(self.guest, f"systemctl show --property={name} --value {self.unit}")

    def wait(self, limit_s: float = 60, **properties: str) -> float:
        """Waits until its properties match patterns, and returns the seconds that it took.

        Args:
            limit_s: Fails after so many seconds.
            **properties: {name of a property: pattern}.
        """
        tests = [
            f"systemctl show --property={name} --value {self.unit} | grep -qE '{pattern}'"
            for name, pattern in properties.items()
        ]
        try:
            return wait_until(self.guest, " && ".join(tests), limit_s=limit_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.journal()}") from error

    def pid(self) -> int:
        """Returns the id of its main process."""
        return int(self.show("MainPID"))

    def cpu_share(self, seconds: float) -> float:
        """Returns the share of a core that it uses during the next seconds."""
        start_ns, start_s = int(self.show("CPUUsageNSec")), time.monotonic()
        time.sleep(seconds)
        return (int(self.show("CPUUsageNSec")) - start_ns) / 1e9 / (time.monotonic() - start_s)

    def journal(self, *filters: str, of_unit: bool = True) -> str:
        """Returns what was logged since the constructor ran.

        Args:
            *filters: Further arguments of journalctl.
            of_unit: Only what the unit logged, and systemd about it.
        """
        unit = f"--unit={self.unit}" if of_unit else ""
        options = f"--output=cat --quiet --no-pager {unit} --cursor={shlex.quote(self._cursor)}"
        return run(self.guest, f"journalctl --sync; journalctl {options} {' '.join(filters)}")
