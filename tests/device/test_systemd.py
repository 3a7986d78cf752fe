"""The units under systemd, in a container in which `make install-device` was run."""

import re
import time

import pytest

from tests.device.broker import MESSAGES, PASSWORD, broker, settings_with_broker
from tests.device.guest import DRAW_DEMO, run, wait_until, write_file
from tests.device.intruder import assert_powerless, run_probe
from tests.device.service import Service

ABSENT = 'source = "/dev/video7"'
DEMO = 'source = "demo"'
# Shortens the tests, which do not depend on how long the unit waits.
QUICK_RESTART = "RestartSec=1"
# What systemd before 254 says of two lines in the units.
NEWER_SYSTEMD = r"Unknown key.* '(RestartSteps|RestartMaxDelaySec)' in section \[Service\], ignoring"


@pytest.fixture(scope="module")
def installed(container, record, announce):
    """The container after `make install-device` with a folder of wheels instead of an index."""
    run(container, "cp -r /payload/tree /root/emotiny; echo 'secret' >/root/secret")
    announce("make install-device, from a folder of wheels")
    start_s = time.monotonic()
    run(container, install_command(), limit_s=600)
    record("make install-device", f"{time.monotonic() - start_s:.0f} s")
    return container


def install_command():
    offline = "PIP_NO_INDEX=1 PIP_FIND_LINKS=/payload/wheels"
    return f"cd /root/emotiny && {offline} make install-device"


@pytest.fixture
def service(installed):
    unit = Service(installed)
    unit.write_settings(DEMO)
    yield unit
    run(installed, "systemctl stop emotiny", code=None)


def test_a_new_installation_runs_at_once_and_at_every_boot(installed):
    # There is no camera, and a service does not play the demo: it runs and waits for a camera.
    wait_until(installed, "systemctl show -p StatusText emotiny | grep -q 'the camera is gone'")
    assert run(installed, "systemctl is-enabled emotiny") == "enabled"
    written = run(installed, "cat /etc/emotiny/config.toml")
    assert written.startswith("# Settings of emotiny")
    # All settings of a new file are comments.
    assert not [line for line in written.splitlines() if line and line[0] not in "#["]
    run(installed, "test ! -e /root/emotiny/build")
    verified = run(installed, "systemd-analyze verify emotiny.service")
    assert [line for line in verified.splitlines() if not re.search(NEWER_SYSTEMD, line)] == []


def test_the_service_is_ready_at_the_first_frame(service, record):
    """The source is a file that does not exist yet; it is waited for as a camera is."""
    service.write_settings('source = "/run/clip.avi"')
    service.drop_in("TimeoutStartSec=10")
    run(service.guest, "rm -f /run/clip.avi; systemctl start --no-block emotiny")
    time.sleep(15)  # longer than TimeoutStartSec, which the service extends
    assert (service.show("ActiveState"), service.show("NRestarts")) == ("activating", "0")
    assert service.show("StatusText") == "the camera is gone, it is tried again"
    write_file(service.guest, "/run/draw.py", DRAW_DEMO)
    draw = "/opt/emotiny/bin/python /run/draw.py /run/part.avi 450"
    run(service.guest, f"{draw} && mv /run/part.avi /run/clip.avi")
    took_s = service.wait(40, ActiveState="^active", StatusText="frames a second")
    record("a camera appears, tried every 16 s by then -> READY", f"{took_s:.1f} s")


def test_the_status_shows_frames_per_second(service, record):
    record("start -> READY", f"{service.start():.1f} s")
    service.wait(30, StatusText=r"^1[45]\.[0-9] frames a second, faces: [12]$")
    record("StatusText", service.show("StatusText"))
    assert service.show("Type") == "notify"
    # Without /proc/cpuinfo, as under ProcSubset=pid, LiteRT does without its fast kernels.
    assert "Error in cpuinfo" not in service.journal()
    record("processor at 15 FPS, 640x480", f"{service.cpu_share(20):.1%} of a core")


