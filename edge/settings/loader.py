"""Settings from a TOML file and from the environment, and a file that says all of them."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge.errors import ConfigError
from edge.settings.option import PREFIX, Option
from edge.settings.options import OPTIONS, RESERVED_VARIABLES, SECTIONS
from edge.settings.settings import Settings, build

# {key: value}, {key: where it is from}
RawSettings = tuple[dict[str, Any], dict[str, str]]

# A file of this size is no configuration; nobody should wait until one is parsed.
_MOST_BYTES = 1 << 20
# Two ways to give one thing.
_PASSWORDS = {"mqtt.password", "mqtt.password_file"}


def collect(arguments: argparse.Namespace, environment: Mapping[str, str]) -> RawSettings:
    """All that is given, and where each is from: a flag before a variable before a file before a credential.

    Whichever gives a password or password_file does so in the place of both of a weaker one.

    Args:
        arguments: parsed, of `run`, `check`, `config` or `forget`.
        environment: {variable: value}.

    Raises:
        ConfigError: something is given that is no setting, or no value of one.
    """
    path = find_file(arguments.config, environment)
    flags = {option.key: vars(arguments).get(option.key) for option in OPTIONS}
    given = {key: value for key, value in flags.items() if value is not None}
    origins = {option.key: option.flag for option in OPTIONS if option.key in given}
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    layers = (
        read_credentials(environment, path),
        read_file(path) if path else ({}, {}),
        read_environment(environment),
        (given, origins),
    )
    for layer in layers:
        if _PASSWORDS & layer[0].keys():
            for key in _PASSWORDS & values.keys():
                del values[key], places[key]
        values |= layer[0]
        places |= layer[1]
    return values, places


def settings_of(arguments: argparse.Namespace, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings that a parsed `run`, `check` or `forget` asks for.

    Args:
        arguments: parsed.
        environment: {variable: value}; None for that of this process.

    Raises:
        ConfigError: a value cannot be; the message says where it is from.
    """
    values, origins = collect(arguments, os.environ if environment is None else environment)
    return build(values, origins)


def usual_places(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Where the file is looked for, the first that is there counts."""
    own = Path(environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME", "/"), ".config"))
    return own / "emotiny" / "config.toml", Path("/etc/emotiny/config.toml")


def find_file(named: Path | None, environment: Mapping[str, str]) -> Path | None:
    """The file to read.

    Args:
        named: what `--config` names; None where it does not.
        environment: `EMOTINY_CONFIG` names one too; else the usual places.

    Raises:
        ConfigError: one is named and is not there.
    """
    variable = PREFIX + "CONFIG"
    chosen = named or (Path(environment[variable]) if environment.get(variable) else None)
    if chosen is None:
        return next((path for path in usual_places(environment) if path.is_file()), None)
    # /dev/null, for none of the usual ones, and a pipe are read as well.
    if not chosen.exists() or chosen.is_dir():
        raise ConfigError(f"configuration {chosen}: no such file; `emotiny config --write FILE` makes one")
    return chosen


def read_file(path: Path) -> RawSettings:
    """What a file gives.

    Raises:
        ConfigError: it cannot be read, is no TOML, or holds what is no setting.
    """
    # Here, since most runs have no file, and none should wait for what reads it.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"configuration {path}: cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise ConfigError(f"configuration {path}: larger than {_MOST_BYTES >> 20} MB")
    try:
        table = tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"configuration {path}: no UTF-8 text") from error
    except (ValueError, RecursionError) as error:  # such as numbers of more digits than Python reads
        raise ConfigError(f"configuration {path}: no TOML: {error}") from error
    known = {option.key: option for option in OPTIONS}
    values: dict[str, Any] = {}
    for key, value in _flat(table):
        if key not in known:
            raise ConfigError(f"configuration {path}: no setting {key!r}{_meant(key, known)}")
        values[key] = _accepted(known[key], value, f"configuration {path}: {key}")
    return values, dict.fromkeys(values, str(path))


def read_environment(environment: Mapping[str, str]) -> RawSettings:
    """What the variables give whose names begin with EMOTINY_.

    Raises:
        ConfigError: one of them is no setting, or its value cannot be.
    """
    known = {option.variable: option for option in OPTIONS}
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name in RESERVED_VARIABLES or name == PREFIX + "CONFIG":
            continue
        if name not in known:
            raise ConfigError(f"environment: no setting {name}{_meant(name, known)}")
        try:
            values[known[name].key] = known[name].parse(text)
        except ValueError as error:
            raise ConfigError(f"environment: {name} {error}") from error
        origins[known[name].key] = name
    return values, origins


def read_credentials(environment: Mapping[str, str], beside: Path | None) -> RawSettings:
    """What lies in files of its own, as the service's password in `mqtt_password`; one may be empty.

    Args:
        environment: under systemd `CREDENTIALS_DIRECTORY` is the folder, which only this service can read.
        beside: the file of settings, in whose folder they are looked for where systemd hands none over; so
            whoever runs `check` or `forget` by hand has what the service has. None for no file.

    Raises:
        ConfigError: one is there and cannot be read; beside the settings, by whoever may.
    """
    handed = environment.get("CREDENTIALS_DIRECTORY")
    folder = Path(handed) if handed else beside.parent if beside else None
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    if folder is None:
        return values, origins
    for option in (each for each in OPTIONS if each.secret):
        path = folder / option.key.replace(".", "_")
        try:
            value = option.parse(path.read_text(encoding="utf-8").rstrip("\n"))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            # The service's is for root, and the settings beside it are for everybody.
            if isinstance(error, PermissionError) and not handed:
                continue
            raise ConfigError(f"credential {path}: cannot be read: {error}") from error
        if value:
            values[option.key], origins[option.key] = value, str(path)
    return values, origins


def _flat(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict) and name in SECTIONS:
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield name, value


def _accepted(option: Option, value: Any, where: str) -> Any:
    try:
        return option.accept(value)
    except ValueError as error:
        raise ConfigError(f"{where} = {error}") from error


def _meant(name: str, known: Mapping[str, Option]) -> str:
    """Asks for the nearest name, with its section where that is what is missing."""
    import difflib

    last = name.rpartition(".")[2]
    lasts = {key.rpartition(".")[2]: key for key in known}
    near = [key for key in known if key.rpartition(".")[2] == last]
    near += [lasts[each] for each in difflib.get_close_matches(last, lasts, n=1, cutoff=0.7)]
    near += difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(known)}"
