"""picamera2's own code on libcamera's `virtual` cameras, in a virtual machine with Debian Trixie.

What of a Raspberry Pi is replaced is said in virtual_camera.py, and plug_in() has the rest: a module of
Raspberry Pi OS that draws on screens, and the kernel's memory for pictures under the name that it has there.

A virtual camera has no device that libcamera could lock, so that no other process is kept from it: who has
the camera already is the same process.
"""

import json
import re
import time
from pathlib import Path

import pytest

from tests.device.guest import Service, put, run

HERE = Path(__file__).parent
EMOTINY = "/opt/emotiny/bin/emotiny"
PYTHON = "/opt/emotiny/bin/python"
# Of the system's Python, where an environment sees them.
MODULES = "/usr/local/lib/python3.13/dist-packages"
HEAPS = "/dev/dma_heap"
PIPELINE = "/usr/share/libcamera/pipeline/virtual/virtual.yaml"
FRAMES = 30
# So many of 256 grays libcamera's reader of JPEG and OpenCV's may be apart; measured: 5.
ROUNDING = 8

# Of its names only those of formats are looked at, when picamera2 is imported.
PYKMS = "from unittest.mock import MagicMock\n\nPixelFormat = MagicMock()\n"
# Without the larger sizes of a sensor, so that libcamera changes them.
CAMERA = """
"{name}":
  supported_formats:
  - {{width: 640, height: 480, frame_rates: [10, 30]}}
  - {{width: 320, height: 240, frame_rates: [10, 30]}}
  frames: {{path: "/payload/pictures/{name}"}}
  location: "CameraLocationExternal"
  model: "Virtual {name}"
"""
# Where the modules that matter come from.
ORIGINS = """
import json, cv2, numpy, picamera2
print(json.dumps({each.__name__: each.__file__ for each in (cv2, numpy, picamera2)}))
"""
# The cameras' order of libcamera, and that in which picamera2 opens them.
ORDER = """
import json, sys
from picamera2 import Picamera2
listed = Picamera2.global_camera_info()
print(json.dumps([each["Model"] for each in sorted(listed, key=lambda each: each["Num"])]))
models = []
for number in range(len(listed)):
    camera = Picamera2(number)
    models.append(camera.camera_properties["Model"])
    camera.close()
print(json.dumps(models))
"""
# Opens a source as often as is said, and compares ten of its pictures with those that its camera serves:
# which one it is, and how many of 256 grays they are apart, at most and on average. Where a format is said,
# libcamera is asked for that one. Ends with the formats that it gave.
LOOK = """
import itertools, json, sys
from pathlib import Path
import cv2, numpy as np
from picamera2 import Picamera2
from edge.sources.camera import CaptureSettings
from edge.sources.factory import open_source
source, folder, size, times, asked = sys.argv[1:]
served = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(Path(folder).iterdir())]
given = set()
create, read = Picamera2.create_video_configuration, Picamera2.camera_configuration
def ask(camera, **streams):
    other = {"format": asked} if asked else {}
    return create(camera, **{name: stream | other for name, stream in streams.items()})
def agreed(camera):
    given.add(read(camera)["lores"]["format"])
    return read(camera)
Picamera2.create_video_configuration, Picamera2.camera_configuration = ask, agreed
wanted = CaptureSettings(tuple(map(int, size.split("x"))) if size else None)
for _ in range(int(times)):
    with open_source(source, wanted, fast=False) as camera:
        for frame in itertools.islice((frame for frame in camera if frame), 10):
            shape = frame.gray.shape
            scaled = (cv2.resize(each, shape[::-1], interpolation=cv2.INTER_AREA) for each in served)
            apart = [np.abs(each.astype(int) - frame.gray) for each in scaled]
            which = min(range(len(apart)), key=lambda number: apart[number].mean())
            far = int(apart[which].max()), float(apart[which].mean())
            print(json.dumps([shape, str(frame.gray.dtype), which, *far]))
print(json.dumps(sorted(given)))
"""
# A program that has the camera already.
HOLD = """
import sys
from picamera2 import Picamera2
camera = Picamera2(int(sys.argv[1]))
from edge.cli.main import main
sys.exit(main(sys.argv[2:]))
"""
# A camera whose pictures come in a format without luma.
FOREIGN = """
import sys
from picamera2 import Picamera2
read = Picamera2.camera_configuration
def agreed(camera):
    streams = read(camera)
    return streams | {"lores": streams["lores"] | {"format": "XBGR8888"}}
Picamera2.camera_configuration = agreed
from edge.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
# A camera that gives no further picture, until it is opened again: its buffers are never given back to it.
STARVE = """
import sys
from picamera2.request import CompletedRequest
release, released = CompletedRequest.release, []
def starve(request):
    if not released or released[0] is request.picam2:
        released.append(request.picam2)
    if len(released) < 60 or released[0] is not request.picam2:
        release(request)
