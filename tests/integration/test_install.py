"""The installer: what it refuses, and, as root, what it does to a system that is a copy of this one."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import edge
from tests.support.sources import ROOT, build, copy_sources

SCRIPT = ROOT / "systemd" / "install.sh"
NEXT = "99.0"


def run(*words, **environment):
    return subprocess.run(
        [str(SCRIPT), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"SYSTEMCTL": "false"} | environment,
    )


@pytest.fixture
def path(tmp_path):
    """Makes a PATH on which commands answer as they would elsewhere."""

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
    ("words", "commands", "said"),
    [
        ((), {"id": "echo 1000"}, "needs root: sudo "),
        (("--uninstall",), {"id": "echo 1000"}, "needs root: sudo "),
        (("--wheels",), {}, "--wheels : expected a folder of wheels"),
        (("--wheels", "/nowhere"), {}, "--wheels /nowhere: expected a folder of wheels"),
        (("missing.whl",), {}, "missing.whl: no such wheel"),
        (("--force",), {}, "--force: expected a wheel, --wheels FOLDER, --no-apt or --uninstall"),
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
            "this system is of 32 bits",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line_before_anything_is_touched(words, commands, said, path):
    done = run(*words, PATH=path(**commands))
    assert done.returncode == 2
    assert done.stderr.startswith("emotiny: error: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_system_without_systemd_is_told_how_to_do_without(path):
    done = run(SYSTEMCTL="nowhere", PATH=path(id="echo 0"))
    assert done.returncode == 2
    assert done.stderr == "emotiny: error: no systemd, which starts it at boot: make run needs none\n"


def test_help_says_how_it_is_used():
    done = run("--help")
    assert done.returncode == 0
    assert "--uninstall" in done.stdout
    assert "set -euo" not in done.stdout


class Device:
    """This system, with an /opt, an /etc and a /usr/local/bin of its own that lie in a folder.

    Attributes:
        opt: its /opt.
        etc: what it has in /etc beside what this system has.
        bin: the same in /usr/local/bin.
        told: what systemctl was told, line by line.
    """

    def __init__(self, folder: Path) -> None:
        self.opt, self.etc, self.bin = folder / "opt", folder / "etc", folder / "bin"
        self._works = folder / "work of etc", folder / "work of bin"
        self._log = folder / "systemctl.log"
        self._systemctl = folder / "systemctl"
        packages = folder / "packages"
        for made in (self.opt, self.etc, self.bin, *self._works, packages):
            made.mkdir()
        self._systemctl.write_text(
            f'#!/bin/sh\n[ "$1" != is-system-running ] || exec echo running\necho "$@" >>{self._log}\n'
        )
        self._systemctl.chmod(0o755)
        # In the place of an index: the packages that are installed here, but for this one and its tools.
        for path in Path(np.__file__).parents[1].iterdir():
            if not re.match(r"emotiny|__editable__|pip|setuptools|_distutils|.*\.pth$", path.name):
                (packages / path.name).symlink_to(path)
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHON": sys.executable,
            "PYTHONPATH": str(packages),
            "SYSTEMCTL": str(self._systemctl),
            "EMOTINY_SOURCE": "demo",
        }

    @property
    def told(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    def run(self, *command: object, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a command there, with nothing told to systemctl yet."""
        self._log.unlink(missing_ok=True)
        mounts = f"mount --bind {self.opt} /opt"
        uppers = {"/etc": self.etc, "/usr/local/bin": self.bin}
        for (lower, upper), work in zip(uppers.items(), self._works, strict=True):
            over = f"lowerdir={lower},upperdir={upper},workdir={work}"
            mounts += f" && mount -t overlay -o '{over}' none {lower}"
        mounts += ' || exit 99; exec "$@"'
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", mounts, "sh", *map(str, command)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env=self._environment | environment,
        )
        if done.returncode == 99:
            pytest.skip(f"no mounts of its own: {done.stderr.strip()}")
        return done


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """This version's wheel and the next one's, each in a folder."""
    folder = tmp_path_factory.mktemp("wheels")
    tree = copy_sources(folder / "sources")
    (wheel,) = build(tree, folder / "this", "--wheel")
    version = tree / "edge" / "version.py"
    version.write_text(re.sub('(__version__ = ").*"', rf'\g<1>{NEXT}"', version.read_text()))
    shutil.rmtree(tree / "build")  # what the first build left is taken for newer where the clock went back
    (next_wheel,) = build(tree, folder / "next", "--wheel")
    with zipfile.ZipFile(next_wheel) as archive:
        assert NEXT in archive.read("edge/version.py").decode()
    return wheel, next_wheel


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    if (
        shutil.which("unshare") is None
        or subprocess.run(["unshare", "--mount", "true"], check=False).returncode
    ):
        pytest.skip("only root, with unshare (util-linux), may give a process an /opt and an /etc of its own")
    return Device(tmp_path_factory.mktemp("device"))


