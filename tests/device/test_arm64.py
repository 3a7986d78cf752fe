"""The wheel on the Debians of the boards and on their processor, which QEMU emulates, compared with x86-64.

Emulation shows nothing about speed, and the memory of a process includes QEMU's own.
"""

import json
import re
from dataclasses import dataclass

import pytest

import edge
from edge.types import Box
from tests.device.conftest import PYTHON_OF
from tests.device.guest import run, write_file

EMOTINY = "/opt/emotiny/bin/emotiny"
PYTHON = "/opt/emotiny/bin/python"
MAX_FRAMES = 60  # the demo never ends


# Measured on both Debians, on the same pixels: all 162 boxes are equal, and scores differ by up to 0.059,
# because the kernels of the two processors round differently. A label is uncertain on one processor only
# where its evidence is just enough on the other: for no face here, for 24 faces with earlier networks.
MAX_SCORE_DIFFERENCE = 0.1
MAX_UNCERTAIN_SHARE = 0.05
# Prints the size of each package, the largest first.
SIZES = """
import importlib.metadata, json
bytes_of = {}
for package in importlib.metadata.distributions():
    paths = map(package.locate_file, package.files or ())
    bytes_of[package.metadata["Name"]] = sum(path.stat().st_size for path in paths if path.exists())
print(json.dumps(dict(sorted(bytes_of.items(), key=lambda item: -item[1]))))
"""
# Runs a command and prints its peak memory in kB after its output.
PEAK = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


@pytest.fixture(scope="module", params=PYTHON_OF)
def suite(request):
    return request.param


@pytest.fixture(scope="module")
def board(suite, userland, announce):
    """A tree of arm64 in which the service is installed."""
    return installed(userland(suite, "arm64", ()), announce)


@pytest.fixture(scope="module")
def desktop(suite, userland, announce, board):
    """The same of x86-64."""
    return installed(userland(suite, "amd64", ()), announce)


def installed(guest, announce):
    """Runs `make install-device` in a guest, with a wheel and a folder of the wheels that it needs."""
    announce("make install-device")
    options = "--no-apt --wheels /payload/wheels /payload/emotiny-*.whl"
    done = run(guest, f"cd /payload/tree && make install-device SYSTEMCTL=true ARGS='{options}'", limit_s=900)
    started, checked = done.splitlines()[-2:]
    assert started.startswith("emotiny: started: systemctl status emotiny")
    assert checked.startswith("emotiny: check: something is wrong"), "there is neither a camera nor systemd"
    write_file(guest, "/usr/local/lib/sizes.py", SIZES)
    write_file(guest, "/usr/local/lib/peak.py", PEAK)
    return guest


def installed_bytes(guest):
    """Returns {package: bytes}, the largest first."""
    bytes_of: dict[str, int] = json.loads(run(guest, f"{PYTHON} /usr/local/lib/sizes.py"))
    return bytes_of


def versions(guest):
    freeze = f"{PYTHON} -m pip list --format=json --disable-pip-version-check"
    listed = json.loads(run(guest, f"{freeze} 2>/dev/null", limit_s=300))
    return {each["name"]: each["version"] for each in listed if each["name"] not in {"pip", "setuptools"}}


def clips(guest):
    """Returns the sources: clips of people as lossless gray frames, else the demo."""
    return run(guest, "ls /payload/*.avi 2>/dev/null || echo demo").split()


def read(guest, clip, runtime=""):
    """Returns the faces of a clip's first frames, and the peak memory of the loop in MB."""
    loop = f"{EMOTINY} run --source {clip} --fast --max-frames {MAX_FRAMES} --output jsonl"
    set_runtime = f"EMOTINY_RUNTIME={runtime} " if runtime else ""
    out = run(guest, f"{set_runtime}python3 /usr/local/lib/peak.py {loop} 2>/dev/null", limit_s=600)
    *lines, peak = out.splitlines()
    frames = [json.loads(line) for line in lines]
    assert [frame["frame"] for frame in frames] == list(range(len(frames)))
    assert len(frames) >= 40
    faces = [[Face.of(face) for face in frame["faces"]] for frame in frames]
    assert sum(map(len, faces)) > len(frames) / 2, "too few faces were found to compare"
    return faces, int(peak.removeprefix("peak ")) / 1024


@dataclass(frozen=True)
class Face:
    number: int
    box: Box
    labels: tuple[str, str]
    scores: tuple[float, ...]

    @classmethod
    def of(cls, face):
        tasks = [face["emotion"], face["gender"]]
        scores = [score for task in tasks for kind in ("scores", "raw") for score in task[kind].values()]
        return cls(face["id"], Box(*face["box"]), tuple(task["label"] for task in tasks), tuple(scores))


def assert_equal(one, other):
    """Asserts that identities and boxes are equal, and labels and scores nearly.

    Evidence that is just enough for a label on one processor may be too little on the other, where the label
    is then `uncertain`.

    Returns:
        The differences, as text.
    """
    uncertain, count, largest = 0, 0, 0.0
    for number, (faces, others) in enumerate(zip(one, other, strict=True)):
        assert [(face.number, face.box) for face in faces] == [(face.number, face.box) for face in others], (
            f"frame {number}"
        )
        for face, there in zip(faces, others, strict=True):
            count += 1
            gaps = [abs(score - other) for score, other in zip(face.scores, there.scores, strict=True)]
            largest = max(largest, *gaps)
            pairs = list(zip(face.labels, there.labels, strict=True))
            assert all(a == b or "uncertain" in (a, b) for a, b in pairs), f"frame {number}: {face}, {there}"
            uncertain += sum(a != b for a, b in pairs)
    shown = f"{count} faces, equal boxes; {uncertain} labels uncertain on one; scores differ by {largest:.3f}"
    assert uncertain <= MAX_UNCERTAIN_SHARE * count, shown
    assert largest <= MAX_SCORE_DIFFERENCE, shown
    return shown