CompletedRequest.release = starve
from edge.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
SCRIPTS = {
    "origins": ORIGINS,
    "order": ORDER,
    "look": LOOK,
    "hold": HOLD,
    "foreign": FOREIGN,
    "starve": STARVE,
}


@pytest.fixture(scope="module")
def pi(picamera_machine, note, say):
    """The machine with its cameras, after what is typed on a Raspberry Pi without a network."""
    plug_in(picamera_machine)
    say("systemd/install.sh, from a wheel and a folder of those that it needs")
    began_s = time.monotonic()
    install = "/payload/tree/systemd/install.sh --no-apt --wheels /payload/wheels /payload/emotiny-*.whl"
    said = run(picamera_machine, install, limit_s=900)
    started, checked = said.splitlines()[-2:]
    assert started.startswith("emotiny: started: systemctl status emotiny")
    assert checked == "emotiny: check: all is well"
    note("systemd/install.sh (emulated)", f"{time.monotonic() - began_s:.0f} s")
    return picamera_machine


def plug_in(guest):
    """Puts into the machine what of a Raspberry Pi is not here."""
    put(guest, f"{MODULES}/virtual_camera.py", (HERE / "virtual_camera.py").read_text())
    put(guest, f"{MODULES}/pykms.py", PYKMS)
    run(guest, f"echo 'import virtual_camera' >>{MODULES}/picamera2/__init__.py")
    # Raspberry Pi OS gives them to the group, too.
    heap = f"{HEAPS}/linux,cma c $(stat -c '0x%t 0x%T' {HEAPS}/system)"
    run(guest, f"mknod {heap} && chgrp video {HEAPS}/* && chmod 660 {HEAPS}/*")
    names = run(guest, "ls /payload/pictures").split()
    put(guest, PIPELINE, "".join(["%YAML 1.1\n---", *(CAMERA.format(name=name) for name in sorted(names))]))
    for name, text in SCRIPTS.items():
        put(guest, f"/usr/local/lib/{name}.py", text)


@pytest.fixture(scope="module")
def sources(pi):
    """{folder of pictures: source that shows them}, as the program itself lists them."""
    listed = run(pi, f"{EMOTINY} cameras 2>/dev/null")
    found = re.findall(r"^--source (picamera2://\d) +Virtual (\w+), through libcamera$", listed, re.MULTILINE)
    assert len(found) == len(listed.splitlines()) >= 2
    return {name: source for source, name in found}


@pytest.fixture
def service(pi, sources):
    made = Service(pi)
    made.set(f'source = "{sources["demo"]}"')
    yield made
    run(pi, "systemctl stop emotiny")


def test_an_installation_finds_the_camera_by_itself(pi, note):
    installed = Service(pi)
    run(pi, "systemctl start --no-block emotiny")
    took_s = installed.wait(120, ActiveState="^active", StatusText=r"frames a second, faces: [12]$")
    note("source = auto: start -> a face (emulated)", f"{took_s:.0f} s")
    assert "auto: picamera2://0 answers" in installed.journal()
    installed.do("stop")


def test_the_environment_sees_picamera2_and_keeps_the_system_s_numpy(pi, note):
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
    note("the system's", f"numpy {numpy}, picamera2 {picamera2}")
    note("the environment's", f"OpenCV {own['opencv-python-headless']}, LiteRT {own['ai-edge-litert']}")


def test_cameras_are_listed_by_the_number_that_opens_them(pi, sources):
    by_libcamera, opened = map(
        json.loads, run(pi, "python3 /usr/local/lib/order.py 2>/dev/null").splitlines()
    )
    assert by_libcamera != opened  # else this shows nothing
    assert sources == {
        model.removeprefix("Virtual "): f"picamera2://{number}" for number, model in enumerate(opened)
    }


def test_check_says_what_it_opened(pi, sources, note):
    lines = run(pi, f"{EMOTINY} check --source {sources['demo']} 2>/dev/null").splitlines()
    assert all(line.startswith("ok ") for line in lines), lines
    said = dict(line.removeprefix("ok ").strip().split(": ", 1) for line in lines)
    assert set(said["picamera2"].removeprefix("finds ").split(", ")) == {
        f"Virtual {name}" for name in sources
    }
    assert re.fullmatch(rf"{sources['demo']}, 640x480, [1-9][0-9]*\.\d pictures a second", said["source"])
    note("emotiny check (emulated)", said["source"])


