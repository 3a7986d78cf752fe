"""The installer: what it refuses and, as root, what it does to a copy of this system."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import edge
from tests.support.device import changing_nothing, own_device
from tests.support.sources import ROOT, build, copy_sources

SCRIPT = ROOT / "systemd" / "install.sh"
NEXT = "99.0"


def run(*words, **environment):
    # `make test PYTHON=...` says which Python tests, not which one would be installed.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHON"}
    return subprocess.run(
        changing_nothing(SCRIPT, *words),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=inherited | {"SYSTEMCTL": "false"} | environment,
    )


@pytest.fixture
def path(tmp_path):
    """Returns a function that makes a PATH with stand-ins for commands, given as shell scripts by name."""

    def make(**commands):
        for name, body in commands.items():
            command = tmp_path / name.replace("_", "-")
            command.write_text(f"#!/bin/sh\n{body}\n")
            command.chmod(0o755)
        return f"{tmp_path}:{os.environ['PATH']}"

    return make


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck: apt-get install shellcheck")
def test_shellcheck_finds_nothing():
    done = subprocess.run(["shellcheck", str(SCRIPT)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize(
    ("words", "commands", "message"),
    [
        ((), {"id": "echo 1000"}, "needs root: sudo "),
        (("--uninstall",), {"id": "echo 1000"}, "needs root: sudo "),
        (("--wheels",), {}, "--wheels : expected a folder of wheels"),
        (("--wheels", "/nowhere"), {}, "--wheels /nowhere: expected a folder of wheels"),
        (("missing.whl",), {}, "missing.whl: no such wheel"),
        (("--force",), {}, "--force: expected a wheel, --wheels FOLDER, --locked, --no-apt or --uninstall"),
        (
            (),
            {
                "id": "echo 0",
                "python3": 'case "$*" in *"(3, 10)"*) exit 1;; *) echo Python 3.8.10;; esac',
            },
            "Python 3.8.10 is too old, 3.10 or later is needed",
        ),
        (
            (),
            {"id": "echo 0", "python3": 'case "$*" in *maxsize*) exit 1;; esac'},
            "this is a 32-bit system",
        ),
    ],
)
def test_a_refusal_is_one_line_before_anything_is_changed(words, commands, message, path):
    done = run(*words, PATH=path(**commands))
    assert done.returncode == 2
    assert done.stderr.startswith("emotiny: error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_without_systemd_it_names_the_way_to_run_by_hand(path):
    done = run(SYSTEMCTL="nowhere", PATH=path(id="echo 0"))
    assert done.returncode == 2
    assert done.stderr == (
        "emotiny: error: no systemd, which would start the service at boot: make run works without it\n"
    )


def test_help_is_the_head_of_the_script():
    done = run("--help")
    assert done.returncode == 0
    assert "--uninstall" in done.stdout
    assert "set -euo" not in done.stdout


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """The wheels of this version and of the next one, each in a folder of its own."""
    folder = tmp_path_factory.mktemp("wheels")
    tree = copy_sources(folder / "sources")
    (wheel,) = build(tree, folder / "this", "--wheel")
    version = tree / "edge" / "version.py"
    version.write_text(re.sub('(__version__ = ").*"', rf'\g<1>{NEXT}"', version.read_text()))
    shutil.rmtree(tree / "build")  # if the clock went back, the first build's files pass for newer
    (next_wheel,) = build(tree, folder / "next", "--wheel")
    with zipfile.ZipFile(next_wheel) as archive:
        assert NEXT in archive.read("edge/version.py").decode()
    return wheel, next_wheel


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    return own_device(tmp_path_factory.mktemp("device"))


def offline(wheel, script=SCRIPT):
    """The command that installs a wheel without a network; its folder holds all that it needs."""
    return ("bash", script, "--no-apt", "--wheels", wheel.parent, wheel)


@pytest.fixture(scope="module")
def first(device, wheels):
    """Standard output and calls of systemctl of a first installation."""
    done = device.run(*offline(wheels[0]))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, device.systemctl_calls


STARTS = [
    *("daemon-reload", "stop emotiny", "enable --quiet emotiny", "restart --no-block emotiny"),
    "try-restart --no-block emotiny@*",
]


def test_what_cannot_be_installed_leaves_no_service(device, wheels):
    done = device.run(*offline(wheels[0]), PYTHONPATH="")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "emotiny: error: the packages above could not be installed: is the package index reachable? "
        "--wheels FOLDER takes them from a folder"
    )
    assert "No matching distribution found for" in done.stderr  # pip names it
    assert device.systemctl_calls == []
    assert not any(device.etc.rglob("*.service"))


def test_a_first_installation_ends_with_a_check(device, first):
    output, systemctl_calls = first
    assert systemctl_calls == STARTS
    units = device.etc / "systemd" / "system"
    for name in ("emotiny.service", "emotiny@.service"):
        assert (units / name).read_text() == (SCRIPT.parent / name).read_text()
    assert not list(units.glob("*.d"))  # only on a Jetson
    settings = device.etc / "emotiny" / "config.toml"
    assert settings.read_text() == (SCRIPT.parent / "config.toml").read_text()
    lines = output.splitlines()
    assert lines[-1] == "emotiny: check: all is well"
    assert "systemctl status emotiny" in lines[-2]
    passed = [line for line in lines if line.startswith("ok     ")]
    assert "ok     source: demo, 640x480" in "\n".join(passed)
    assert len(passed) > 10
    assert (device.bin / "emotiny").readlink() == Path("/opt/emotiny/bin/emotiny")
    assert device.run("/usr/local/bin/emotiny", "--version").stdout == f"emotiny {edge.__version__}\n"


@pytest.mark.skipif(
    not (shutil.which("systemctl") and "offline" in subprocess.getoutput("systemctl is-system-running")),
    reason="needs a systemctl, of systemd that does not run",
)
def test_where_systemd_does_not_run_it_starts_at_the_next_boot(device, first, wheels):
    done = device.run(*offline(wheels[0]), SYSTEMCTL="systemctl")
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = device.etc / "systemd" / "system" / "multi-user.target.wants" / "emotiny.service"
    assert wanted.readlink() == Path("/etc/systemd/system/emotiny.service")
    started, checked = done.stdout.splitlines()[-2:]
    assert started.startswith(
        "emotiny: not started, because systemd is not running here; it starts at the next"
    )
    assert checked == "emotiny: check: all is well"
    assert "bus" not in done.stderr  # systemctl's errors name the bus where systemd does not run


def test_installing_the_same_version_again_keeps_settings_and_environment(device, first, wheels):
    settings = device.etc / "emotiny" / "config.toml"
    settings.write_text("# mine\n")
    marked = device.opt / "emotiny" / "mark"  # a suitable environment is kept
    marked.touch()
    (damaged,) = device.opt.glob("emotiny/lib/python3*/site-packages/edge/py.typed")
    damaged.unlink()  # damaged, though of the same version
    done = device.run(*offline(wheels[0]))
    assert done.returncode == 0, done.stderr
    assert (settings.read_text(), device.systemctl_calls) == ("# mine\n", STARTS)
    assert marked.exists()
    assert damaged.exists()


def test_after_an_upgrade_of_python_the_environment_is_created_again_readable_for_all(device, first, wheels):
    """After the upgrade the system's python3 looks for packages in another folder."""
    (packages,) = device.opt.glob("emotiny/lib/python3*/site-packages")
    packages.rename(packages.with_name("of-another-python"))
    done = device.run("sh", "-c", 'umask 077; exec "$@"', "sh", *offline(wheels[0]))
    assert done.returncode == 0, done.stderr
    assert "emotiny: creating /opt/emotiny" in done.stdout.splitlines()
    assert not packages.with_name("of-another-python").exists()
    # The service's user is not root.
    for path in (packages / "edge" / "__init__.py", device.opt / "emotiny" / "bin" / "emotiny"):
        assert path.stat().st_mode & 0o444 == 0o444
        assert all(
            above.stat().st_mode & 0o005 == 0o005
            for above in path.parents
            if above.is_relative_to(device.opt / "emotiny")
        )


