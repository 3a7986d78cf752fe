"""Where settings come from: flags, environment variables, a TOML file, credentials."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.documents import parse_toml, read_secret, read_text
from edge.errors import ConfigError
from edge.settings.option import VARIABLE_PREFIX, Option
from edge.settings.secret_files import warn_of_readable_secrets, warn_of_unreadable_secrets
from edge.settings.settings import OPTIONS, SECTIONS, Settings, build

_CONFIG_VARIABLE = VARIABLE_PREFIX + "CONFIG"
# Variables with the settings' prefix that are no settings: they choose the TFLite runtime, the folder of data
# sets, and the instance of the systemd unit.
RESERVED_VARIABLES = {"EMOTINY_RUNTIME", "EMOTINY_DATA", "EMOTINY_INSTANCE", _CONFIG_VARIABLE}
# A larger file is no configuration, the one with all settings and their meaning has 6 kB; nor a password.
_MAX_BYTES = 1 << 16
# Two ways to set one thing: the stronger origin of either replaces both of a weaker one.
_PASSWORD_KEYS = {"mqtt.password", "mqtt.password_file"}


@dataclass
class RawSettings:
    """Values that were set, not yet validated together.

    Attributes:
        values: {key: value}.
        origins: {key: where the value comes from}, which is a flag, a variable or a file.
    """

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def add(self, key: str, value: Any, origin: str) -> None:
        """Sets a value, in place of an earlier one."""
        self.values[key], self.origins[key] = value, origin

    def discard(self, key: str) -> None:
        """Removes a value if it is set."""
        self.values.pop(key, None)
        self.origins.pop(key, None)


def settings_of(arguments: argparse.Namespace, environment: Mapping[str, str] | None = None) -> Settings:
    """Returns the settings of a parsed `run`, `check` or `forget`.

    Args:
        arguments: Parsed command line.
        environment: {variable: value}; None for that of this process.

    Raises:
        ConfigError: a value is not allowed, or what is set is no setting; the message names the origin.
    """
    environment = os.environ if environment is None else environment
    raw = collect(arguments, environment)
    settings = build(raw.values, raw.origins)
    path = find_file(arguments.config, environment)
    credentials = environment.get("CREDENTIALS_DIRECTORY")
    warn_of_readable_secrets(raw.values, raw.origins, path, credentials)
    if settings.mqtt.host and path and not credentials and not _PASSWORD_KEYS & raw.values.keys():
        warn_of_unreadable_secrets(path.parent)
    return settings


def collect(arguments: argparse.Namespace, environment: Mapping[str, str]) -> RawSettings:
    """Returns all that is set: a flag before a variable before the file before a credential.

    Args:
        arguments: Parsed command line of `run`, `check`, `config` or `forget`.
        environment: {variable: value}.

    Raises:
        ConfigError: what is set is no setting, or a text cannot be parsed.
    """
    path = find_file(arguments.config, environment)
    collected = RawSettings()
    for stronger in (
        read_credentials(environment, path),
        read_file(path) if path else RawSettings(),
        read_environment(environment),
        _read_flags(arguments),
    ):
        if _PASSWORD_KEYS & stronger.values.keys():
            for key in _PASSWORD_KEYS:
                collected.discard(key)
        collected.values |= stronger.values
        collected.origins |= stronger.origins
    return collected


def default_files(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Returns where a settings file is searched for; the first that exists is read."""
    home = environment.get("HOME", "/")
    folder = Path(environment.get("XDG_CONFIG_HOME") or Path(home, ".config"))
    return folder / "emotiny" / "config.toml", Path("/etc/emotiny/config.toml")


def find_file(named: Path | None, environment: Mapping[str, str]) -> Path | None:
    """Returns the settings file to read; None if there is none.

    Args:
        named: File that `--config` names; None without that flag.
        environment: {variable: value}. `EMOTINY_CONFIG` names the file without that flag; without either,
            the file is one of `default_files`.

    Raises:
        ConfigError: it cannot be found out whether a default file exists.
    """
    chosen = named or (Path(environment[_CONFIG_VARIABLE]) if environment.get(_CONFIG_VARIABLE) else None)
    if chosen is None:
        return next(filter(_is_file, default_files(environment)), None)
    return chosen


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:  # a folder that this user may not read, or a name that is too long
        raise ConfigError(
            f"configuration {path}: cannot be looked for: {error.strerror}; "
            "name a file with --config, /dev/null for none"
        ) from error


