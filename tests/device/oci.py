"""Images of the container, built of its Dockerfile by buildah, and containers of them under crun.

No daemon is needed: crun is the runtime below an engine. What `docker run` or Home Assistant would pass to
theirs is in `Bundle`; everything else is read from the image.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BASE = "docker.io/library/debian:trixie-slim"
# What Docker leaves to root in a container.
DOCKER_CAPABILITIES = tuple(
    f"CAP_{name}"
    for name in (
        *("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "SETFCAP"),
        *("MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SYS_CHROOT", "AUDIT_WRITE"),
    )
)
# This machine may have the old hierarchy of control groups, which crun does not take beside the new one.
_CRUN = """
umount --lazy /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec crun --cgroup-manager=disabled --root "$0" "$@"
"""
_LIMIT_S = 120.0
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class Store:
    """The images, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        """Creates the folder.

        Args:
            folder: Place of all images and of their containers' file systems.
        """
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def has_base(self) -> bool:
        """Returns whether the Dockerfile's base is there; tries to get it from its registry."""
        return self._try("inspect", "--type", "image", BASE) or self._try("pull", "--quiet", BASE)

    def make_base(self, tree: Path, work: Path) -> None:
        """Makes a base that stands in for the one that the registry does not deliver.

        Args:
            tree: Debian tree of the same release.
            work: Empty folder.
        """
        # A machine without the registry may also have a package index behind certificates of its own.
        shutil.copy(_CERTIFICATES, work / "test-authorities.crt")
        (work / "pip.conf").write_text("[global]\ncert = /usr/local/share/test-authorities.crt\n")
        container = self._call("from", "scratch")
        self._call("copy", "--quiet", container, str(tree), "/")
        self._call("copy", "--quiet", container, str(work / "test-authorities.crt"), "/usr/local/share/")
        self._call("copy", "--quiet", container, str(work / "pip.conf"), "/etc/")
        self._call("commit", "--quiet", "--rm", container, BASE)

    def build(self, context: Path, name: str, target: str) -> Image:
        """Builds a stage of the Dockerfile in a folder, with what is there of earlier builds."""
        self._call("build", "--quiet", "--format=docker", "--pull-never", "--layers", f"--target={target}",
                   f"--tag={name}", str(context), limit_s=1800)  # fmt: skip
        container = self._call("from", "--pull-never", f"localhost/{name}")
        root = Path(self._call("mount", container))
        config = json.loads(self._call("inspect", "--type", "image", f"localhost/{name}"))["Docker"]["config"]
        return Image(root, config, lambda: self._call("rm", container))

    def _call(self, *words: str, limit_s: float = _LIMIT_S) -> str:
        done = self._run(words, limit_s)
        if done.returncode:
            raise RuntimeError(f"buildah {' '.join(words)}: {(done.stdout + done.stderr)[-4000:]}")
        return done.stdout.strip()

    def _try(self, *words: str) -> bool:
        return self._run(words, _LIMIT_S).returncode == 0

    def _run(self, words: Sequence[str], limit_s: float) -> subprocess.CompletedProcess[str]:
        places = ("--root", str(self._folder / "images"), "--runroot", str(self._folder / "run"))
        environment = os.environ | {"BUILDAH_ISOLATION": "chroot"}
        command = ["nice", "-n", "5", "buildah", *places, *words]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=limit_s, env=environment
        )


@dataclass(frozen=True)
class Image:
    """A built image.

    Attributes:
        root: Its file system.
        config: What the Dockerfile says besides: `Env`, `User`, `Entrypoint`, `Cmd`, `Healthcheck`.
        close: Gives the file system back.
    """

    root: Path
    config: Mapping[str, Any]
    close: Callable[[], object]

    def user(self) -> dict[str, Any]:
        """Returns the user that the image starts as, and its groups, as a runtime wants them."""
        name = self.config.get("User") or "root"
        accounts = [line.split(":") for line in (self.root / "etc/passwd").read_text().splitlines()]
        uid, gid = next((int(each[2]), int(each[3])) for each in accounts if each[0] == name)
        groups = [line.split(":") for line in (self.root / "etc/group").read_text().splitlines()]
        more = [int(each[2]) for each in groups if name in each[3].split(",")]
        return {"uid": uid, "gid": gid, "additionalGids": more}


