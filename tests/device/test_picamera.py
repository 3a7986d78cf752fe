"""picamera2 on libcamera's `virtual` cameras, in a virtual machine with Debian Trixie.

virtual_camera.py replaces parts of a Raspberry Pi, and add_cameras() the rest: a module of Raspberry Pi OS
that draws on screens, and the kernel's memory for frames under its name on a Raspberry Pi.

A virtual camera has no device that libcamera could lock against other processes. So a test of a camera that
is in use opens it twice in one process.
"""

import json
import re
import time
from pathlib import Path

import pytest

from tests.device.guest import run, write_file
from tests.device.intruder import assert_powerless, forbids_ports, run_probe
from tests.device.picamera_scripts import CAMERA, PYKMS, SCRIPTS
from tests.device.service import Service

HERE = Path(__file__).parent
EMOTINY = "/opt/emotiny/bin/emotiny"
PYTHON = "/opt/emotiny/bin/python"
# Where environments find the packages of the system's Python.
MODULES = "/usr/local/lib/python3.13/dist-packages"
HEAPS = "/dev/dma_heap"
PIPELINE = "/usr/share/libcamera/pipeline/virtual/virtual.yaml"
FRAMES = 30
# One that Prometheus could read.
PORT = 9137
# libcamera decodes JPEGs by libjpeg's fast transform, OpenCV by its exact one. On the demo's pictures, they
# differ by up to 10 of 256 grays (`djpeg -dct fast` against `-dct int`).
MAX_DIFFERENCE = 12


@pytest.fixture(scope="module")
def pi(picamera_machine, record, announce):
    """The machine with cameras, after the installation as on a Raspberry Pi without a network."""
    add_cameras(picamera_machine)
    announce("systemd/install.sh, from a wheel and a folder of those that it needs")
    start_s = time.monotonic()
    install = "/payload/tree/systemd/install.sh --no-apt --wheels /payload/wheels /payload/emotiny-*.whl"
    output = run(picamera_machine, install, limit_s=900)
    started, checked = output.splitlines()[-2:]
    assert started.startswith("emotiny: started: systemctl status emotiny")
    assert checked == "emotiny: check: all is well"
    record("systemd/install.sh (emulated)", f"{time.monotonic() - start_s:.0f} s")
    return picamera_machine


def add_cameras(guest):
    """Adds the virtual cameras to the machine, and what else a Raspberry Pi has."""
    write_file(guest, f"{MODULES}/virtual_camera.py", (HERE / "virtual_camera.py").read_text())
    write_file(guest, f"{MODULES}/pykms.py", PYKMS)
    run(guest, f"echo 'import virtual_camera' >>{MODULES}/picamera2/__init__.py")
    # With the permissions of Raspberry Pi OS.
    heap = f"{HEAPS}/linux,cma c $(stat -c '0x%t 0x%T' {HEAPS}/system)"
    run(guest, f"mknod {heap} && chgrp video {HEAPS}/* && chmod 660 {HEAPS}/*")
    names = run(guest, "ls /payload/pictures").split()
    write_file(
        guest, PIPELINE, "".join(["%YAML 1.1\n---", *(CAMERA.format(name=name) for name in sorted(names))])
    )
    for name, text in SCRIPTS.items():
        write_file(guest, f"/usr/local/lib/{name}.py", text)


@pytest.fixture(scope="module")
def sources(pi):
    """{folder of images: source that shows them}, as `emotiny cameras` lists them."""
    listed = run(pi, f"{EMOTINY} cameras 2>/dev/null")
    cameras = re.findall(
        r"^--source (picamera2://\d) +Virtual (\w+), through libcamera$", listed, re.MULTILINE
    )
    assert len(cameras) == len(listed.splitlines()) >= 2
    return {name: source for source, name in cameras}


@pytest.fixture
def service(pi, sources):
    made = Service(pi)
    made.write_settings(f'source = "{sources["demo"]}"')
    yield made
    run(pi, "systemctl stop emotiny")


def test_a_new_installation_finds_the_camera(pi, record):
    installed = Service(pi)
    run(pi, "systemctl start --no-block emotiny")
    took_s = installed.wait(120, ActiveState="^active", StatusText=r"frames a second, faces: [12]$")
    record("source = auto: start -> a face (emulated)", f"{took_s:.0f} s")
    assert "auto: picamera2://0 answers" in installed.journal()
    installed.systemctl("stop")


