"""The service with V4L2 cameras of the kernel, vivid and v4l2loopback, in a virtual machine."""

import json
import re
import time

import pytest

from tests.device.broker import PASSWORD, Messages, broker, settings_with_broker
from tests.device.guest import DRAW_DEMO, run, wait_until, write_file
from tests.device.intruder import assert_powerless, run_probe
from tests.device.service import Service

VIVID, LOOP = "/dev/video0", "/dev/video10"
SIZE = "640x480"
CLIP = "/var/tmp/clip"
DEVICE = "lab"
CREDENTIAL = "LoadCredential=mqtt_password:/etc/emotiny/password"


@pytest.fixture(scope="module")
def cameras(machine):
    """The machine with two cameras that draw test patterns, and one that shows what is written to it."""
    vivid = "n_devs=2 node_types=0x1,0x1 num_inputs=1,1 input_types=0x00,0x00 vid_cap_nr=0,1"
    run(machine, f"modprobe vivid {vivid} && modprobe v4l2loopback video_nr=10")
    run(machine, f"udevadm settle; ls {VIVID} /dev/video1 {LOOP}")
    write_file(machine, "/var/tmp/draw.py", DRAW_DEMO)
    draw_demo = "(/opt/emotiny/bin/python /var/tmp/draw.py /var/tmp/demo.avi 90; echo /var/tmp/demo.avi)"
    run(
        machine,
        f"ln -s $(ls /payload/*.mp4 2>/dev/null | tail -n 1 | grep . || {draw_demo}) {CLIP}",
        limit_s=300,
    )
    write_file(machine, "/etc/emotiny/password", PASSWORD)
    return machine


@pytest.fixture
def service(cameras):
    yield Service(cameras)
    run(cameras, "systemctl stop emotiny writer holder", code=None)


@pytest.fixture
def messages(cameras):
    """The messages that the service publishes."""
    with broker(cameras):
        yield Messages(cameras, DEVICE)


def start(service, source=VIVID):
    """Starts the service with a broker and a working camera; returns the seconds until it is ready."""
    service.write_settings(settings_with_broker(source, DEVICE))
    service.drop_in(CREDENTIAL)
    return service.start()


def write_to_camera(guest, *options, pace="-re"):
    """Has FFmpeg write frames to the camera LOOP, until the unit `writer` is stopped."""
    run(
        guest,
        "systemctl stop writer 2>/dev/null; systemd-run --quiet --collect --unit=writer "
        f"ffmpeg -loglevel error -nostdin {pace} {' '.join(options)} -f v4l2 {LOOP}",
    )
    wait_until(
        guest, "grep -q . /sys/class/video4linux/video10/format && sleep 1 && systemctl is-active writer"
    )


def play_clip(guest):
    write_to_camera(guest, f"-stream_loop -1 -i {CLIP} -pix_fmt yuyv422")


def assert_healthy(service):
    """Asserts that the service reads frames and was never restarted."""
    service.wait(30, StatusText="frames a second")
    assert (service.show("ActiveState"), service.show("NRestarts")) == ("active", "0")
    assert "Traceback" not in service.journal()


def test_a_camera_is_read_under_the_units_hardening(service, messages, record):
    record("vivid: start -> READY (emulated processor)", f"{start(service):.1f} s")
    service.wait(30, StatusText=r"^[1-9][0-9.]+ frames a second, faces: 0$")
    messages.wait("camera", "online")
    time.sleep(10)
    record("vivid: StatusText", service.show("StatusText"))
    kilobytes = run(service.guest, f"grep -oP 'VmRSS:\\s*\\K\\d+' /proc/{service.pid()}/status")
    record("resident memory", f"{int(kilobytes) / 1024:.0f} MiB")
    record(
        "memory of its control group, MemoryMax=400M", f"{int(service.show('MemoryCurrent')) / 2**20:.0f} MiB"
    )
    assert_healthy(service)


@pytest.fixture
def open_devices(cameras):
    """A tunnel and the disk, which every user may open unless the kernel enforces DevicePolicy=."""
    numbers = run(cameras, "lsblk --noheadings --nodeps --output MAJ:MIN /dev/vda").strip().replace(":", " ")
    run(cameras, f"modprobe tun && chmod 666 /dev/net/tun && mknod -m 666 /dev/disk-of-all b {numbers}")
    yield {"/dev/net/tun", "/dev/disk-of-all"}
    run(cameras, "rm /dev/disk-of-all && chmod 600 /dev/net/tun")


def test_an_intruder_in_its_place_sees_cameras_and_nothing_else(service, open_devices):
    attempts = run_probe(service)
    devices = attempts.pop("devices")
    assert VIVID in devices
    assert not [path for path in devices if not re.fullmatch(r"/dev/(video|media)\d+", path)]
    assert_powerless(attempts)


def test_a_jetson_s_rights_open_its_devices(service, open_devices):
    """The unit alone allows no other device than cameras, as the test before this one shows."""
    lines = run(service.guest, "grep -vE '^(#|\\[|BindPaths|$)' /payload/systemd/jetson.conf")
    devices = run_probe(service, lines)["devices"]
    assert {VIVID, *open_devices} <= set(devices)


