"""Starts emotiny as an app of Home Assistant: options become settings, and emotiny replaces this process.

The options are those of `config.yaml`; Home Assistant writes them to a file that only root can read. Unless
they name a broker, the Supervisor is asked for its own. Settings travel in the environment, the broker's
password in a file in memory, and emotiny runs as a user without rights, in the groups of the cameras.

Exit codes: those of emotiny; 2 for an option that cannot work, 1 if there is no broker yet.
"""

from __future__ import annotations

import argparse
import os
import pwd
import shutil
import stat
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edge.documents import parse_json, read_text
from edge.errors import ConfigError, EdgeError
from edge.settings.settings import OPTIONS, build
from edge.system.journal import start_logging
from edge.system.stdio import print_message

# {option of the app: setting}
SETTINGS = {
    "source": "source",
    "rotate": "picture.rotate",
    "mirror": "picture.mirror",
    "size": "picture.size",
    "min_face": "detector.min_face",
    "cpu_share": "budget.cpu_share",
    "device": "mqtt.device",
    "log_level": "log_level",
}
# The same of a broker that the options name.
BROKER = {
    "mqtt_host": "mqtt.host",
    "mqtt_port": "mqtt.port",
    "mqtt_tls": "mqtt.tls",
    "mqtt_username": "mqtt.username",
    "mqtt_password": "mqtt.password",
}
# {the Supervisor's name: option of the app}. Its `protocol` is left out: version 5 works with its own broker.
_SERVICE = {
    "host": "mqtt_host",
    "port": "mqtt_port",
    "ssl": "mqtt_tls",
    "username": "mqtt_username",
    "password": "mqtt_password",
}
_TOKEN = "SUPERVISOR_TOKEN"
# Further names of the token in the environment, which emotiny has no use for.
_TOKENS = (_TOKEN, "HASSIO_TOKEN")
_MAX_BYTES = 1 << 16
_TIMEOUT_S = 10.0
_CAMERAS = ("video*", "media*", "dma_heap/*")

Texts = dict[str, str]


def read_options(path: Path) -> dict[str, Any]:
    """Returns the options that are set; an empty text is none.

    Raises:
        ConfigError: the file cannot be read, or holds no options.
    """
    try:
        options = parse_json(read_text(path, _MAX_BYTES))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"options {path}: cannot be read: {reason}") from error
    if not isinstance(options, dict):
        raise ConfigError(f"options {path}: expected a JSON object")
    unknown = options.keys() - SETTINGS - BROKER.keys()
    if unknown:
        raise ConfigError(f"option {min(unknown)}: unknown; known are {', '.join([*SETTINGS, *BROKER])}")
    return {name: value for name, value in options.items() if value not in (None, "")}