def test_the_environment_sees_picamera2_and_keeps_the_system_s_numpy(pi, record):
    origins = json.loads(run(pi, f"{PYTHON} /usr/local/lib/origins.py 2>/dev/null"))
    assert origins["numpy"].startswith("/usr/lib/python3/dist-packages/")
    assert origins["picamera2"].startswith(MODULES)
    assert origins["cv2"].startswith("/opt/emotiny/")
    listed = json.loads(run(pi, f"{PYTHON} -m pip list --local --format=json --disable-pip-version-check"))
    own = {each["name"]: each["version"] for each in listed}
    assert "emotiny" in own and not {"numpy", "picamera2"} & set(own)
    versions = (
        "import numpy, picamera2, importlib.metadata as m; print(numpy.__version__, m.version('picamera2'))"
    )
    numpy, picamera2 = run(pi, f'{PYTHON} -c "{versions}" 2>/dev/null').split()
    record("the system's", f"numpy {numpy}, picamera2 {picamera2}")
    record("the environment's", f"OpenCV {own['opencv-python-headless']}, LiteRT {own['ai-edge-litert']}")


def test_cameras_are_listed_by_the_number_that_opens_them(pi, sources):
    by_libcamera, opened = map(
        json.loads, run(pi, "python3 /usr/local/lib/order.py 2>/dev/null").splitlines()
    )
    assert by_libcamera != opened  # else the test shows nothing
    assert sources == {
        model.removeprefix("Virtual "): f"picamera2://{number}" for number, model in enumerate(opened)
    }


def test_check_describes_the_camera(pi, sources, record):
    lines = run(pi, f"{EMOTINY} check --source {sources['demo']} 2>/dev/null").splitlines()
    assert all(line.startswith("ok ") for line in lines), lines
    text_of = dict(line.removeprefix("ok ").strip().split(": ", 1) for line in lines)
    assert set(text_of["picamera2"].removeprefix("finds ").split(", ")) == {
        f"Virtual {name}" for name in sources
    }
    assert re.match(
        rf"{sources['demo']}, 640x480, [1-9][0-9]*\.\d pictures a second; faces", text_of["source"]
    )
    record("emotiny check (emulated)", text_of["source"])


def compare_frames(guest, sources, size="", *, times=1, wanted_format=""):
    """Returns a line of COMPARE_FRAMES for each frame of the demo's camera, and the formats."""
    arguments = f"{sources['demo']} /payload/pictures/demo '{size}' {times} '{wanted_format}'"
    compare = f"{PYTHON} /usr/local/lib/compare_frames.py {arguments} 2>/var/tmp/log"
    out = run(guest, f"{compare} || {{ cat /var/tmp/log; false; }}")
    *frames, formats = map(json.loads, out.splitlines())
    assert len(frames) == 10 * times
    return frames, formats


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ("", [480, 640]),
        ("320x240", [240, 320]),
        ("321x241", [240, 320]),  # rounded to even numbers
        # Sizes that the camera does not have are adjusted.
        ("800x600", [480, 640]),
        ("1920x1080", [480, 640]),
    ],
)
def test_a_frame_is_the_luma_of_what_the_camera_shows(pi, sources, record, size, shape):
    frames, _ = compare_frames(pi, sources, size)
    assert [frame[:2] for frame in frames] == [[shape, "uint8"]] * 10
    assert len({frame[2] for frame in frames}) > 1  # not the same one again and again
    largest, mean = max(frame[3] for frame in frames), max(frame[4] for frame in frames)
    record(
        f"{size or 'no size'} asked for: {shape[1]}x{shape[0]} delivered",
        f"{largest} of 256 grays difference, {mean:.2f} on average",
    )
    assert largest <= MAX_DIFFERENCE
    assert mean < 1


@pytest.mark.parametrize("wanted_format", ["YUV420", "NV12", "YUYV"])
def test_the_delivered_format_is_read_whatever_was_asked_for(pi, sources, wanted_format):
    """libcamera delivers NV12 for these cameras, without a message."""
    frames, formats = compare_frames(pi, sources, wanted_format=wanted_format)
    assert formats == ["NV12"]
    assert {(tuple(shape), largest <= MAX_DIFFERENCE) for shape, _, _, largest, _ in frames} == {
        ((480, 640), True)
    }