def look(guest, sources, size="", *, times=1, asked=""):
    """What the demo's camera gave: (a line of each picture, formats)."""
    words = f"{sources['demo']} /payload/pictures/demo '{size}' {times} '{asked}'"
    out = run(guest, f"{PYTHON} /usr/local/lib/look.py {words} 2>/var/tmp/log")
    *pictures, given = map(json.loads, out.splitlines())
    assert len(pictures) == 10 * times
    return pictures, given


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ("", [480, 640]),
        ("320x240", [240, 320]),
        ("321x241", [240, 320]),  # made even
        # What libcamera cannot give becomes what it can.
        ("800x600", [480, 640]),
        ("1920x1080", [480, 640]),
    ],
)
def test_a_picture_is_the_luma_that_the_camera_serves(pi, sources, note, size, shape):
    pictures, _ = look(pi, sources, size)
    assert [picture[:2] for picture in pictures] == [[shape, "uint8"]] * 10
    assert len({picture[2] for picture in pictures}) > 1  # and not one of them again and again
    largest, mean = max(picture[3] for picture in pictures), max(picture[4] for picture in pictures)
    note(
        f"{size or 'no size'} asked for: {shape[1]}x{shape[0]} given",
        f"{largest} of 256 grays off, {mean:.2f} on average",
    )
    assert largest <= ROUNDING
    assert mean < 1


@pytest.mark.parametrize("asked", ["YUV420", "NV12", "YUYV"])
def test_whatever_format_is_asked_for_that_which_is_given_is_read(pi, sources, asked):
    """libcamera gives these cameras' pictures as NV12, without a word."""
    pictures, given = look(pi, sources, asked=asked)
    assert given == ["NV12"]
    assert {(tuple(shape), largest <= ROUNDING) for shape, _, _, largest, _ in pictures} == {
        ((480, 640), True)
    }


def test_a_format_without_luma_is_one_line(pi, sources):
    done = pi.do(f"{PYTHON} /usr/local/lib/foreign.py run --source {sources['demo']} 2>&1", 120)
    assert done.code == 1
    (line,) = re.findall(r"^emotiny: error: (.*)$", done.out, re.MULTILINE)
    assert line == f"{sources['demo']}: gives XBGR8888; expected a format that begins with luma, as YUV420"
    assert "Traceback" not in done.out


def test_another_size_than_the_one_asked_for_is_told(pi, sources):
    loop = f"{EMOTINY} run --source {sources['demo']} --size 800x600 --max-frames 3"
    assert "asked for 800x600, it gives 640x480" in run(pi, f"{loop} 2>&1 >/dev/null")


@pytest.mark.parametrize("shown", ["demo", "clip"])
def test_faces_are_found(pi, sources, note, shown):
    if shown not in sources:
        pytest.skip("no clip of people: EMOTINY_DATA names no folder with any")
    loop = f"{EMOTINY} run --source {sources[shown]} --max-frames {FRAMES} --output jsonl"
    frames = [json.loads(line) for line in run(pi, f"{loop} 2>/var/tmp/log", limit_s=300).splitlines()]
    assert len(frames) == FRAMES
    faces = [face for frame in frames for face in frame["faces"]]
    with_face = sum(bool(frame["faces"]) for frame in frames)
    labels = sorted({face["emotion"]["label"] for face in faces})
    note(f"{shown}: frames with a face", f"{with_face} of {FRAMES}; read as {', '.join(labels)}")
    assert with_face > 0.8 * FRAMES
    if shown == "demo":
        # It draws its larger face around this point.
        assert all(holds(face["box"], 230, 240) for face in faces if face["id"] == 1)
    run(pi, "! grep -E 'Traceback|ERROR' /var/tmp/log")


def holds(box_xywh, x, y):
    left, top, width, height = box_xywh
    return left <= x < left + width and top <= y < top + height


def test_a_camera_is_opened_again_by_the_same_process(pi, sources):
    pictures, _ = look(pi, sources, times=3)
    assert all(largest <= ROUNDING for *_, largest, _ in pictures)