def test_a_failed_check_is_named_last_and_the_service_starts(device, first, wheels):
    done = device.run(*offline(wheels[0]), EMOTINY_SOURCE="/dev/video97")
    assert done.returncode == 0, done.stderr
    assert re.search("^wrong  source: /dev/video97", done.stdout, re.MULTILINE)
    assert done.stdout.splitlines()[-1] == (
        "emotiny: check: something is wrong, see the lines above that begin with 'wrong'; "
        "then run: sudo emotiny check"
    )
    assert device.systemctl_calls == STARTS


@pytest.fixture
def foreign(device, first):
    """Another program in the place of the link."""
    link = device.bin / "emotiny"
    link.unlink()
    link.write_text("mine\n")
    yield link
    link.unlink()
    link.symlink_to("/opt/emotiny/bin/emotiny")


def test_another_program_of_this_name_is_left_alone(device, foreign, wheels):
    done = device.run(*offline(wheels[0]), EMOTINY_SOURCE="/dev/video97")
    assert done.returncode == 0, done.stderr
    message = (
        "emotiny: /usr/local/bin/emotiny is another program and was left alone: use /opt/emotiny/bin/emotiny"
    )
    assert message in done.stdout.splitlines()
    assert done.stdout.splitlines()[-1].endswith("; then run: sudo /opt/emotiny/bin/emotiny check")
    assert foreign.read_text() == "mine\n"