def test_a_hanging_loop_is_killed_and_started_again(service, record):
    service.drop_in(f"WatchdogSec=4\n{QUICK_RESTART}")
    service.start()
    pid = service.pid()
    run(service.guest, f"kill -STOP {pid}")
    took_s = service.wait(40, NRestarts="^1$", ActiveState="^active", SubState="^running")
    record("SIGSTOP, WatchdogSec=4, RestartSec=1 -> reads again", f"{took_s:.1f} s")
    assert service.pid() != pid
    assert "Watchdog timeout" in service.journal()


def test_waiting_for_a_camera_costs_next_to_nothing(service, record):
    service.write_settings(ABSENT)
    service.drop_in("WatchdogSec=6")
    run(service.guest, "systemctl start --no-block emotiny")
    service.wait(30, StatusText="the camera is gone")
    share = service.cpu_share(25)
    record("processor while the camera is absent", f"{share:.1%} of a core")
    assert share < 0.05
    # Four times the watchdog's limit later, the loop was not killed.
    assert (service.show("ActiveState"), service.show("NRestarts")) == ("activating", "0")
    assert service.journal().count("no such device") == 1


def test_it_stops_at_once_with_a_camera_and_without(service, record):
    for settings, state in ((DEMO, "reading"), (ABSENT, "waiting for a camera")):
        service.write_settings(settings)
        run(service.guest, "systemctl start --no-block emotiny")
        service.wait(30, StatusText="gone" if settings == ABSENT else "frames a second")
        took_s = service.systemctl("stop")
        record(f"systemctl stop while {state}", f"{took_s:.2f} s")
        assert took_s < 10  # TimeoutStopSec, after which systemd would kill it
        assert (service.show("Result"), service.show("ExecMainStatus")) == ("success", "0")


def test_a_reload_accepts_valid_settings_and_rejects_invalid_ones(service, record):
    service.drop_in("StandardOutput=journal")
    service.start()
    pid = service.pid()
    service.write_settings(f"{DEMO}\noutput = 'jsonl'")
    start_s = time.monotonic()
    service.systemctl("reload")
    wait_until(service.guest, 'journalctl -u emotiny -o cat -n 5 | grep -q "^{.frame"')
    record("systemctl reload -> new settings hold", f"{time.monotonic() - start_s:.1f} s")
    service.write_settings("sorce = 'demo'")
    service.systemctl("reload")
    wait_until(service.guest, "journalctl -u emotiny -o cat -p err -n 1 | grep -q SIGHUP")
    (line,) = service.journal("-p err").splitlines()
    assert "no setting 'sorce'; did you mean 'source'?; keeping the old settings" in line
    time.sleep(2)
    assert service.journal().splitlines()[-1].startswith('{"frame"')
    assert (service.pid(), service.show("NRestarts")) == (pid, "0")


def test_an_invalid_setting_ends_the_service_without_a_restart(service):
    service.drop_in(QUICK_RESTART)
    service.write_settings("sorce = 'demo'")
    service.start(code=1)
    time.sleep(4)
    shown = [service.show(name) for name in ("ActiveState", "Result", "ExecMainStatus", "NRestarts")]
    assert shown == ["failed", "exit-code", "2", "0"]
    assert "emotiny: error: configuration /etc/emotiny/config.toml: no setting 'sorce'" in service.journal()


def test_without_reconnect_a_missing_camera_leads_to_restarts(service, record):
    service.drop_in(f"{QUICK_RESTART}\nEnvironment=EMOTINY_RECONNECT=false")
    service.write_settings(ABSENT)
    run(service.guest, "systemctl start emotiny", code=1)
    took_s = service.wait(60, NRestarts="^[3-9]$")
    record("no reconnect: three restarts at RestartSec=1", f"{took_s:.1f} s")
    assert "status=1/FAILURE" in service.journal()


def test_a_killed_process_is_started_again(service, record):
    service.drop_in(QUICK_RESTART)
    service.start()
    run(service.guest, f"kill -9 {service.pid()}")
    took_s = service.wait(30, NRestarts="^1$", ActiveState="^active", SubState="^running")
    record("kill -9, RestartSec=1 -> reads again", f"{took_s:.1f} s")