def test_a_format_without_luma_is_an_error_of_one_line(pi, sources):
    done = pi.execute(f"{PYTHON} /usr/local/lib/without_luma.py run --source {sources['demo']} 2>&1", 120)
    assert done.code == 1
    (line,) = re.findall(r"^emotiny: error: (.*)$", done.out, re.MULTILINE)
    assert (
        line
        == f"{sources['demo']}: delivers XBGR8888; expected a format that begins with luma, such as YUV420"
    )
    assert "Traceback" not in done.out


def test_another_size_than_the_wanted_one_is_logged(pi, sources):
    loop = f"{EMOTINY} run --source {sources['demo']} --size 800x600 --max-frames 3"
    assert "asked for 800x600, it delivers 640x480" in run(pi, f"{loop} 2>&1 >/dev/null")


@pytest.mark.parametrize("name", ["demo", "clip"])
def test_faces_are_found(pi, sources, record, name):
    if name not in sources:
        pytest.skip("no clip of people: EMOTINY_DATA names no folder with any")
    loop = f"{EMOTINY} run --source {sources[name]} --max-frames {FRAMES} --output jsonl"
    frames = [json.loads(line) for line in run(pi, f"{loop} 2>/var/tmp/log", limit_s=300).splitlines()]
    assert len(frames) == FRAMES
    faces = [face for frame in frames for face in frame["faces"]]
    with_face = sum(bool(frame["faces"]) for frame in frames)
    labels = sorted({face["emotion"]["label"] for face in faces})
    record(f"{name}: frames with a face", f"{with_face} of {FRAMES}; read as {', '.join(labels)}")
    assert with_face > 0.8 * FRAMES
    if name == "demo":
        # A point within the demo's larger face.
        assert all(contains(face["box"], 230, 240) for face in faces if face["id"] == 1)
    run(pi, "! grep -E 'Traceback|ERROR' /var/tmp/log")


def contains(box_xywh, x, y):
    left, top, width, height = box_xywh
    return left <= x < left + width and top <= y < top + height


def test_a_camera_can_be_opened_again_in_the_same_process(pi, sources):
    frames, _ = compare_frames(pi, sources, times=3)
    assert all(largest <= MAX_DIFFERENCE for *_, largest, _ in frames)


def test_a_frozen_camera_is_closed_and_opened_again(pi, sources):
    loop = f"{EMOTINY} run --source {sources['still']} --reconnect --frozen 2"
    # Ends it by SIGTERM, while it reads or waits.
    log = run(pi, f"timeout --preserve-status 40 {loop} 2>&1 >/dev/null", code=0)
    assert log.count("the same picture for 2 s; stuck?") == 1
    assert log.count(f"{sources['still']}: pictures of 640x480") >= 2
    assert "Traceback" not in log


def test_a_stalled_camera_is_closed_and_opened_again(pi, sources):
    words = f"run --source {sources['demo']} --reconnect --max-frames 40 --output jsonl"
    out = run(pi, f"{PYTHON} /usr/local/lib/starve.py {words} 2>/var/tmp/log", limit_s=200)
    assert len(out.splitlines()) == 40
    log = run(pi, "cat /var/tmp/log")
    assert log.count("no picture for 8 s; check the ribbon cable; trying again") == 1
    assert log.count("delivers again") == 1
    assert not re.search("Traceback|busy|abandoned", log)


def test_sigterm_ends_a_run(pi, sources, record):
    loop = f"{EMOTINY} run --source {sources['demo']} --output jsonl"
    until_it_reads = "until grep -q frame /var/tmp/out; do sleep 0.2; done"
    stop = "date +%s.%N; kill $!; wait $!; echo $?; date +%s.%N"
    start_s, code, ended_s = run(
        pi, f"{loop} >/var/tmp/out 2>/var/tmp/log & {until_it_reads}; {stop}"
    ).split()
    record("SIGTERM -> ended (emulated)", f"{float(ended_s) - float(start_s):.1f} s")
    assert code == "0"
    assert re.match(r"emotiny: \d+ frames in ", run(pi, "grep '^emotiny:' /var/tmp/log"))
    run(pi, "! grep Traceback /var/tmp/log")


def test_a_camera_in_use_is_an_error_of_one_line(pi, sources):
    number = sources["demo"].removeprefix("picamera2://")
    done = pi.execute(f"{PYTHON} /usr/local/lib/hold.py {number} run --source {sources['demo']} 2>&1", 120)
    assert done.code == 1
    (line,) = re.findall(r"^emotiny: error: (.*)$", done.out, re.MULTILINE)
    busy = "Failed to acquire camera: Device or resource busy"
    assert line == f"{sources['demo']}: does not start ({busy}); is another program using it?"
    assert "Traceback" not in done.out
    assert "Camera __init__" not in done.out