def agreement(one, other):
    """Returns {what agrees: share of the faces}, where the loop that found more faces counts as 100 %."""
    shares = dict.fromkeys(("both find", "same emotion", "same apparent gender"), 0)
    for faces, others in zip(one, other, strict=True):
        for face in faces:
            for there in (there for there in others if there.box.iou(face.box) > 0.5):
                same = (
                    True,
                    *(
                        label == label_there
                        for label, label_there in zip(face.labels, there.labels, strict=True)
                    ),
                )
                for name, agrees in zip(shares, same, strict=True):
                    shares[name] += agrees
    found = max(sum(map(len, one)), sum(map(len, other)))
    return {name: count / found for name, count in shares.items()}


def test_the_installation_is_of_this_processor(board, suite, record):
    assert run(board, f"{EMOTINY} --version") == f"emotiny {edge.__version__}"
    machine = run(board, f"{PYTHON} -c 'import platform as p; print(p.machine(), p.python_version())'")
    assert re.fullmatch(rf"aarch64 {re.escape(PYTHON_OF[suite])}\.\d+", machine)
    assert run(board, "cd /etc/systemd/system && ls -d emotiny*").split() == [
        "emotiny.service",
        "emotiny@.service",
    ]
    assert run(board, "head -c 21 /etc/emotiny/config.toml") == "# Settings of emotiny"
    with_libraries = ("numpy", "opencv-python-headless", "ai-edge-litert")
    found = versions(board)
    shown = ", ".join(f"{name} {found[name]}" for name in with_libraries)
    record(f"{suite}, installed", f"{machine}: {shown}")
    record(f"{suite}, du -sm /opt/emotiny", run(board, "du -sm /opt/emotiny | cut -f1") + " MB")
    bytes_of = installed_bytes(board)
    assert "emotiny" in bytes_of and "tensorflow" not in bytes_of
    parts = ", ".join(f"{name} {size / 1e6:.0f}" for name, size in bytes_of.items() if size >= 5e5)
    record(f"{suite}, MB of each package", f"{parts}; of all {sum(bytes_of.values()) / 1e6:.0f}")


def test_check_finds_all_well(board, suite, record):
    lines = run(board, f"{EMOTINY} check --source demo 2>/dev/null", limit_s=300).splitlines()
    found = [line.removeprefix("ok ").strip() for line in lines if line.startswith("ok ")]
    assert len(found) == len(lines), lines
    text_of = dict(line.split(": ", 1) for line in found)
    assert "aarch64" in text_of["system"] and suite in text_of["system"]
    assert text_of["runtime"] == "litert"
    assert text_of["emotion model"].startswith("emotion_sepnet_48_int8")
    assert text_of["gender model"].startswith("gender_sepnet_48_int8")
    assert text_of["face judge"].startswith("refinement_sepnet_32_int8")
    assert text_of["face finder"].startswith("proposal_sepnet_128_int8")
    assert text_of["source"].startswith("demo, 640x480")
    record(f"{suite}, emotiny check", f"{len(text_of)} lines, all ok")


def test_the_loop_reads_the_same_as_on_x86(board, desktop, suite, record):
    assert versions(board) == versions(desktop)
    for clip in clips(board):
        on_board, board_mb = read(board, clip)
        on_desktop, desktop_mb = read(desktop, clip)
        differences = assert_equal(on_board, on_desktop)
        name = f"{suite}, {clip.rpartition('/')[2]}, {len(on_board)} frames"
        record(f"{name}: compared with x86-64", differences)
        record(f"{name}: memory", f"{board_mb:.0f} MB with QEMU's own; x86-64: {desktop_mb:.0f} MB")


def test_a_clip_that_each_processor_decodes_itself_is_read_nearly_the_same(board, desktop, suite, record):
    """FFmpeg decodes a clip to other grays on each processor: half of all pixels differ by 1 or 2 of 255."""
    paths = run(board, "ls /payload/*.mp4 2>/dev/null", code=None).split()
    if not paths:
        pytest.skip("no clip of people: EMOTINY_DATA names no folder with any")
    for clip in paths:
        shares = agreement(read(board, clip)[0], read(desktop, clip)[0])
        shown = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        record(f"{suite}, {clip.rpartition('/')[2]}: compared with x86-64", f"of all faces: {shown}")
        assert shares["both find"] > 0.8


def test_both_runtimes_read_the_same(board, suite, record):
    if suite != "bookworm":
        pytest.skip("tflite-runtime has no wheel for Python 3.12 and later")
    offline = (
        f"{PYTHON} -m pip install --quiet --disable-pip-version-check --no-index --find-links /payload/wheels"
    )
    run(board, f'{offline} "$(echo /payload/emotiny-*.whl)[tflite]"', limit_s=600)
    for clip in clips(board):
        by_litert, _ = read(board, clip, "litert")
        by_tflite, peak_mb = read(board, clip, "tflite")
        differences = assert_equal(by_litert, by_tflite)
        name = f"{suite}, {clip.rpartition('/')[2]}, {len(by_tflite)} frames"
        record(f"{name}: both runtimes", differences)
        record(f"{name}: memory, tflite-runtime", f"{peak_mb:.0f} MB with QEMU's own")
    bytes_of = installed_bytes(board)
    sizes = ", ".join(
        f"{name} {bytes_of[name] / 1e6:.0f} MB" for name in ("ai-edge-litert", "tflite-runtime")
    )
    record(f"{suite}, both runtimes", sizes)