def test_a_face_is_published(service, messages, record):
    play_clip(service.guest)
    start(service, LOOP)
    record(
        "face before a V4L2 camera: READY -> MQTT state", f"{messages.wait('state', '.*presence.:.ON'):.1f} s"
    )
    state = json.loads(messages.last("state"))
    assert state["faces"] >= 1
    assert state["emotion"] and state["gender"]
    time.sleep(10)
    record("the same: StatusText", service.show("StatusText"))
    assert PASSWORD not in service.journal()
    assert_healthy(service)


def test_an_unplugged_camera_is_published_and_opened_again(service, messages, record):
    start(service)
    messages.wait("camera", "online")
    # While another process has it open, vivid does not plug itself in again.
    run(
        service.guest, f"systemd-run --quiet --collect --unit=holder -p StandardInput=file:{VIVID} sleep 1000"
    )
    run(service.guest, f"v4l2-ctl -d {VIVID} -c disconnect=1")
    took_s = messages.wait("camera", "offline")
    record("unplugged -> MQTT camera offline", f"{took_s:.1f} s")
    assert json.loads(messages.last("state"))["presence"] == "OFF"
    service.wait(30, StatusText="the camera is gone")
    share = service.cpu_share(25)
    record("processor while it is gone (emulated)", f"{share:.1%} of a core")
    # A loop that tries without a pause uses a whole core.
    assert share < 0.5
    run(service.guest, "systemctl stop holder")
    record("plugged in again, after 35 s -> MQTT camera online", f"{messages.wait('camera', 'online'):.1f} s")
    assert_healthy(service)


def test_a_stalled_camera_is_published_and_opened_again(service, messages, record):
    play_clip(service.guest)
    start(service, LOOP)
    messages.wait("camera", "online")
    run(service.guest, "systemctl kill --signal=STOP writer")
    record("stalled -> MQTT camera offline", f"{messages.wait('camera', 'offline'):.1f} s")
    share = service.cpu_share(10)
    record("processor while it stalls (emulated)", f"{share:.1%} of a core")
    assert share < 0.5
    run(service.guest, "systemctl kill --signal=CONT writer")
    record("goes on -> MQTT camera online", f"{messages.wait('camera', 'online'):.1f} s")
    assert_healthy(service)


def test_the_end_of_a_stream_is_published_and_it_is_opened_again(service, messages, record):
    play_clip(service.guest)
    start(service, LOOP)
    messages.wait("camera", "online")
    run(service.guest, "systemctl stop writer")
    record("stream ends -> MQTT camera offline", f"{messages.wait('camera', 'offline'):.1f} s")
    time.sleep(5)
    play_clip(service.guest)
    record(
        "stream is there again, after 5 s -> MQTT camera online", f"{messages.wait('camera', 'online'):.1f} s"
    )
    assert_healthy(service)


NOISE = f"-f rawvideo -pix_fmt yuyv422 -video_size {SIZE} -framerate 10 -i /dev/urandom -c copy"
BLACK = f"-f lavfi -i color=black:size={SIZE}:rate=10 -pix_fmt yuyv422"
STILL = "-loop 1 -framerate 10 -i /var/tmp/still.png -pix_fmt yuyv422"


@pytest.mark.parametrize(("name", "options"), [("noise", NOISE), ("black", BLACK)])
def test_frames_without_content_are_read(service, messages, record, name, options):
    write_to_camera(service.guest, options)
    start(service, LOOP)
    messages.wait("camera", "online")
    time.sleep(15)
    record(f"{name} pictures: StatusText", service.show("StatusText"))
    record(f"{name} pictures: MQTT state", messages.last("state"))
    if name == "black":
        assert json.loads(messages.last("state"))["presence"] == "OFF"
        assert service.journal().count("the pictures are black") == 1
    assert messages.last("camera") == "online"
    assert_healthy(service)


def test_a_frozen_camera_is_published_and_opened_again(service, messages, record):
    run(service.guest, f"ffmpeg -loglevel error -nostdin -y -ss 2 -i {CLIP} -frames:v 1 /var/tmp/still.png")
    write_to_camera(service.guest, STILL)
    start(service, LOOP)
    messages.wait("camera", "online")
    record("one and the same picture -> MQTT camera offline", f"{messages.wait('camera', 'offline'):.1f} s")
    time.sleep(10)  # it is opened again, and still shows the same frame
    assert messages.last("camera") == "offline"
    assert service.journal().count("the same picture for 30 s; stuck?") == 1
    run(service.guest, "systemctl stop writer")
    play_clip(service.guest)
    record("another picture -> MQTT camera online", f"{messages.wait('camera', 'online'):.1f} s")
    assert_healthy(service)


def test_broken_jpegs_are_skipped(service, messages, record):
    jpeg = f"-stream_loop -1 -i {CLIP} -pix_fmt yuvj422p -c:v mjpeg -q:v 4"
    write_to_camera(service.guest, jpeg)
    start(service, LOOP)
    messages.wait("state", ".*presence.:.ON")
    service.systemctl("stop")
    # One in some thousand bytes is wrong; the header of some frames is unreadable.
    write_to_camera(service.guest, f"{jpeg} -bsf:v noise=amount=2000")
    service.start()
    time.sleep(20)
    record("broken JPEGs: StatusText", service.show("StatusText"))
    record("broken JPEGs: lines logged", len(service.journal("_COMM=emotiny", "-p warning").splitlines()))
    assert_healthy(service)