def test_an_intruder_can_do_nothing(service):
    attempts = run_probe(service)
    # Here systemd may not forbid devices (DevicePolicy=), so what it finds are this machine's modes of
    # /dev/net/tun and others. test_camera proves it where a kernel of its own enforces it.
    attempts.pop("devices")
    assert_powerless(attempts)


@pytest.fixture
def container_with_broker(installed):
    with broker(installed):
        yield installed


def test_the_credential_logs_in_and_a_killed_service_leaves_its_last_will(
    service, container_with_broker, record
):
    write_file(container_with_broker, "/etc/emotiny/mqtt_password", PASSWORD)
    run(container_with_broker, "chmod 600 /etc/emotiny/mqtt_password")
    service.write_settings(settings_with_broker("demo", "attic"))
    service.drop_in("RestartSec=20")
    service.start()
    wait_until(container_with_broker, f"grep -q 'emotiny/attic/status online' {MESSAGES}")
    wait_until(container_with_broker, f"grep -q 'emotiny/attic/state .*presence.:.ON' {MESSAGES}")
    assert PASSWORD not in service.journal()
    shown = run(
        container_with_broker,
        f"systemctl show emotiny; cat /proc/{service.pid()}/cmdline /proc/{service.pid()}/environ",
    )
    assert PASSWORD not in shown
    start_s = time.monotonic()
    run(container_with_broker, "systemctl kill --signal=KILL emotiny")
    wait_until(container_with_broker, f"tail -n 3 {MESSAGES} | grep -q 'emotiny/attic/status offline'")
    record("kill -9 -> the broker publishes the last will", f"{time.monotonic() - start_s:.1f} s")
    # A check by hand, as the installer runs it, uses the password of the service.
    service.systemctl("stop")
    run(container_with_broker, "/usr/local/bin/emotiny check | grep -q '^ok     broker: .* takes messages$'")


def test_a_wrong_password_is_logged_and_frames_are_read(service, container_with_broker):
    write_file(container_with_broker, "/etc/emotiny/mqtt_password", "wrong\n")
    service.write_settings(settings_with_broker("demo", "attic"))
    service.start()
    wait_until(container_with_broker, "journalctl -u emotiny -p err -o cat -n 1 | grep -q refuses")
    (line,) = service.journal("-p err").splitlines()
    assert re.search(r"MQTT broker 127\.0\.0\.1:1883: refuses: Not authorized", line)
    service.wait(20, StatusText="frames a second")


def test_several_cameras_are_several_devices(installed, container_with_broker, record):
    services = [Service(installed, f"emotiny@{name}", name) for name in ("hall", "porch")]
    for service, name in zip(services, ("hall", "porch"), strict=True):
        service.write_settings(settings_with_broker("demo", name))
    # One has a password of its own, the other one the common password.
    write_file(container_with_broker, "/etc/emotiny/hall.password", PASSWORD)
    services[0].drop_in("LoadCredential=mqtt_password:/etc/emotiny/%i.password")
    for service, password in zip(services, ("wrong\n", PASSWORD), strict=True):
        write_file(container_with_broker, "/etc/emotiny/mqtt_password", password)
        service.start()
    for name in ("hall", "porch"):
        wait_until(container_with_broker, f"grep -q 'emotiny/{name}/state' {MESSAGES}")
    run(container_with_broker, "systemctl kill --signal=KILL emotiny@hall")
    wait_until(container_with_broker, f"grep -q 'emotiny/hall/status offline' {MESSAGES}")
    assert "emotiny/porch/status offline" not in run(container_with_broker, f"cat {MESSAGES}")
    assert services[1].show("ActiveState") == "active"
    for service in services:
        service.systemctl("stop")
    assert "emotiny/porch/status offline" in run(container_with_broker, f"sleep 1; cat {MESSAGES}")


