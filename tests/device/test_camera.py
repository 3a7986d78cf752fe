"""The service with real V4L2 cameras, in a virtual machine with its own kernel: vivid and v4l2loopback."""

import json
import re
import time

import pytest

from tests.device.guest import DRAW, Service, put, run, wait
from tests.device.inside import HEARD, PASSWORD, broker, intrude, may_do_nothing, with_broker

VIVID, LOOP = "/dev/video0", "/dev/video10"
SIZE = "640x480"
CLIP = "/var/tmp/clip"
DEVICE = "lab"
CREDENTIAL = "LoadCredential=mqtt_password:/etc/emotiny/password"


@pytest.fixture(scope="module")
def cameras(machine):
    """The machine with two cameras that draw test pictures, and two that show what is written to them."""
    vivid = "n_devs=2 node_types=0x1,0x1 num_inputs=1,1 input_types=0x00,0x00 vid_cap_nr=0,1"
    run(machine, f"modprobe vivid {vivid} && modprobe v4l2loopback video_nr=10")
    run(machine, f"udevadm settle; ls {VIVID} /dev/video1 {LOOP}")
    put(machine, "/var/tmp/draw.py", DRAW)
    drawn = "(/opt/emotiny/bin/python /var/tmp/draw.py; echo /var/tmp/demo.avi)"
    run(
        machine, f"ln -s $(ls /payload/*.mp4 2>/dev/null | tail -n 1 | grep . || {drawn}) {CLIP}", limit_s=300
    )
    put(machine, "/etc/emotiny/password", PASSWORD)
    return machine


@pytest.fixture
def service(cameras):
    made = Service(cameras)
    yield made
    run(cameras, "systemctl stop emotiny writer holder", code=None)


@pytest.fixture
def heard(cameras):
    """Waits until the listener heard what matches a pattern, after the last that it was asked for."""
    with broker(cameras):
        yield Ear(cameras)


class Ear:
    def __init__(self, guest):
        self._guest = guest
        self._line = 1

    def wait(self, topic, payload, limit_s=60):
        """Seconds until a message, newer than the one before, has this topic and matches this pattern."""
        news = f"tail -n +{self._line} {HEARD} | grep -nE '^[0-9.]+ emotiny/{DEVICE}/{topic} {payload}'"
        took_s = wait(self._guest, news, limit_s=limit_s)
        self._line += int(run(self._guest, news).partition(":")[0])
        return took_s

    def all(self, topic):
        """The payloads of all messages of a topic."""
        lines = run(self._guest, f"grep ' emotiny/{DEVICE}/{topic} ' {HEARD}").splitlines()
        return [line.split(" ", 2)[2] for line in lines]

    def last(self, topic):
        return self.all(topic)[-1]


def begin(service, source=VIVID):
    """Starts the service with a broker; the camera delivers."""
    service.set(with_broker(source, DEVICE))
    service.drop_in(CREDENTIAL)
    return service.start()


def show(guest, *words, pace="-re"):
    """Something of FFmpeg's as the picture of the camera LOOP, until the unit `writer` is stopped."""
    run(
        guest,
        "systemctl stop writer 2>/dev/null; systemd-run --quiet --collect --unit=writer "
        f"ffmpeg -loglevel error -nostdin {pace} {' '.join(words)} -f v4l2 {LOOP}",
    )
    wait(guest, "grep -q . /sys/class/video4linux/video10/format && sleep 1 && systemctl is-active writer")


def show_clip(guest):
    show(guest, f"-stream_loop -1 -i {CLIP} -pix_fmt yuyv422")


def is_well(service):
    """It reads, and was never restarted."""
    service.wait(30, StatusText="frames a second")
    assert (service.show("ActiveState"), service.show("NRestarts")) == ("active", "0")
    assert "Traceback" not in service.journal()


def test_a_camera_is_read_under_the_units_hardening(service, heard, note):
    note("vivid: start -> READY (emulated processor)", f"{begin(service):.1f} s")
    service.wait(30, StatusText=r"^[1-9][0-9.]+ frames a second, faces: 0$")
    heard.wait("camera", "online")
    time.sleep(10)
    note("vivid: StatusText", service.show("StatusText"))
    kilobytes = run(service.guest, f"grep -oP 'VmRSS:\\s*\\K\\d+' /proc/{service.pid()}/status")
    note("resident memory", f"{int(kilobytes) / 1024:.0f} MiB")
    note(
        "memory of its control group, MemoryMax=400M", f"{int(service.show('MemoryCurrent')) / 2**20:.0f} MiB"
    )
    is_well(service)