def offline(wheel, script=SCRIPT):
    """A new system's installation without a network; all that it needs lies beside the wheel."""
    return ("bash", script, "--no-apt", "--wheels", wheel.parent, wheel)


@pytest.fixture(scope="module")
def first(device, wheels):
    """What a first installation said and told systemctl."""
    done = device.run(*offline(wheels[0]))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, device.told


STARTS = [
    *("daemon-reload", "stop emotiny", "enable --quiet emotiny", "restart --no-block emotiny"),
    "try-restart --no-block emotiny@*",
]


def test_what_cannot_be_installed_leaves_no_service(device, wheels):
    done = device.run(*offline(wheels[0]), PYTHONPATH="")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "emotiny: error: the packages above could not be installed: is the package index reachable? "
        "--wheels FOLDER takes them from there"
    )
    assert "No matching distribution found for" in done.stderr  # which pip names
    assert device.told == []
    assert not any(device.etc.rglob("*.service"))


def test_a_first_installation_ends_with_a_look_at_everything(device, first):
    said, told = first
    assert told == STARTS
    units = device.etc / "systemd" / "system"
    for name in ("emotiny.service", "emotiny@.service"):
        assert (units / name).read_text() == (SCRIPT.parent / name).read_text()
    assert not list(units.glob("*.d"))  # which is a Jetson's
    settings = device.etc / "emotiny" / "config.toml"
    assert settings.read_text() == (SCRIPT.parent / "config.toml").read_text()
    lines = said.splitlines()
    assert lines[-1] == "emotiny: check: all is well"
    assert "systemctl status emotiny" in lines[-2]
    looked = [line for line in lines if line.startswith("ok     ")]
    assert "ok     source: demo, 640x480" in "\n".join(looked)
    assert len(looked) > 10
    assert (device.bin / "emotiny").readlink() == Path("/opt/emotiny/bin/emotiny")
    assert device.run("/usr/local/bin/emotiny", "--version").stdout == f"emotiny {edge.__version__}\n"


@pytest.mark.skipif(
    not (shutil.which("systemctl") and "offline" in subprocess.getoutput("systemctl is-system-running")),
    reason="needs a systemctl, of systemd that does not run",
)
def test_in_the_image_of_a_card_it_will_start_at_the_next_boot(device, first, wheels):
    done = device.run(*offline(wheels[0]), SYSTEMCTL="systemctl")
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = device.etc / "systemd" / "system" / "multi-user.target.wants" / "emotiny.service"
    assert wanted.readlink() == Path("/etc/systemd/system/emotiny.service")
    started, checked = done.stdout.splitlines()[-2:]
    assert started.startswith("emotiny: not started, since systemd does not run here: it will be at the next")
    assert checked == "emotiny: check: all is well"
    assert "bus" not in done.stderr  # to which systemctl speaks where systemd runs


def test_the_same_again_changes_nothing_and_keeps_settings(device, first, wheels):
    settings = device.etc / "emotiny" / "config.toml"
    settings.write_text("# mine\n")
    marked = device.opt / "emotiny" / "mark"  # an environment that is right is not made anew
    marked.touch()
    (damaged,) = device.opt.glob("emotiny/lib/python3*/site-packages/edge/py.typed")
    damaged.unlink()  # of the same version, and yet not what it was
    done = device.run(*offline(wheels[0]))
    assert done.returncode == 0, done.stderr
    assert (settings.read_text(), device.told) == ("# mine\n", STARTS)
    assert marked.exists()
    assert damaged.exists()


def test_an_environment_whose_python_was_upgraded_is_made_anew_for_all_to_read(device, first, wheels):
    """The system's python3 is another one then, which looks for packages elsewhere."""
    (packages,) = device.opt.glob("emotiny/lib/python3*/site-packages")
    packages.rename(packages.with_name("of-another-python"))
    done = device.run("sh", "-c", 'umask 077; exec "$@"', "sh", *offline(wheels[0]))
    assert done.returncode == 0, done.stderr
    assert "emotiny: making /opt/emotiny" in done.stdout.splitlines()
    assert not packages.with_name("of-another-python").exists()
    # The service's user is not root.
    for path in (packages / "edge" / "__init__.py", device.opt / "emotiny" / "bin" / "emotiny"):
        assert path.stat().st_mode & 0o444 == 0o444
        assert all(
            above.stat().st_mode & 0o005 == 0o005
            for above in path.parents
            if above.is_relative_to(device.opt / "emotiny")
        )