@dataclass
class Bundle:
    """How a container is run, apart from what the image says.

    Attributes:
        image: Its image.
        words: In place of the image's command.
        environment: In addition to that of the image.
        capabilities: Rights of root that the first process has.
        no_new_privileges: Whether no program may gain rights.
        read_only: Whether the file system is.
        mounts: {folder in the container: folder of this machine}.
    """

    image: Image
    words: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    capabilities: Sequence[str] = ()
    no_new_privileges: bool = True
    read_only: bool = True
    mounts: Mapping[str, Path] = field(default_factory=dict)

    def specification(self) -> dict[str, Any]:
        """Returns the runtime's configuration (https://github.com/opencontainers/runtime-spec)."""
        config = self.image.config
        names = ("bounding", "effective", "permitted")
        shm = ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]
        return {
            "ociVersion": "1.0.0",
            "process": {
                "terminal": False,
                "user": self.image.user(),
                "args": [*(config.get("Entrypoint") or ()), *(self.words or config.get("Cmd") or ())],
                "env": self.environment_lines(),
                "cwd": "/",
                "capabilities": {name: list(self.capabilities) for name in names},
                "noNewPrivileges": self.no_new_privileges,
            },
            "root": {"path": str(self.image.root), "readonly": self.read_only},
            "hostname": "emotiny-test",
            "mounts": [
                {"destination": "/proc", "type": "proc", "source": "proc"},
                {
                    "destination": "/dev",
                    "type": "tmpfs",
                    "source": "tmpfs",
                    "options": ["nosuid", "mode=755"],
                },
                {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": shm},
                *(
                    {"destination": there, "type": "bind", "source": str(here), "options": ["rbind", "ro"]}
                    for there, here in self.mounts.items()
                ),
            ],
            "linux": {"namespaces": [{"type": name} for name in ("pid", "network", "ipc", "uts", "mount")]},
        }

    def environment_lines(self) -> list[str]:
        """Returns the environment as NAME=TEXT."""
        given = (f"{name}={text}" for name, text in self.environment.items())
        return [*self.image.config["Env"], *given]


class Container:
    """A running container; its standard streams are pipes of text."""

    def __init__(self, bundle: Bundle, folder: Path) -> None:
        """Starts it.

        Args:
            bundle: How.
            folder: Empty folder for the runtime.
        """
        self._bundle = bundle
        self._state = folder / "state"
        self._name = f"emotiny-test-{os.getpid()}-{folder.name}"
        (folder / "config.json").write_text(json.dumps(bundle.specification()))
        self.started_s = time.monotonic()
        self.process = subprocess.Popen(
            self._crun("run", "--bundle", str(folder), self._name),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def status(self) -> dict[str, str]:
        """Returns the lines of the first process's /proc/PID/status by their names."""
        text = Path(f"/proc/{self._pid()}/status").read_text()
        return {
            name: " ".join(rest.split())
            for name, _, rest in (line.partition(":") for line in text.splitlines())
        }

    def command_line(self) -> str:
        """Returns the first process's command line."""
        return Path(f"/proc/{self._pid()}/cmdline").read_text().replace("\0", " ")

    def execute(self, *words: str) -> tuple[int, str]:
        """Runs a command in the container as `docker exec` does; returns exit code and output."""
        user = self._bundle.image.user()
        environment = [f"--env={each}" for each in self._bundle.environment_lines()]
        command = self._crun("exec", f"--user={user['uid']}:{user['gid']}", *environment, self._name, *words)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S)
        return done.returncode, (done.stdout + done.stderr).strip()

    def check_health(self) -> tuple[int, str]:
        """Runs the image's HEALTHCHECK."""
        kind, *words = self._bundle.image.config["Healthcheck"]["Test"]
        assert kind == "CMD"
        return self.execute(*words)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the first process, as `docker kill` does."""
        os.kill(self._pid(), number)

    def close(self) -> None:
        """Kills it."""
        if self.process.poll() is None:
            subprocess.run(self._crun("delete", "--force", self._name), capture_output=True, check=False)
        self.process.communicate(timeout=_LIMIT_S)

    def _pid(self) -> int:
        state = json.loads((self._state / self._name / "status").read_text())
        return int(state["pid"])

    def _crun(self, *words: str) -> list[str]:
        private = ("unshare", "--mount", "--propagation", "private")
        return [*private, "bash", "-euc", _CRUN, str(self._state), *words]