def test_a_slow_camera_is_not_taken_for_a_stalled_one(service, messages, record):
    write_to_camera(service.guest, f"-f lavfi -i testsrc=size={SIZE}:rate=1/2 -pix_fmt yuyv422")
    start(service, LOOP)
    messages.wait("camera", "online")
    time.sleep(25)
    record("a picture every 2 s: StatusText", service.show("StatusText"))
    assert messages.last("camera") == "online"
    assert_healthy(service)


def test_two_cameras_are_two_services(cameras, record):
    services = [Service(cameras, f"emotiny@{name}", name) for name in ("hall", "porch")]
    for number, each in enumerate(services):
        each.write_settings(f'source = "/dev/video{number}"\n[budget]\nmax_fps = 5')
        run(cameras, f"systemctl start {each.unit}")
    for each in services:
        each.wait(60, StatusText="frames a second")
    time.sleep(10)
    for each in services:
        record(f"two cameras at 5 FPS, {each.unit}: StatusText", each.show("StatusText"))
        assert (each.show("ActiveState"), each.show("NRestarts")) == ("active", "0")
    for each in services:
        each.systemctl("stop")


def test_a_filter_of_addresses_lets_the_broker_pass_and_nothing_else(service, messages):
    service.write_settings(settings_with_broker(VIVID, DEVICE))
    service.drop_in(f"{CREDENTIAL}\nIPAddressDeny=any\nIPAddressAllow=127.0.0.1")
    service.start()
    messages.wait("camera", "online")
    service.systemctl("stop")
    service.drop_in(f"{CREDENTIAL}\nIPAddressDeny=any\nIPAddressAllow=192.0.2.1")
    service.start()
    wait_until(service.guest, "journalctl -u emotiny -n 20 -o cat | grep -q 'cannot be reached (timed out)'")
    assert_healthy(service)


def test_too_little_memory_leads_to_a_restart_and_not_to_a_hang(service, record):
    service.write_settings(f'source = "{VIVID}"')
    # If it could use this, it would become slow, and write pictures to the disk.
    swap = "/var/tmp/swap"
    run(service.guest, f"fallocate -l 256M {swap} && chmod 600 {swap} && mkswap -q {swap} && swapon {swap}")
    service.drop_in("MemoryMax=16M\nRestartSec=1")
    run(service.guest, "systemctl start --no-block emotiny")
    took_s = service.wait(90, NRestarts="^[2-9]$")
    record("MemoryMax=16M: killed and started again twice", f"{took_s:.1f} s")
    assert "oom-kill" in service.journal()
    service.systemctl("stop")
    run(service.guest, f"swapoff {swap} && rm {swap}")
    service.drop_in("")
    service.start()
    assert_healthy(service)


def test_the_system_clock_may_jump(service, messages, record):
    start(service)
    messages.wait("camera", "online")
    for jump in ("+1 day", "-2 days", "+1 day"):
        run(service.guest, f"date -s '{jump}'")
        time.sleep(12)  # longer than the watchdog's limit and the interval of statistics
        messages.wait("stats", ".*fps")
        assert_healthy(service)
    states = messages.all("camera")  # a start says `offline` first
    assert "offline" not in states[states.index("online") :]
    record("the clock jumps by +1, -2 and +1 days", service.show("StatusText"))


def test_a_replaced_network_is_used_from_the_next_reload_on(service, record):
    script = "from edge.inference.contract import MODELS_FOLDER; print(MODELS_FOLDER)"
    models = f"$(/opt/emotiny/bin/python -c '{script}')"
    run(service.guest, f"rm -rf /var/lib/nets; mkdir /var/lib/nets && cp {models}/emotion_* /var/lib/nets")
    name = run(service.guest, "basename /var/lib/nets/*.tflite")
    service.write_settings(f'source = "{VIVID}"\n[models]\nemotion = "/var/lib/nets/{name}"')
    service.start()
    pid = service.pid()
    run(service.guest, f"cp /var/lib/nets/{name} /var/lib/kept; truncate -s 1000 /var/lib/nets/{name}")
    time.sleep(8)
    assert_healthy(service)
    service.systemctl("reload")
    wait_until(service.guest, "journalctl -u emotiny -p err -o cat -n 1 | grep -q 'keeping the old settings'")
    (line,) = service.journal("-p err").splitlines()
    record("reload with a truncated network", re.sub(r"^.*SIGHUP: ", "", line))
    time.sleep(6)
    assert_healthy(service)
    run(service.guest, f"cp /var/lib/kept /var/lib/nets/{name}")
    service.systemctl("reload")
    wait_until(service.guest, "journalctl -u emotiny -o cat -n 5 | grep -q 'restarting with new'")
    time.sleep(6)
    assert_healthy(service)
    assert service.pid() == pid
