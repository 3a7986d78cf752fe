"""What must hold after every step, by docs/faults.md, and within which time."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from datetime import datetime

from tests.chaos.events import EventOrder
from tests.chaos.journal import Journal
from tests.chaos.program import Use
from tests.chaos.watcher import Seen
from tests.chaos.world import World

# Stated times, in seconds: the next attempt to connect, which detects first that nothing is heard (two and a
# half times a keep-alive of 5 s), or waits for an acknowledgement; the next attempt to open a camera, which
# may take as long as its stream's limit; somebody who comes or goes; messages that wait in the buffers of a
# slow network.
_BROKER_S, _CAMERA_S, _FACES_S, _SLOW_S, _DEAF_S = 12 + 60, 10 + 30 + 5, 5, 30, 45
# Some minutes until a limit is known that a broker of MQTT 3.1.1 does not name.
_LEARN_S = 300
# After one and a half times a keep-alive, a broker publishes the last will.
_WILL_S = 8
# For a machine that does something else besides.
SLACK_S = 25
_HOLD_S = 1.0  # for so long must a state last that counts as reached
# What a process may take more than when it was first found in order.
_MORE_MB, _MORE_THREADS, _MORE_DESCRIPTORS = 40, 2, 3
_WARM_S = 20
# Pictures may wait in buffers for so long before somebody in them appears.
_OLD_PICTURES_S = 15

# Offline, or unknown to a broker that has lost what it kept.
NOT_ONLINE = "not online"


class ViolationError(AssertionError):
    """Something does not hold."""


def expected_view(world: World) -> dict[str, str | int | None]:
    """Returns what the broker must say by now: payloads by topic, and the number of `faces` in the state.

    What nothing is stated about is left out.
    """
    camera, mode = world.camera, world.network.mode
    if world.broker_state != "up":
        return {}
    if world.is_stopped or mode == "dead":
        return {} if world.is_store_stale else {"status": NOT_ONLINE}
    if mode == "deaf":
        # Nothing is missed while there is nothing to say.
        talks = camera.delivers and world.is_reading
        return {"status": NOT_ONLINE} if talks and not world.is_store_stale else {}
    faces = camera.faces if camera.picture == "moving" and world.is_reading else 0
    return {
        "status": "online",
        "camera": "online" if camera.delivers else "offline",
        "enabled/state": "ON" if world.is_reading else "OFF",
        "faces": faces,
    }


def limit_s(world: World) -> float:
    """Returns the seconds within which the broker must say what is expected."""
    if world.broker_state == "up" and (world.is_stopped or world.network.mode == "dead"):
        return _WILL_S + SLACK_S
    limit = _FACES_S
    if world.touched & {"camera", "size"}:
        limit += _CAMERA_S
    if world.learns_limit or world.touched & {"broker", "program"}:
        limit += _BROKER_S + (_SLOW_S if world.network.mode == "slow" else 0)
    if world.network.mode == "deaf":
        limit += _DEAF_S
    if world.learns_limit:
        limit += _LEARN_S
    return limit + SLACK_S


class Oracle:
    """Judges a world after every step.

    Attributes:
        events: The events so far.
        journal: The lines so far.
        largest: Most that a process has taken more than when it was first found in order.
    """

    def __init__(self, world: World) -> None:
        self.events = EventOrder()
        self.journal = Journal()
        self.largest = Use(0, 0, 0)
        self._world = world
        self._lines = 0
        self._was_online = self._had_camera = False
        self._baseline: tuple[float, Use] | None = None  # start of the process, and what it took

    def settle(self) -> float:
        """Waits until everything is as stated; returns the seconds that it took.

        Raises:
            ViolationError: it is not within the stated time, or something else does not hold.
        """
        world, began_s = self._world, time.monotonic()
        expected, limit = expected_view(world), limit_s(world)
        good_since_s: float | None = None
        while True:
            self.check()
            wrong = self._differences(expected)
            now_s = time.monotonic()
            if wrong:
                good_since_s = None
                if now_s - began_s > limit:
                    raise ViolationError(f"after {limit:.0f} s: {'; '.join(wrong)}")
            elif good_since_s is None:
                good_since_s = now_s
            elif now_s - good_since_s >= _HOLD_S:
                break
            time.sleep(0.05)
        if problem := self.events.settle(world.queue):
            raise ViolationError(problem)
        world.queue = world.configured_queue
        self._was_online = expected.get("status") == "online"
        self._had_camera = expected.get("camera") == "online"
        if self._was_online:
            world.is_store_stale = False
        self._check_use(healthy=self._was_online and world.camera.picture == "moving")
        world.touched.clear()
        return good_since_s - began_s

    def check(self) -> None:
        """Checks what must hold at any time.

        Raises:
            ViolationError: it does not.
        """
        world = self._world
        if world.program.code is not None:
            raise ViolationError(f"the program has ended with code {world.program.code}")
        new, self._lines = world.program.lines[self._lines :], len(world.program.lines)
        problem = self.journal.judge([line for _, line in new], world.credits)
        for seen in world.watcher.take():
            problem = problem or self._judge(seen)
        if problem:
            raise ViolationError(problem)

    def _differences(self, expected: Mapping[str, str | int | None]) -> list[str]:
        world, wrong = self._world, []
        for name, value in expected.items():
            if name == "faces":
                state = world.watcher.text("state")
                actual = json.loads(state).get("faces") if state else None
            else:
                actual = world.watcher.text(name)
            if actual != value and (value != NOT_ONLINE or actual == "online"):
                wrong.append(f"{name} is {actual}; expected {value}")
        status = world.watcher.view.get("status")
        if expected.get("status") == "online" and status is not None and status.retained:
            # The broker kept it from before it was restarted, when this listener was there first.
            wrong.append("status is online as it was kept; expected a new one")
        if world.reloads and not world.is_stopped:
            wanted = "restarting with new" if world.is_file_valid else "keeping the old settings"
            answers = [
                line for at_s, line in world.program.lines if at_s > world.reloads[-1] and "SIGHUP: " in line
            ]
            if not answers or wanted not in answers[-1]:
                wrong.append(f"answers to SIGHUP are {answers}; expected {wanted!r}")
        return wrong

    def _judge(self, seen: Seen) -> str:
        """Returns what is wrong with a message; empty if nothing is."""
        world = self._world
        if seen.name == "event":
            return self.events.add(seen) or self._judge_appearance(seen)
        if seen.retained:
            return ""
        if seen.name == "status" and seen.text == "online" and seen.fields:
            runs = {
                name: each.fields.get("run")
                for name in ("camera", "state", "enabled/state")
                if (each := world.watcher.view.get(name)) is not None
            }
            if set(runs.values()) - {seen.fields["run"]}:
                return f"online in run {seen.fields['run']}, but others are of {runs}"
        untouched = self._was_online and not (world.learns_limit or world.touched & {"broker", "program"})
        if untouched and seen.name == "status" and seen.text == "offline":
            return "offline without a reason"
        has_camera = untouched and self._had_camera and "camera" not in world.touched
        if has_camera and seen.name == "camera" and seen.text == "offline":
            return "the camera is offline without a reason"
        return ""

    def _judge_appearance(self, seen: Seen) -> str:
        if seen.fields["event"] != "appeared":
            return ""
        made = datetime.fromisoformat(seen.fields["at"].replace("Z", "+00:00")).timestamp()
        made_s = time.monotonic() - (time.time() - made)
        if not self._world.camera.most_visible(made_s - _OLD_PICTURES_S, made_s + 1):
            return f"nobody was in view: {seen.text}"
        return ""

    def _check_use(self, *, healthy: bool) -> None:
        """Waits for abandoned reads to end, then compares what the process takes with what it took first."""
        world = self._world
        if not healthy or time.monotonic() - world.program.started_s < _WARM_S:
            return
        use = world.program.use()
        if self._baseline is None or self._baseline[0] != world.program.started_s:
            self._baseline = world.program.started_s, use
            return
        _, first = self._baseline
        until_s = time.monotonic() + SLACK_S
        while True:
            more = Use(
                use.resident_mb - first.resident_mb,
                use.threads - first.threads,
                (use.descriptors or 0) - (first.descriptors or 0),
            )
            assert more.descriptors is not None
            if (
                more.resident_mb <= _MORE_MB
                and more.threads <= _MORE_THREADS
                and more.descriptors <= _MORE_DESCRIPTORS
            ):
                break
            if time.monotonic() > until_s:
                raise ViolationError(f"the process takes {use}; at first it took {first}")
            time.sleep(0.5)
            use = world.program.use()
        self.largest = Use(
            max(self.largest.resident_mb, more.resident_mb),
            max(self.largest.threads, more.threads),
            max(self.largest.descriptors or 0, more.descriptors),
        )