def test_an_intruder_in_its_place_sees_cameras_and_nothing_else(service):
    found = intrude(service)
    seen = found.pop("devices")
    assert VIVID in seen
    assert not [path for path in seen if not re.fullmatch(r"/dev/(video|media)\d+", path)]
    may_do_nothing(found)


def test_a_face_becomes_messages(service, heard, note):
    show_clip(service.guest)
    begin(service, LOOP)
    note("face before a V4L2 camera: READY -> MQTT state", f"{heard.wait('state', '.*presence.:.ON'):.1f} s")
    state = json.loads(heard.last("state"))
    assert state["faces"] >= 1
    assert state["emotion"] and state["gender"]
    time.sleep(10)
    note("the same: StatusText", service.show("StatusText"))
    assert PASSWORD not in service.journal()
    is_well(service)


def test_an_unplugged_camera_is_told_and_comes_back(service, heard, note):
    begin(service)
    heard.wait("camera", "online")
    # Somebody else who has it open keeps vivid from plugging itself in again.
    run(
        service.guest, f"systemd-run --quiet --collect --unit=holder -p StandardInput=file:{VIVID} sleep 1000"
    )
    run(service.guest, f"v4l2-ctl -d {VIVID} -c disconnect=1")
    took_s = heard.wait("camera", "offline")
    note("unplugged -> MQTT camera offline", f"{took_s:.1f} s")
    assert json.loads(heard.last("state"))["presence"] == "OFF"
    service.wait(30, StatusText="the camera is gone")
    share = service.busy(25)
    note("processor while it is gone (emulated)", f"{share:.1%} of a core")
    # A loop that asks again and again takes a whole one.
    assert share < 0.5
    run(service.guest, "systemctl stop holder")
    note("plugged in again, after 35 s -> MQTT camera online", f"{heard.wait('camera', 'online'):.1f} s")
    is_well(service)


def test_a_camera_that_stalls_is_told_and_comes_back(service, heard, note):
    show_clip(service.guest)
    begin(service, LOOP)
    heard.wait("camera", "online")
    run(service.guest, "systemctl kill --signal=STOP writer")
    note("stalled -> MQTT camera offline", f"{heard.wait('camera', 'offline'):.1f} s")
    share = service.busy(10)
    note("processor while it stalls (emulated)", f"{share:.1%} of a core")
    assert share < 0.5
    run(service.guest, "systemctl kill --signal=CONT writer")
    note("goes on -> MQTT camera online", f"{heard.wait('camera', 'online'):.1f} s")
    is_well(service)


def test_a_stream_that_ends_is_told_and_comes_back(service, heard, note):
    show_clip(service.guest)
    begin(service, LOOP)
    heard.wait("camera", "online")
    run(service.guest, "systemctl stop writer")
    note("stream ends -> MQTT camera offline", f"{heard.wait('camera', 'offline'):.1f} s")
    time.sleep(5)
    show_clip(service.guest)
    note("stream is there again, after 5 s -> MQTT camera online", f"{heard.wait('camera', 'online'):.1f} s")
    is_well(service)


NOISE = f"-f rawvideo -pix_fmt yuyv422 -video_size {SIZE} -framerate 10 -i /dev/urandom -c copy"
BLACK = f"-f lavfi -i color=black:size={SIZE}:rate=10 -pix_fmt yuyv422"
STILL = "-loop 1 -framerate 10 -i /var/tmp/still.png -pix_fmt yuyv422"


@pytest.mark.parametrize(("name", "words"), [("noise", NOISE), ("black", BLACK)])
def test_pictures_of_nothing_are_read_on(service, heard, note, name, words):
    show(service.guest, words)
    begin(service, LOOP)
    heard.wait("camera", "online")
    time.sleep(15)
    note(f"{name} pictures: StatusText", service.show("StatusText"))
    note(f"{name} pictures: MQTT state", heard.last("state"))
    if name == "black":
        assert json.loads(heard.last("state"))["presence"] == "OFF"
        assert service.journal().count("the pictures are black") == 1
    assert heard.last("camera") == "online"
    is_well(service)


def test_a_camera_that_is_stuck_is_told_and_comes_back(service, heard, note):
    run(service.guest, f"ffmpeg -loglevel error -nostdin -y -ss 2 -i {CLIP} -frames:v 1 /var/tmp/still.png")
    show(service.guest, STILL)
    begin(service, LOOP)
    heard.wait("camera", "online")
    note("one and the same picture -> MQTT camera offline", f"{heard.wait('camera', 'offline'):.1f} s")
    time.sleep(10)  # it is opened again, and shows the same
    assert heard.last("camera") == "offline"
    assert service.journal().count("the same picture for 30 s; stuck?") == 1
    run(service.guest, "systemctl stop writer")
    show_clip(service.guest)
    note("another picture -> MQTT camera online", f"{heard.wait('camera', 'online'):.1f} s")
    is_well(service)


