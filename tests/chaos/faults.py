"""The steps of a walk: faults, their ends, and changes that are no faults."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from tests.chaos.world import SETTINGS, World, pick_limit

EXIT_S = 30  # for a process to end; it takes seconds
_MODES = ("slow", "dead", "deaf")
_SIZES = ((640, 480), (320, 240), (800, 600))
# Settings that a run can use, and what they may be.
_VALID = {
    "mqtt.heartbeat_s": ("2", "5", "10"),
    "mqtt.interval_s": ("0", "0.5", "1"),
    "mqtt.queue": ("10", "200"),
    "mqtt.version": ('"5"', '"3.1.1"'),
    "budget.max_fps": ("0", "4"),
    "picture.mirror": ("true", "false"),
}
_INVALID = (
    b"[mqtt]\nqueue = 5\n",
    b"[mqtt]\nquue = 50\n",
    b"[mqtt]\nqueue = [50]\n",
    b'[mqtt]\nca = "/nowhere/ca.pem"\ntls = true\n',
    b'[models]\nemotion = "/nowhere/emotion.tflite"\n',
    b"a = " + b"[" * 100,
    b"#" * 70_000,
    b"\xff\xfe[mqtt]\n",
    b"\0" * 512,
)


@dataclass(frozen=True)
class Step:
    """Something that happens in a walk.

    Attributes:
        name: What happens.
        weight: How often, compared with other steps.
        possible: Whether it can happen now; must not depend on time.
        act: Does it, and returns what was drawn.
    """

    name: str
    weight: int
    possible: Callable[[World], bool]
    act: Callable[[World, Random], str]


def _touch(world: World, *names: str) -> None:
    world.touched.update(names)
    world.credits.update(names)


def _faces(world: World, random: Random) -> str:
    count = random.choice([each for each in (0, 1, 2) if each != world.camera.faces])
    _touch(world, "faces")
    world.camera.show(faces=count)
    return str(count)


def _spoil_camera(world: World, random: Random) -> str:
    picture = random.choice(("frozen", "black", "stalled", "unplugged"))
    _touch(world, "black" if picture == "black" else "camera")
    world.camera.show(picture=picture)  # type: ignore[arg-type]
    return picture


def _repair_camera(world: World, _: Random) -> str:
    _touch(world, "camera")
    world.camera.show(picture="moving")
    return ""


def _resize(world: World, random: Random) -> str:
    size_wh = random.choice([each for each in _SIZES if each != world.camera.size_wh])
    _touch(world, "size", "faces")
    world.camera.show(size_wh=size_wh)
    return "{}x{}".format(*size_wh)


def _kill_broker(world: World, _: Random) -> str:
    _touch(world, "broker")
    world.kill_broker()
    return ""


def _stop_broker(world: World, _: Random) -> str:
    _touch(world, "broker")
    world.signal_broker(signal.SIGSTOP)
    world.broker_state = "stopped"
    return ""


def _restart_broker(world: World, random: Random) -> str:
    _touch(world, "broker")
    empty, limit = random.random() < 0.7, pick_limit(random)
    world.kill_broker()
    time.sleep(random.uniform(0, 2))
    world.restart_broker(empty=empty, limit=limit)
    return f"{'empty' if empty else 'kept'} store, packets of {limit or 'any number of'} bytes"


def _repair_broker(world: World, random: Random) -> str:
    if world.broker_state == "killed":
        return _restart_broker(world, random)
    _touch(world, "broker")
    world.signal_broker(signal.SIGCONT)
    world.broker_state = "up"
    return "goes on"


def _spoil_network(world: World, random: Random) -> str:
    mode = random.choice(_MODES)
    _touch(world, "broker")
    world.network.set_mode(mode)  # type: ignore[arg-type]
    return mode


def _repair_network(world: World, _: Random) -> str:
    _touch(world, "broker")
    world.network.set_mode("open")
    return ""


def _stop_program(world: World, _: Random) -> str:
    _touch(world, "program", "camera", "broker")
    world.program.signal(signal.SIGSTOP)
    world.is_stopped = True
    return ""


def _continue_program(world: World, _: Random) -> str:
    _touch(world, "program", "camera", "broker")
    world.program.signal(signal.SIGCONT)
    world.is_stopped = False
    return ""


def _kill_program(world: World, random: Random) -> str:
    _touch(world, "program", "camera", "broker")
    world.program.kill()
    return _start_again(world, random)


def _end_program(world: World, random: Random) -> str:
    _touch(world, "program", "camera", "broker")
    world.program.signal(signal.SIGTERM)
    code = world.program.wait(EXIT_S)
    assert code == 0, f"SIGTERM: exit code {code}; expected 0"
    return _start_again(world, random)


def _fill_disk(world: World, random: Random) -> str:
    _touch(world, "program", "camera", "broker", "disk")
    world.program.fill_disk()
    code = world.program.wait(EXIT_S + 60)  # nothing is written while the camera is opened again
    assert code == 4, f"standard output cannot grow: exit code {code}; expected 4"
    return _start_again(world, random)


def _start_again(world: World, random: Random) -> str:
    pause_s = random.uniform(0, 3)
    time.sleep(pause_s)
    text = f"started again after {pause_s:.1f} s"
    if not world.is_file_valid:
        _touch(world, "invalid")
        world.start_program()
        code = world.program.wait(EXIT_S)
        assert code == 2, f"invalid settings: exit code {code}; expected 2"
        world.write_settings()
        text += ", at first with the invalid settings"
    world.start_program()
    return text


def _valid_settings(world: World, random: Random) -> str:
    chosen = random.sample(sorted(_VALID), 3)
    drawn = {key: random.choice(_VALID[key]) for key in chosen}
    _touch(world, "program", "camera", "broker")
    world.settings = SETTINGS | drawn
    world.write_settings()
    world.reload()
    return ", ".join(f"{key} = {value}" for key, value in drawn.items())


def _half_written_settings(world: World, random: Random) -> str:
    whole = b'[mqtt]\nversion = "3.1.1"\nqueue = 100\n[picture]\nmirror = true\n'
    cut = random.choice([*range(1, 6), *range(8, 24)])
    world.replace_file(whole[:cut])
    return _reload_invalid(world, repr(whole[:cut]))


def _invalid_settings(world: World, random: Random) -> str:
    content = random.choice(_INVALID)
    world.replace_file(content)
    return _reload_invalid(world, repr(content[:40]))


def _reload_invalid(world: World, text: str) -> str:
    _touch(world, "invalid")
    world.is_file_valid = False
    world.reload()
    return text


def _switch(world: World, random: Random) -> str:
    world.is_reading = not world.is_reading
    _touch(world, "faces")
    for _ in range(random.randint(1, 3)):
        world.watcher.publish("enabled/set", "ON" if world.is_reading else "OFF")
    return "on" if world.is_reading else "off"


def _nonsense(world: World, random: Random) -> str:
    count = random.choice((1, 200))
    _touch(world, "nonsense")
    for _ in range(count):
        world.watcher.publish("enabled/set", random.choice(("on", "", "ONOFF", "{}" * 1000)))
    return f"{count} commands"


def _birth(world: World, _: Random) -> str:
    world.watcher.publish("homeassistant/status", "online", own=False)
    return ""


def _hears(world: World) -> bool:
    """Whether the program receives what is published now."""
    return not world.touched and _can_hear(world)


def _can_hear(world: World) -> bool:
    return world.broker_state == "up" and world.network.mode == "open" and not world.is_stopped


def _is_up(world: World) -> bool:
    return world.broker_state == "up" and world.network.mode == "open"


STEPS = (
    Step("other faces in view", 10, lambda world: True, _faces),
    Step("camera fault", 5, lambda world: world.camera.picture == "moving", _spoil_camera),
    Step("camera works", 12, lambda world: world.camera.picture != "moving", _repair_camera),
    Step("pictures of another size", 2, lambda world: True, _resize),
    Step("broker killed", 2, _is_up, _kill_broker),
    Step("broker stopped", 3, _is_up, _stop_broker),
    Step("broker restarted", 3, _is_up, _restart_broker),
    Step("broker works", 12, lambda world: world.broker_state != "up", _repair_broker),
    Step("network fault", 4, _is_up, _spoil_network),
    Step(
        "network works",
        12,
        lambda world: world.broker_state == "up" and world.network.mode != "open",
        _repair_network,
    ),
    Step("program stopped", 2, lambda world: not world.is_stopped, _stop_program),
    Step("program goes on", 12, lambda world: world.is_stopped, _continue_program),
    Step("program killed", 2, lambda world: True, _kill_program),
    Step("program ended", 1, lambda world: not world.is_stopped, _end_program),
    Step(
        "disk full",
        1,
        lambda world: not world.is_stopped and world.is_reading and world.camera.delivers,
        _fill_disk,
    ),
    Step("valid settings", 3, lambda world: True, _valid_settings),
    Step("half-written settings", 1, lambda world: True, _half_written_settings),
    Step("invalid settings", 2, lambda world: True, _invalid_settings),
    Step("reading switched", 2, _hears, _switch),
    Step("nonsense as commands", 1, _hears, _nonsense),
    Step("Home Assistant started", 1, _hears, _birth),
)


def choose(world: World, random: Random, names: Iterable[str] = ()) -> Step:
    """Draws the next step, of those names if there are any."""
    allowed = set(names)
    possible = [each for each in STEPS if each.possible(world) and (not allowed or each.name in allowed)]
    return random.choices(possible, [each.weight for each in possible])[0]
