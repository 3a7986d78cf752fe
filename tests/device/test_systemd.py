"""The real unit under a real systemd, in a container that `make install-device` was typed in."""

import re
import time

import pytest

from tests.device.guest import Service, put, run, wait
from tests.device.inside import HEARD, PASSWORD, broker, intrude, may_do_nothing, with_broker

ABSENT = 'source = "/dev/video7"'
DEMO = 'source = "demo"'
# So that a test takes seconds; what is tested is that it happens, and after what.
QUICK = "RestartSec=1"


@pytest.fixture(scope="module")
def installed(container, note, say):
    """The container after `make install-device`, from a folder of wheels instead of an index."""
    run(container, "cp -r /payload/tree /root/emotiny; echo 'secret' >/root/secret")
    say("make install-device, from a folder of wheels")
    began_s = time.monotonic()
    run(container, install(), limit_s=600)
    note("make install-device", f"{time.monotonic() - began_s:.0f} s")
    return container


def install():
    offline = "PIP_NO_INDEX=1 PIP_FIND_LINKS=/payload/wheels"
    return f"cd /root/emotiny && {offline} make install-device"


@pytest.fixture
def service(installed):
    made = Service(installed)
    made.set(DEMO)
    yield made
    run(installed, "systemctl stop emotiny", code=None)


def test_an_installation_runs_at_once_and_at_every_boot(installed):
    # There is no camera, and a service shows nobody a demo: it runs, and waits for one.
    wait(installed, "systemctl show -p StatusText emotiny | grep -q 'the camera is gone'")
    assert run(installed, "systemctl is-enabled emotiny") == "enabled"
    written = run(installed, "cat /etc/emotiny/config.toml")
    assert written.startswith("# Settings of emotiny")
    # A new file leaves everything as it is by default.
    assert not [line for line in written.splitlines() if line and line[0] not in "#["]
    assert run(installed, "test ! -e /root/emotiny/build && systemd-analyze verify emotiny.service") == ""


def test_ready_is_said_with_the_first_frame(service, note):
    """The camera is a file that is not there yet: patience waits for it as for a camera."""
    service.set('source = "/run/clip.avi"')
    service.drop_in("TimeoutStartSec=10")
    run(service.guest, "rm -f /run/clip.avi; systemctl start --no-block emotiny")
    time.sleep(15)  # more than a start may take, were systemd not asked for more
    assert (service.show("ActiveState"), service.show("NRestarts")) == ("activating", "0")
    assert service.show("StatusText") == "the camera is gone, it is tried again"
    script = (
        "import cv2\nfrom edge.sources.demo import Demo\nfrom pathlib import Path\nimport edge\n"
        "demo = Demo(Path(edge.__file__).parent / 'sources' / 'demo_faces')\n"
        "out = cv2.VideoWriter('/run/part.avi', cv2.VideoWriter.fourcc(*'MJPG'), 15, (640, 480))\n"
        "for n in range(450): out.write(cv2.cvtColor(demo.frame(n), cv2.COLOR_GRAY2BGR))\nout.release()\n"
    )
    put(service.guest, "/run/clip.py", script)
    run(service.guest, "/opt/emotiny/bin/python /run/clip.py && mv /run/part.avi /run/clip.avi")
    took_s = service.wait(40, ActiveState="^active", StatusText="frames a second")
    note("a camera appears, tried every 16 s by then -> READY", f"{took_s:.1f} s")


def test_frames_a_second_are_told(service, note):
    note("start -> READY", f"{service.start():.1f} s")
    service.wait(30, StatusText=r"^1[45]\.[0-9] frames a second, faces: [12]$")
    note("StatusText", service.show("StatusText"))
    assert service.show("Type") == "notify"
    note("processor at 15 FPS, 640x480", f"{service.busy(20):.1%} of a core")


def test_a_loop_that_hangs_is_killed_and_started_again(service, note):
    service.drop_in(f"WatchdogSec=4\n{QUICK}")
    service.start()
    first = service.pid()
    run(service.guest, f"kill -STOP {first}")
    took_s = service.wait(40, NRestarts="^1$", ActiveState="^active", SubState="^running")
    note("SIGSTOP, WatchdogSec=4, RestartSec=1 -> reads again", f"{took_s:.1f} s")
    assert service.pid() != first
    assert "Watchdog timeout" in service.journal()


def test_an_absent_camera_costs_next_to_nothing_and_is_waited_for(service, note):
    service.set(ABSENT)
    service.drop_in("WatchdogSec=6")
    run(service.guest, "systemctl start --no-block emotiny")
    service.wait(30, StatusText="the camera is gone")
    share = service.busy(25)
    note("processor while the camera is absent", f"{share:.1%} of a core")
    assert share < 0.05
    # Four watchdog times later: the loop is well.
    assert (service.show("ActiveState"), service.show("NRestarts")) == ("activating", "0")
    assert service.journal().count("no such device") == 1