def test_lines_in_the_journal_have_priorities(service):
    service.drop_in("RestartSec=60")
    service.write_settings(ABSENT)
    run(service.guest, "systemctl start --no-block emotiny")
    service.wait(30, StatusText="gone")
    warnings = service.journal("-p warning..warning")
    assert "WARNING edge.sources.fault_log: /dev/video7: no such device" in warnings
    assert not service.journal("-p err")
    service.systemctl("stop")
    service.write_settings("sorce = 'demo'")
    service.start(code=1)
    errors = service.journal("-p err..err", "_COMM=emotiny").splitlines()
    assert len(errors) == 1
    assert errors[0].startswith("emotiny: error: configuration /etc/emotiny/config.toml: no setting")


# {what fills the disk: (settings, lines of the drop-in, size of the disk)}
FULL_DISKS = {
    "annotate": ('annotate = "/small/seen.avi"', "", "4m"),
    "jsonl": ("output = 'jsonl'", "StandardOutput=append:/small/out", "256k"),
    # No message can be written anywhere, but the exit code still names the fault.
    "jsonl and log": ("output = 'jsonl'", "StandardOutput=append:/small/out\nStandardError=inherit", "256k"),
}
FRAMES = "import cv2; print(int(cv2.VideoCapture('/small/seen.avi').get(cv2.CAP_PROP_FRAME_COUNT)))"


@pytest.mark.parametrize("kind", FULL_DISKS)
def test_a_full_disk_ends_the_service_with_one_line(service, installed, kind):
    settings, drop_in, size = FULL_DISKS[kind]
    other = Service(installed, "emotiny@hall", "hall")
    other.write_settings(DEMO)
    other.start()
    run(installed, f"mkdir -p /small && mount -t tmpfs -o size={size},mode=1777,nosuid tmpfs /small")
    try:
        service.write_settings(f"{DEMO}\n{settings}")
        service.drop_in(f"ReadWritePaths=/small\nRestart=no\n{drop_in}")
        run(installed, "systemctl start emotiny", code=None)
        service.wait(60, ActiveState="failed")
        assert (service.show("Result"), service.show("ExecMainStatus")) == ("exit-code", "4")
        lines = [line for line in service.journal("_COMM=emotiny").splitlines() if "error" in line]
        assert len(lines) == (kind != "jsonl and log")
        for line in lines:
            assert line.startswith("emotiny: error: cannot write")
        assert "Traceback" not in service.journal()
        if kind == "annotate":  # what was recorded until then can be played
            assert int(run(installed, f'/opt/emotiny/bin/python -c "{FRAMES}"')) > 8
        other.wait(20, ActiveState="active", StatusText="frames a second")
    finally:
        run(installed, "systemctl stop emotiny emotiny@hall; umount /small")


def test_settings_survive_an_upgrade_and_an_uninstallation(service, installed, record, announce):
    service.write_settings(f"{DEMO}\n# mine")
    other = Service(installed, "emotiny@hall", "hall")
    other.write_settings(DEMO)
    run(installed, "systemctl enable --now emotiny@hall")
    before = other.pid()
    run(installed, "sed -i 's/^__version__ = .*/__version__ = \"99.0\"/' /root/emotiny/edge/version.py")
    announce("make install-device, as an upgrade")
    start_s = time.monotonic()
    run(installed, install_command(), limit_s=600)
    record("the same, as an upgrade", f"{time.monotonic() - start_s:.0f} s")
    assert run(installed, "cat /etc/emotiny/config.toml") == f"{DEMO}\n# mine"
    assert run(installed, "/opt/emotiny/bin/emotiny --version") == "emotiny 99.0"
    service.wait(30, ActiveState="^active")
    wait_until(installed, f"test $(systemctl show -p MainPID --value emotiny@hall) != {before}")
    other.wait(30, ActiveState="^active")
    run(installed, "cd /root/emotiny && make uninstall-device")
    assert run(installed, "cat /etc/emotiny/config.toml") == f"{DEMO}\n# mine"
    run(installed, "rm -r /etc/systemd/system/emotiny*.d", code=None)  # the drop-ins of these tests
    left = "find /opt /etc/systemd /usr/local/bin /var/lib/private /run/systemd/system -name '*emotiny*'"
    assert run(installed, left) == ""
    assert "not-found" in run(installed, "systemctl show -p LoadState emotiny")