def test_a_jetson_s_units_may_open_its_camera(device, first, wheels, path):
    grep = f'case "$*" in *tegra*) exit 0;; esac; exec {shutil.which("grep")} "$@"'
    done = device.run(*offline(wheels[0]), PATH=path(grep=grep))
    assert done.returncode == 0, done.stdout + done.stderr
    for unit in ("emotiny", "emotiny@"):
        beside = device.etc / "systemd" / "system" / f"{unit}.service.d"
        assert [each.name for each in beside.iterdir()] == ["jetson.conf"]
        shutil.rmtree(beside)


def test_units_where_picamera2_is_installed_may_ask_udev(device, first, wheels, tmp_path):
    (tmp_path / "picamera2.py").touch()
    packages = device.environment["PYTHONPATH"]
    assert device.run(*offline(wheels[0]), PYTHONPATH=f"{packages}:{tmp_path}").returncode == 0
    for unit in ("emotiny", "emotiny@"):
        beside = device.etc / "systemd" / "system" / f"{unit}.service.d"
        assert [each.name for each in beside.iterdir()] == ["libcamera.conf"]
        shutil.rmtree(beside)


def test_the_port_for_prometheus_is_allowed_to_the_unit_that_uses_it(device, first, wheels):
    """Also at an upgrade from a version whose units allowed every port."""
    settings = device.etc / "emotiny" / "config.toml"
    settings.write_text("[metrics]\nport = 9137\n")
    settings.with_name("hall.toml").write_text("[mqtt]\nport = 8883\n")
    settings.with_name("porch.toml").write_text("[metrics]\nport = 9138\n")
    assert device.run(*offline(wheels[0])).returncode == 0
    units = device.etc / "systemd" / "system"
    written = {path.parent.name: path.read_text().splitlines()[1:] for path in units.glob("*.d/*")}
    assert written == {
        "emotiny.service.d": ["[Service]", "SocketBindAllow=tcp:9137"],
        "emotiny@porch.service.d": ["[Service]", "SocketBindAllow=tcp:9138"],
    }
    for path in (settings, settings.with_name("porch.toml")):
        path.write_text("# mine\n")
    assert device.run(*offline(wheels[0])).returncode == 0
    assert not list(units.glob("*.d"))
    for name in ("hall", "porch"):
        settings.with_name(f"{name}.toml").unlink()