def test_it_stops_at_once_with_a_camera_and_without(service, note):
    for settings, what in ((DEMO, "reading"), (ABSENT, "waiting for a camera")):
        service.set(settings)
        run(service.guest, "systemctl start --no-block emotiny")
        service.wait(30, StatusText="gone" if settings == ABSENT else "frames a second")
        took_s = service.do("stop")
        note(f"systemctl stop while {what}", f"{took_s:.2f} s")
        assert took_s < 10  # TimeoutStopSec, after which it would be killed
        assert (service.show("Result"), service.show("ExecMainStatus")) == ("success", "0")


def test_a_reload_takes_good_settings_and_leaves_wrong_ones(service, note):
    service.drop_in("StandardOutput=journal")
    service.start()
    first = service.pid()
    service.set(f"{DEMO}\noutput = 'jsonl'")
    began_s = time.monotonic()
    service.do("reload")
    wait(service.guest, 'journalctl -u emotiny -o cat -n 5 | grep -q "^{.frame"')
    note("systemctl reload -> new settings hold", f"{time.monotonic() - began_s:.1f} s")
    service.set("sorce = 'demo'")
    service.do("reload")
    wait(service.guest, "journalctl -u emotiny -o cat -p err -n 1 | grep -q SIGHUP")
    (line,) = service.journal("-p err").splitlines()
    assert "no setting 'sorce'; did you mean 'source'?; going on as before" in line
    time.sleep(2)
    assert service.journal().splitlines()[-1].startswith('{"frame"')
    assert (service.pid(), service.show("NRestarts")) == (first, "0")


def test_a_wrong_setting_ends_it_for_good(service):
    service.drop_in(QUICK)
    service.set("sorce = 'demo'")
    service.start(code=1)
    time.sleep(4)
    shown = [service.show(name) for name in ("ActiveState", "Result", "ExecMainStatus", "NRestarts")]
    assert shown == ["failed", "exit-code", "2", "0"]
    assert "emotiny: error: configuration /etc/emotiny/config.toml: no setting 'sorce'" in service.journal()


def test_without_patience_an_absent_camera_is_a_restart(service, note):
    service.drop_in(f"{QUICK}\nEnvironment=EMOTINY_RECONNECT=false")
    service.set(ABSENT)
    run(service.guest, "systemctl start emotiny", code=1)
    took_s = service.wait(60, NRestarts="^[3-9]$")
    note("no patience: three restarts at RestartSec=1", f"{took_s:.1f} s")
    assert "status=1/FAILURE" in service.journal()


def test_a_killed_process_is_started_again(service, note):
    service.drop_in(QUICK)
    service.start()
    run(service.guest, f"kill -9 {service.pid()}")
    took_s = service.wait(30, NRestarts="^1$", ActiveState="^active", SubState="^running")
    note("kill -9, RestartSec=1 -> reads again", f"{took_s:.1f} s")


def test_an_intruder_in_its_place_can_do_nothing(service):
    may_do_nothing(intrude(service))


@pytest.fixture
def listened(installed):
    with broker(installed):
        yield installed


def test_a_credential_logs_in_and_a_death_leaves_a_last_will(service, listened, note):
    put(listened, "/etc/emotiny/mqtt_password", PASSWORD)
    run(listened, "chmod 600 /etc/emotiny/mqtt_password")
    service.set(with_broker("demo", "attic"))
    service.drop_in("RestartSec=20")
    service.start()
    wait(listened, f"grep -q 'emotiny/attic/status online' {HEARD}")
    wait(listened, f"grep -q 'emotiny/attic/state .*presence.:.ON' {HEARD}")
    assert PASSWORD not in service.journal()
    shown = run(
        listened, f"systemctl show emotiny; cat /proc/{service.pid()}/cmdline /proc/{service.pid()}/environ"
    )
    assert PASSWORD not in shown
    began_s = time.monotonic()
    run(listened, "systemctl kill --signal=KILL emotiny")
    wait(listened, f"tail -n 3 {HEARD} | grep -q 'emotiny/attic/status offline'")
    note("kill -9 -> the broker tells the last will", f"{time.monotonic() - began_s:.1f} s")
    # Whoever looks by hand, as the installer does, has the service's password.
    service.do("stop")
    run(listened, "/usr/local/bin/emotiny check | grep -q '^ok     broker: .* takes messages$'")


def test_a_wrong_password_is_told_and_the_reading_goes_on(service, listened):
    put(listened, "/etc/emotiny/mqtt_password", "wrong\n")
    service.set(with_broker("demo", "attic"))
    service.start()
    wait(listened, "journalctl -u emotiny -p err -o cat -n 1 | grep -q refuses")
    (line,) = service.journal("-p err").splitlines()
    assert re.search(r"MQTT broker 127\.0\.0\.1:1883: refuses: Not authorized", line)
    service.wait(20, StatusText="frames a second")