def test_jpegs_are_read_and_broken_ones_are_passed_over(service, heard, note):
    jpeg = f"-stream_loop -1 -i {CLIP} -pix_fmt yuvj422p -c:v mjpeg -q:v 4"
    show(service.guest, jpeg)
    begin(service, LOOP)
    heard.wait("state", ".*presence.:.ON")
    service.do("stop")
    # Every some thousand bytes one is wrong; some pictures have no readable head.
    show(service.guest, f"{jpeg} -bsf:v noise=amount=2000")
    service.start()
    time.sleep(20)
    note("broken JPEGs: StatusText", service.show("StatusText"))
    note("broken JPEGs: lines logged", len(service.journal("_COMM=emotiny", "-p warning").splitlines()))
    is_well(service)


def test_a_slow_camera_is_a_camera(service, heard, note):
    show(service.guest, f"-f lavfi -i testsrc=size={SIZE}:rate=1/2 -pix_fmt yuyv422")
    begin(service, LOOP)
    heard.wait("camera", "online")
    time.sleep(25)
    note("a picture every 2 s: StatusText", service.show("StatusText"))
    assert heard.last("camera") == "online"
    is_well(service)


def test_two_cameras_are_two_services(cameras, note):
    services = [Service(cameras, f"emotiny@{name}", name) for name in ("hall", "porch")]
    for number, each in enumerate(services):
        each.set(f'source = "/dev/video{number}"\n[budget]\nmax_fps = 5')
        run(cameras, f"systemctl start {each.unit}")
    for each in services:
        each.wait(60, StatusText="frames a second")
    time.sleep(10)
    for each in services:
        note(f"two cameras at 5 FPS, {each.unit}: StatusText", each.show("StatusText"))
        assert (each.show("ActiveState"), each.show("NRestarts")) == ("active", "0")
    for each in services:
        each.do("stop")


def test_too_little_memory_is_a_restart_and_not_a_hang(service, note):
    service.set(f'source = "{VIVID}"')
    service.drop_in("MemoryMax=16M\nMemorySwapMax=0\nRestartSec=1")
    run(service.guest, "systemctl start --no-block emotiny")
    took_s = service.wait(90, NRestarts="^[2-9]$")
    note("MemoryMax=16M: killed and started again twice", f"{took_s:.1f} s")
    assert "oom-kill" in service.journal()
    service.do("stop")
    service.drop_in("")
    service.start()
    is_well(service)


def test_a_clock_that_jumps_disturbs_nothing(service, heard, note):
    begin(service)
    heard.wait("camera", "online")
    for jump in ("+1 day", "-2 days", "+1 day"):
        run(service.guest, f"date -s '{jump}'")
        time.sleep(12)  # more than a sign of life may take, and than statistics do
        heard.wait("stats", ".*fps")
        is_well(service)
    assert set(heard.all("camera")) == {"online"}
    note("the clock jumps by +1, -2 and +1 days", service.show("StatusText"))


def test_a_network_replaced_under_it_counts_from_the_next_reload_on(service, note):
    script = "from edge.inference.contract import MODELS_FOLDER; print(MODELS_FOLDER)"
    models = f"$(/opt/emotiny/bin/python -c '{script}')"
    run(service.guest, f"rm -rf /var/lib/nets; mkdir /var/lib/nets && cp {models}/emotion_* /var/lib/nets")
    name = run(service.guest, "basename /var/lib/nets/*.tflite")
    service.set(f'source = "{VIVID}"\n[models]\nemotion = "/var/lib/nets/{name}"')
    service.start()
    first = service.pid()
    run(service.guest, f"cp /var/lib/nets/{name} /var/lib/kept; truncate -s 1000 /var/lib/nets/{name}")
    time.sleep(8)
    is_well(service)
    service.do("reload")
    wait(service.guest, "journalctl -u emotiny -p err -o cat -n 1 | grep -q 'going on as before'")
    (line,) = service.journal("-p err").splitlines()
    note("reload with a truncated network", re.sub(r"^.*SIGHUP: ", "", line))
    time.sleep(6)
    is_well(service)
    run(service.guest, f"cp /var/lib/kept /var/lib/nets/{name}")
    service.do("reload")
    wait(service.guest, "journalctl -u emotiny -o cat -n 5 | grep -q 'beginning again'")
    time.sleep(6)
    is_well(service)
    assert service.pid() == first