def test_an_upgrade_from_nothing_but_the_next_wheel(device, first, wheels, tmp_path):
    """Runs the installer that the wheel holds."""
    settings = device.etc / "emotiny" / "config.toml"
    settings.write_text("# mine\n")
    assert device.run("/opt/emotiny/bin/emotiny", "--version").stdout == f"emotiny {edge.__version__}\n"
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheels[1], tmp_path], check=True)
    done = device.run(*offline(wheels[1], tmp_path / "edge" / "systemd" / "install.sh"))
    assert done.returncode == 0, done.stderr
    assert device.run("/opt/emotiny/bin/emotiny", "--version").stdout == f"emotiny {NEXT}\n"
    assert settings.read_text() == "# mine\n"


def test_wrong_settings_leave_the_service_as_it_is(device, first, wheels):
    settings = device.etc / "emotiny" / "config.toml"
    settings.write_text("sorce = 'demo'\n")
    done = device.run(*offline(wheels[0]))
    assert done.returncode == 2
    assert "sorce" in done.stderr
    assert done.stderr.splitlines()[-1] == (
        "emotiny: error: the settings are wrong, so the service was left as it was: "
        "sudoedit /etc/emotiny/config.toml"
    )
    assert device.systemctl_calls == []


def test_an_uninstallation_leaves_settings_and_nothing_else(device, first):
    settings = device.etc / "emotiny" / "config.toml"
    settings.write_text("# mine\n")
    units = device.etc / "systemd" / "system"
    for unit in ("emotiny", "emotiny@"):
        (units / f"{unit}.service.d").mkdir()
        for name in ("jetson", "libcamera"):
            (units / f"{unit}.service.d" / f"{name}.conf").touch()
    (units / "emotiny@hall.service.d").mkdir()
    for name in ("emotiny", "emotiny@hall"):
        (units / f"{name}.service.d" / "port.conf").touch()
    edited = units / "emotiny@.service.d" / "override.conf"  # the name that systemctl edit uses
    edited.touch()
    instance = settings.with_name("hall.toml")
    instance.write_text("[mqtt]\nhost = '127.0.0.1'\n")
    password = settings.with_name("hall.password")
    password.touch()
    # The installed package's own copy of the script, for a user who has kept nothing else.
    (script,) = device.opt.glob("emotiny/lib/python3*/site-packages/edge/systemd/install.sh")
    done = device.run("bash", f"/opt/{script.relative_to(device.opt)}", "--uninstall")
    assert done.returncode == 0, done.stderr
    assert device.systemctl_calls == [
        *("disable --quiet --now emotiny", "disable --quiet --now emotiny@hall", "stop emotiny@*"),
        "daemon-reload",
    ]
    assert "no broker is set (mqtt.host)" in done.stdout
    # An instance uses its own password; this one's file is empty.
    assert "mqtt password_file /etc/emotiny/hall.password: empty" in done.stderr
    assert "emotiny: the broker of /etc/emotiny/hall.toml may still know this device" in done.stdout
    assert not any(device.opt.iterdir())
    assert not (device.bin / "emotiny").is_symlink()
    left = {path for path in device.etc.rglob("*") if path.is_file()}
    assert left == {settings, instance, password, edited}
    assert not (units / "emotiny.service.d").exists()
    assert not (units / "emotiny@hall.service.d").exists()
    assert settings.read_text() == "# mine\n"
    (device.bin / "emotiny").write_text("somebody else's\n")
    assert device.run("bash", SCRIPT, "--uninstall").returncode == 0
    assert (device.bin / "emotiny").read_text() == "somebody else's\n"