def test_a_camera_that_is_stuck_is_closed_and_opened_again(pi, sources):
    loop = f"{EMOTINY} run --source {sources['still']} --reconnect --frozen 2"
    # SIGTERM while it reads or waits.
    log = run(pi, f"timeout --preserve-status 40 {loop} 2>&1 >/dev/null", code=0)
    assert log.count("the same picture for 2 s; stuck?") == 1
    assert log.count(f"{sources['still']}: pictures of 640x480") >= 2
    assert "Traceback" not in log


def test_a_camera_that_stalls_is_closed_and_opened_again(pi, sources):
    words = f"run --source {sources['demo']} --reconnect --max-frames 40 --output jsonl"
    out = run(pi, f"{PYTHON} /usr/local/lib/starve.py {words} 2>/var/tmp/log", limit_s=200)
    assert len(out.splitlines()) == 40
    log = run(pi, "cat /var/tmp/log")
    assert log.count("no picture for 8 s; check the ribbon cable; trying again") == 1
    assert log.count("delivers again") == 1
    assert not re.search("Traceback|busy|abandoned", log)


def test_sigterm_ends_it_well(pi, sources, note):
    loop = f"{EMOTINY} run --source {sources['demo']} --output jsonl"
    until_it_reads = "until grep -q frame /var/tmp/out; do sleep 0.2; done"
    stop = "date +%s.%N; kill $!; wait $!; echo $?; date +%s.%N"
    began_s, code, ended_s = run(
        pi, f"{loop} >/var/tmp/out 2>/var/tmp/log & {until_it_reads}; {stop}"
    ).split()
    note("SIGTERM -> ended (emulated)", f"{float(ended_s) - float(began_s):.1f} s")
    assert code == "0"
    assert re.match(r"emotiny: \d+ frames in ", run(pi, "grep '^emotiny:' /var/tmp/log"))
    run(pi, "! grep Traceback /var/tmp/log")


def test_a_camera_that_somebody_has_is_one_line(pi, sources):
    number = sources["demo"].removeprefix("picamera2://")
    done = pi.do(f"{PYTHON} /usr/local/lib/hold.py {number} run --source {sources['demo']} 2>&1", 120)
    assert done.code == 1
    (line,) = re.findall(r"^emotiny: error: (.*)$", done.out, re.MULTILINE)
    busy = "Failed to acquire camera: Device or resource busy"
    assert line == f"{sources['demo']}: does not start ({busy}); is another program using it?"
    assert "Traceback" not in done.out
    assert "Camera __init__" not in done.out


def test_a_camera_that_is_not_there_is_one_line(pi):
    done = pi.do(f"{EMOTINY} run --source picamera2://7 2>&1", 60)
    assert done.code == 1
    said = r"emotiny: error: picamera2://7: libcamera finds [23] cameras; `rpicam-hello .*` shows them"
    assert re.fullmatch(said, done.out.splitlines()[-1])


def test_the_service_reads_it_under_the_unit_s_hardening(service, note):
    note("the service: start -> READY (emulated)", f"{service.start():.0f} s")
    service.wait(60, StatusText=r"frames a second, faces: [12]$")
    time.sleep(10)
    note("the same: StatusText (emulated)", service.show("StatusText"))
    note("the same: memory, MemoryMax=400M", f"{int(service.show('MemoryCurrent')) / 2**20:.0f} MiB")
    note("systemctl stop (emulated)", f"{service.do('stop'):.1f} s")
    assert (service.show("Result"), service.show("ExecMainStatus"), service.show("NRestarts")) == (
        "success",
        "0",
        "0",
    )
    assert "Traceback" not in service.journal()


def test_memory_that_the_service_may_not_have_yet_is_waited_for(service, note):
    """As at boot, before udev gave it to the group; picamera2 holds the camera by then."""
    heap = f"{HEAPS}/linux,cma"
    run(service.guest, f"chgrp root {heap} && chmod 600 {heap}")
    try:
        run(service.guest, "systemctl start --no-block emotiny")
        service.wait(60, StatusText="the camera is gone")
        time.sleep(20)  # it is tried again twice
    finally:
        run(service.guest, f"chgrp video {heap} && chmod 660 {heap}")
    took_s = service.wait(90, ActiveState="^active", StatusText=r"frames a second")
    note(
        "memory for pictures is granted -> read (emulated, tried every 8 to 16 s by then)", f"{took_s:.0f} s"
    )
    journal = service.journal("_COMM=emotiny")
    assert journal.count(f"{heap}: permission denied: its mode is crw------- root:root, expected") == 1
    assert "resource busy" not in journal
    assert service.show("NRestarts") == "0"