def test_a_look_that_finds_something_wrong_is_told_last_and_the_service_starts(device, first, wheels):
    done = device.run(*offline(wheels[0]), EMOTINY_SOURCE="/dev/video97")
    assert done.returncode == 0, done.stderr
    assert re.search("^wrong  source: /dev/video97", done.stdout, re.MULTILINE)
    assert done.stdout.splitlines()[-1] == (
        "emotiny: check: something is wrong, see the lines above that begin so; "
        "sudo emotiny check looks again"
    )
    assert device.told == STARTS


@pytest.fixture
def foreign(device, first):
    """Somebody else's program in the place of the link."""
    link = device.bin / "emotiny"
    link.unlink()
    link.write_text("mine\n")
    yield link
    link.unlink()
    link.symlink_to("/opt/emotiny/bin/emotiny")


def test_somebody_else_s_program_of_this_name_is_left_alone(device, foreign, wheels):
    done = device.run(*offline(wheels[0]), EMOTINY_SOURCE="/dev/video97")
    assert done.returncode == 0, done.stderr
    said = "emotiny: /usr/local/bin/emotiny is not this one, and left so: /opt/emotiny/bin/emotiny is"
    assert said in done.stdout.splitlines()
    assert done.stdout.splitlines()[-1].endswith("; sudo /opt/emotiny/bin/emotiny check looks again")
    assert foreign.read_text() == "mine\n"


def test_a_jetson_s_units_may_open_its_camera(device, first, wheels, path):
    grep = f'case "$*" in *tegra*) exit 0;; esac; exec {shutil.which("grep")} "$@"'
    done = device.run(*offline(wheels[0]), PATH=path(grep=grep))
    assert done.returncode == 0, done.stdout + done.stderr
    for unit in ("emotiny", "emotiny@"):
        beside = device.etc / "systemd" / "system" / f"{unit}.service.d"
        assert [each.name for each in beside.iterdir()] == ["jetson.conf"]
        shutil.rmtree(beside)


def test_an_upgrade_from_nothing_but_the_next_wheel(device, first, wheels, tmp_path):
    """With the installer that the wheel holds."""
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
        "emotiny: error: the service was left as it is, since its settings are wrong: "
        "sudoedit /etc/emotiny/config.toml"
    )
    assert device.told == []


def test_an_end_leaves_settings_and_nothing_else(device, first):
    settings = device.etc / "emotiny" / "config.toml"
    settings.write_text("# mine\n")
    units = device.etc / "systemd" / "system"
    for unit in ("emotiny", "emotiny@"):
        (units / f"{unit}.service.d").mkdir()
        (units / f"{unit}.service.d" / "jetson.conf").touch()
    edited = units / "emotiny@.service.d" / "override.conf"  # as systemctl edit calls it
    edited.touch()
    instance = settings.with_name("hall.toml")
    instance.write_text("[mqtt]\nhost = '127.0.0.1'\n")
    password = settings.with_name("hall.password")
    password.touch()
    # As the installed package holds it, for who has kept nothing else.
    (script,) = device.opt.glob("emotiny/lib/python3*/site-packages/edge/systemd/install.sh")
    done = device.run("bash", f"/opt/{script.relative_to(device.opt)}", "--uninstall")
    assert done.returncode == 0, done.stderr
    assert device.told == [
        *("disable --quiet --now emotiny", "disable --quiet --now emotiny@hall", "stop emotiny@*"),
        "daemon-reload",
    ]
    assert "no broker is set (mqtt.host)" in done.stdout
    # An instance's broker is told with the instance's password, which is none.
    assert "mqtt password_file /etc/emotiny/hall.password: empty" in done.stderr
    assert "emotiny: the broker of /etc/emotiny/hall.toml may still know this device" in done.stdout
    assert not any(device.opt.iterdir())
    assert not (device.bin / "emotiny").is_symlink()
    left = {path for path in device.etc.rglob("*") if path.is_file()}
    assert left == {settings, instance, password, edited}
    assert not (units / "emotiny.service.d").exists()
    assert settings.read_text() == "# mine\n"
    (device.bin / "emotiny").write_text("somebody else's\n")
    assert device.run("bash", SCRIPT, "--uninstall").returncode == 0
    assert (device.bin / "emotiny").read_text() == "somebody else's\n"