def read_file(path: Path) -> RawSettings:
    """Returns the settings in a TOML file.

    Raises:
        ConfigError: the file cannot be read, is larger or deeper than any configuration, is no TOML, or holds
            something that is no setting.
    """
    try:
        table = parse_toml(read_text(path, _MAX_BYTES))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ConfigError(
            f"configuration {path}: no such file; `emotiny config --write FILE` makes one"
        ) from error
    except OSError as error:
        raise ConfigError(f"configuration {path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"configuration {path}: {error}") from error
    known = {option.key: option for option in OPTIONS}
    raw = RawSettings()
    for key, value in _flatten(table):
        if key not in known:
            raise ConfigError(f"configuration {path}: no setting {key!r}{_suggestion(key, known)}")
        try:
            raw.add(key, known[key].convert(value), str(path))
        except ValueError as error:
            raise ConfigError(f"configuration {path}: {key} = {error}") from error
    return raw


def read_environment(environment: Mapping[str, str]) -> RawSettings:
    """Returns the settings in variables whose names begin with EMOTINY_.

    Raises:
        ConfigError: such a variable is no setting, or its value cannot be parsed.
    """
    known = {option.variable: option for option in OPTIONS}
    raw = RawSettings()
    for name, text in environment.items():
        if not name.startswith(VARIABLE_PREFIX) or name in RESERVED_VARIABLES:
            continue
        if name not in known:
            raise ConfigError(f"environment: no setting {name}{_suggestion(name, known)}")
        try:
            raw.add(known[name].key, known[name].parse(text), name)
        except ValueError as error:
            raise ConfigError(f"environment: {name} {error}") from error
    return raw


def read_credentials(environment: Mapping[str, str], settings_path: Path | None) -> RawSettings:
    """Returns the secrets that have a file of their own, such as the password in `mqtt_password`.

    An empty file sets nothing.

    Args:
        environment: {variable: value}. Under systemd, `CREDENTIALS_DIRECTORY` is the folder of these files,
            which only the service can read.
        settings_path: Settings file. Without systemd the files are searched for in its folder, so that
            `check` and `forget` have by hand what the service has. None for no file.

    Raises:
        ConfigError: such a file exists and cannot be read. In the settings' folder, a file that this user
            has no right to read is ignored; `settings_of` warns of it if the broker may want it.
    """
    credentials = environment.get("CREDENTIALS_DIRECTORY")
    folder = Path(credentials) if credentials else settings_path.parent if settings_path else None
    raw = RawSettings()
    if folder is None:
        return raw
    for option in (each for each in OPTIONS if each.secret):
        path = folder / option.key.replace(".", "_")
        try:
            value = option.parse(read_secret(path, _MAX_BYTES))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            # The service's secret is for root, the settings next to it are for everybody.
            if isinstance(error, PermissionError) and not credentials:
                continue
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise ConfigError(f"credential {path}: cannot be read: {reason}") from error
        if value:
            raw.add(option.key, value, str(path))
    return raw


def _read_flags(arguments: argparse.Namespace) -> RawSettings:
    raw = RawSettings()
    for option in OPTIONS:
        value = vars(arguments).get(option.key)
        if value is not None:
            raw.add(option.key, value, option.flag)
    return raw


def _flatten(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields (key, value) of a TOML document's settings, those in sections as "section.name"."""
    for name, value in table.items():
        if isinstance(value, dict) and name in SECTIONS:
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield name, value


def _suggestion(name: str, known: Mapping[str, Option]) -> str:
    """Returns the end of a message about an unknown name: the most similar known one, else all of them."""
    import difflib

    last = name.rpartition(".")[2]
    lasts = {key.rpartition(".")[2]: key for key in known}
    # The right name in no or the wrong section, then a misspelt one, then a misspelt section.
    similar = [key for key in known if key.rpartition(".")[2] == last]
    similar += [lasts[each] for each in difflib.get_close_matches(last, lasts, n=1, cutoff=0.7)]
    similar += difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {similar[0]!r}?" if similar else f"; known are {', '.join(known)}"