def test_several_cameras_are_several_devices(installed, listened, note):
    services = [Service(installed, f"emotiny@{name}", name) for name in ("hall", "porch")]
    for service, name in zip(services, ("hall", "porch"), strict=True):
        service.set(with_broker("demo", name))
    # One has a password of its own, the other that of all.
    put(listened, "/etc/emotiny/hall.password", PASSWORD)
    services[0].drop_in("LoadCredential=mqtt_password:/etc/emotiny/%i.password")
    for service, password in zip(services, ("wrong\n", PASSWORD), strict=True):
        put(listened, "/etc/emotiny/mqtt_password", password)
        service.start()
    for name in ("hall", "porch"):
        wait(listened, f"grep -q 'emotiny/{name}/state' {HEARD}")
    run(listened, "systemctl kill --signal=KILL emotiny@hall")
    wait(listened, f"grep -q 'emotiny/hall/status offline' {HEARD}")
    assert "emotiny/porch/status offline" not in run(listened, f"cat {HEARD}")
    assert services[1].show("ActiveState") == "active"
    for service in services:
        service.do("stop")
    assert "emotiny/porch/status offline" in run(listened, f"sleep 1; cat {HEARD}")


def test_the_journal_knows_errors_and_warnings(service):
    service.drop_in("RestartSec=60")
    service.set(ABSENT)
    run(service.guest, "systemctl start --no-block emotiny")
    service.wait(30, StatusText="gone")
    warnings = service.journal("-p warning..warning")
    assert "WARNING edge.sources.reconnect: /dev/video7: no such device" in warnings
    assert not service.journal("-p err")
    service.do("stop")
    service.set("sorce = 'demo'")
    service.start(code=1)
    errors = service.journal("-p err..err", "_COMM=emotiny").splitlines()
    assert len(errors) == 1
    assert errors[0].startswith("emotiny: error: configuration /etc/emotiny/config.toml: no setting")


# Settings, a drop-in, and the size of the disk.
FULL = {
    "annotate": ('annotate = "/small/seen.avi"', "", "4m"),
    "jsonl": ("output = 'jsonl'", "StandardOutput=append:/small/out", "256k"),
    # Nobody can be told, and still the exit code says it.
    "jsonl and log": ("output = 'jsonl'", "StandardOutput=append:/small/out\nStandardError=inherit", "256k"),
}
FRAMES = "import cv2; print(int(cv2.VideoCapture('/small/seen.avi').get(cv2.CAP_PROP_FRAME_COUNT)))"


@pytest.mark.parametrize("kind", FULL)
def test_a_full_disk_ends_it_with_a_line_and_nothing_else(service, installed, kind):
    settings, drop_in, size = FULL[kind]
    other = Service(installed, "emotiny@hall", "hall")
    other.set(DEMO)
    other.start()
    run(installed, f"mkdir -p /small && mount -t tmpfs -o size={size},mode=1777,nosuid tmpfs /small")
    try:
        service.set(f"{DEMO}\n{settings}")
        service.drop_in(f"ReadWritePaths=/small\nRestart=no\n{drop_in}")
        run(installed, "systemctl start emotiny", code=None)
        service.wait(60, ActiveState="failed")
        assert (service.show("Result"), service.show("ExecMainStatus")) == ("exit-code", "4")
        lines = [line for line in service.journal("_COMM=emotiny").splitlines() if "error" in line]
        assert len(lines) == (kind != "jsonl and log")
        for line in lines:
            assert line.startswith("emotiny: error: cannot write")
        assert "Traceback" not in service.journal()
        if kind == "annotate":  # what was recorded can be played
            assert int(run(installed, f'/opt/emotiny/bin/python -c "{FRAMES}"')) > 8
        other.wait(20, ActiveState="active", StatusText="frames a second")
    finally:
        run(installed, "systemctl stop emotiny emotiny@hall; umount /small")


def test_an_upgrade_keeps_settings_and_an_end_leaves_them(service, installed, note, say):
    service.set(f"{DEMO}\n# mine")
    other = Service(installed, "emotiny@hall", "hall")
    other.set(DEMO)
    run(installed, "systemctl enable --now emotiny@hall")
    before = other.pid()
    run(installed, "sed -i 's/^__version__ = .*/__version__ = \"99.0\"/' /root/emotiny/edge/version.py")
    say("make install-device, as an upgrade")
    began_s = time.monotonic()
    run(installed, install(), limit_s=600)
    note("the same, as an upgrade", f"{time.monotonic() - began_s:.0f} s")
    assert run(installed, "cat /etc/emotiny/config.toml") == f"{DEMO}\n# mine"
    assert run(installed, "/opt/emotiny/bin/emotiny --version") == "emotiny 99.0"
    service.wait(30, ActiveState="^active")
    wait(installed, f"test $(systemctl show -p MainPID --value emotiny@hall) != {before}")
    other.wait(30, ActiveState="^active")
    run(installed, "cd /root/emotiny && make uninstall-device")
    assert run(installed, "cat /etc/emotiny/config.toml") == f"{DEMO}\n# mine"
    run(installed, "rm -r /etc/systemd/system/emotiny*.d", code=None)  # these tests' own
    left = "find /opt /etc/systemd /usr/local/bin /var/lib/private /run/systemd/system -name '*emotiny*'"
    assert run(installed, left) == ""
    assert "not-found" in run(installed, "systemctl show -p LoadState emotiny")