def test_a_missing_camera_is_an_error_of_one_line(pi):
    done = pi.execute(f"{EMOTINY} run --source picamera2://7 2>&1", 60)
    assert done.code == 1
    message = r"emotiny: error: picamera2://7: libcamera finds [23] cameras; `rpicam-hello .*` shows them"
    assert re.fullmatch(message, done.out.splitlines()[-1])


def test_the_service_reads_a_camera_under_the_unit_s_hardening(service, record):
    record("the service: start -> READY (emulated)", f"{service.start():.0f} s")
    service.wait(60, StatusText=r"frames a second, faces: [12]$")
    time.sleep(10)
    record("the same: StatusText (emulated)", service.show("StatusText"))
    record("the same: memory, MemoryMax=400M", f"{int(service.show('MemoryCurrent')) / 2**20:.0f} MiB")
    record("systemctl stop (emulated)", f"{service.systemctl('stop'):.1f} s")
    assert (service.show("Result"), service.show("ExecMainStatus"), service.show("NRestarts")) == (
        "success",
        "0",
        "0",
    )
    assert "Traceback" not in service.journal()


def test_the_service_waits_for_permission_to_use_memory(service, record):
    """As at boot, before udev sets the group; picamera2 has opened the camera by then."""
    heap = f"{HEAPS}/linux,cma"
    run(service.guest, f"chgrp root {heap} && chmod 600 {heap}")
    try:
        run(service.guest, "systemctl start --no-block emotiny")
        service.wait(60, StatusText="the camera is gone")
        time.sleep(20)  # it is tried again twice
    finally:
        run(service.guest, f"chgrp video {heap} && chmod 660 {heap}")
    took_s = service.wait(90, ActiveState="^active", StatusText=r"frames a second")
    record(
        "memory for pictures is granted -> read (emulated, tried every 8 to 16 s by then)", f"{took_s:.0f} s"
    )
    journal = service.journal("_COMM=emotiny")
    assert journal.count(f"{heap}: permission denied: its mode is crw------- root:root, expected") == 1
    assert "resource busy" not in journal
    assert service.show("NRestarts") == "0"


def test_an_intruder_in_its_place_sees_cameras_and_opens_no_port(service):
    assert forbids_ports(service.guest)
    attempts = run_probe(service)
    devices = attempts.pop("devices")
    assert f"{HEAPS}/linux,cma" in devices
    assert not [path for path in devices if not re.fullmatch(r"/dev/((video|media)\d+|dma_heap/.*)", path)]
    assert attempts["ports"] == []
    assert attempts.pop("netlink socket")  # with which libcamera asks udev for cameras
    assert_powerless(attempts)
    assert run_probe(service, f"SocketBindAllow=tcp:{PORT}")["ports"] == ["SOCK_STREAM"]


@pytest.mark.parametrize(
    ("allowed", "result"),
    [("", f"metrics 127.0.0.1 port {PORT}: the unit forbids it; fix: "), (f"tcp:{PORT}", "it listens")],
)
def test_a_port_that_the_unit_does_not_allow_is_named(service, allowed, result):
    command = f"ExecStart=\nExecStart={PYTHON} /usr/local/lib/listen.py {PORT}"
    service.drop_in(f"StandardOutput=journal\nRestart=no\nSocketBindAllow={allowed}\n{command}")
    service.start(code=1)  # the script ends without having been ready
    assert [line for line in service.journal("_COMM=python").splitlines() if line.startswith(result)]


def test_pauses_between_restarts_grow(service, record):
    """By systemd 254 and later; the one of Bookworm does not know these settings."""
    assert run(service.guest, "systemd-analyze verify emotiny.service") == ""
    service.drop_in("ExecStart=\nExecStart=/bin/sh -c 'exit 1'")
    service.start(code=1)
    pauses = []
    for count in range(3):
        service.wait(30, NRestarts=f"^{count}$", SubState="^auto-restart$")
        pauses.append(float(service.show("RestartUSecNext").removesuffix("s")))
    record("pauses between restarts", ", ".join(f"{pause:.1f} s" for pause in pauses))
    assert pauses[0] == 5 and pauses == sorted(set(pauses))
    assert service.show("RestartMaxDelayUSec") == "30s"