def ask_supervisor(url: str, token: str) -> dict[str, Any]:
    """Returns the Supervisor's broker as options of the app.

    Args:
        url: Address of the Supervisor.
        token: What it gave this app to log in with; empty for none.

    Raises:
        ConfigError: there is no token.
        EdgeError: the Supervisor does not answer, or offers no broker.
    """
    if not token:
        raise ConfigError(f"no broker: set mqtt_host, or start this as an app, which has a {_TOKEN}")
    request = urllib.request.Request(f"{url}/services/mqtt", headers={"Authorization": f"Bearer {token}"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=_TIMEOUT_S) as response:
            body = response.read(_MAX_BYTES + 1)
    except urllib.error.HTTPError as error:
        # The only fault that is common: there is no broker.
        raise EdgeError(
            f"no broker: the Supervisor offers none (HTTP status {error.code}); install and start the app "
            "Mosquitto broker, or set mqtt_host"
        ) from error
    except OSError as error:
        raise EdgeError(f"no broker: the Supervisor at {url} does not answer: {error}") from error
    try:
        if len(body) > _MAX_BYTES:
            raise ValueError("too long")
        answer = parse_json(body.decode())
        found = {_SERVICE[name]: value for name, value in answer["data"].items() if name in _SERVICE}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EdgeError(
            f"no broker: the answer of the Supervisor at {url} is not what was expected"
        ) from error
    if not found.get("mqtt_host"):
        raise EdgeError(f"no broker: the answer of the Supervisor at {url} has no host")
    return {name: value for name, value in found.items() if value not in (None, "")}


def settings_of(options: Mapping[str, Any]) -> Texts:
    """Returns {key of the setting: text} of options, which are tried as emotiny tries them.

    Raises:
        ConfigError: a value cannot work; the message names the option, and no password.
    """
    option_of = {option.key: option for option in OPTIONS}
    texts: Texts = {}
    values: dict[str, Any] = {}
    for name, key in (SETTINGS | BROKER).items():
        if name not in options:
            continue
        value, option = options[name], option_of[key]
        if not isinstance(value, str | int | float):
            raise ConfigError(f"option {name}: expected a text, a number, or true or false")
        texts[key] = str(value).lower() if isinstance(value, bool) else str(value)
        try:
            values[key] = option.parse(texts[key])
        except ValueError as error:
            raise ConfigError(f"option {name} {error}") from error
    build(values, dict.fromkeys(values, "the app's options"))
    return texts


def store_password(password: str, folder: Path, owner: int) -> Path:
    """Returns a new file that holds a password and that only its owner can read.

    Args:
        password: The password.
        folder: Folder in memory.
        owner: Number of the user.
    """
    path = Path(tempfile.mkdtemp(prefix="emotiny-", dir=folder), "mqtt_password")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{password}\n")
    if os.geteuid() == 0:
        os.chown(path, owner, -1)
        os.chown(path.parent, owner, -1)
    return path


def camera_groups(dev: Path) -> list[int]:
    """Returns the groups of the cameras in a folder of devices, except root's, in order."""
    statuses = [path.stat() for pattern in _CAMERAS for path in dev.glob(pattern)]
    groups = {each.st_gid for each in statuses if stat.S_ISCHR(each.st_mode)}
    return sorted(groups - {0})


def unprivileged(command: Sequence[str], user: pwd.struct_passwd, groups: Iterable[int]) -> list[str]:
    """Returns the command that runs another one as a user who can gain no further rights (setpriv(1))."""
    return [
        *("setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}"),
        "--groups=" + ",".join(map(str, sorted({user.pw_gid, *groups}))),
        *("--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", "--"),
        *command,
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Replaces this process by emotiny, or prints why it cannot and returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--options", type=Path, default=Path("/data/options.json"))
    parser.add_argument("--supervisor", default="http://supervisor")
    parser.add_argument("--memory", type=Path, default=Path("/dev/shm"), help="folder in memory")
    parser.add_argument("--user", default="emotiny", help="user that emotiny runs as, if root starts this")
    arguments = parser.parse_args(argv)
    start_logging("warning")
    try:
        command, environment = prepare(arguments)
    except EdgeError as error:
        print_message(f"error: {' '.join(str(error).split())}")
        return error.exit_code
    return os.execvpe(command[0], command, environment)


def prepare(arguments: argparse.Namespace) -> tuple[list[str], Texts]:
    """Returns the command that starts emotiny, and its environment.

    Raises:
        EdgeError: it could not run.
    """
    options = read_options(arguments.options)
    if "mqtt_host" not in options:
        alone = next((name for name in BROKER if options.get(name)), None)
        if alone:
            raise ConfigError(f"option {alone}: of use with mqtt_host only")
        options |= ask_supervisor(arguments.supervisor.rstrip("/"), os.environ.get(_TOKEN, ""))
    texts = settings_of(options)
    user = pwd.getpwnam(arguments.user) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    password = texts.pop("mqtt.password", "")
    if password:
        texts["mqtt.password_file"] = str(store_password(password, arguments.memory, user.pw_uid))
    variable_of = {option.key: option.variable for option in OPTIONS}
    environment = {name: value for name, value in os.environ.items() if name not in _TOKENS}
    # Root's home, in which emotiny would look for settings, is closed to its user.
    environment |= {variable_of[key]: text for key, text in texts.items()} | {"HOME": user.pw_dir}
    command = [shutil.which("emotiny") or "emotiny", "run"]
    if os.geteuid() == 0:
        command = unprivileged(command, user, camera_groups(Path("/dev")))
    return command, environment


if __name__ == "__main__":
    sys.exit(main())
