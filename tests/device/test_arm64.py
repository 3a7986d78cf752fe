"""The wheel on the boards' Debians and processor, which QEMU emulates, beside the same on x86-64.

What is emulated tells nothing of speed, and its memory holds QEMU's own.
"""

import json
import re
from dataclasses import dataclass

import pytest

import edge
from edge.types import Box
from tests.device.conftest import PYTHON_OF
from tests.device.guest import put, run

EMOTINY = "/opt/emotiny/bin/emotiny"
PYTHON = "/opt/emotiny/bin/python"
FRAMES = 60  # at most; the demo never ends


# Two readings of the same pixels, measured on both Debians: not one of 162 boxes differs, and scores are up
# to 0.059 apart, since one processor's kernels round otherwise than the other's. Which face's label is
# uncertain in one reading only depends on how near to the edge its network sees it: none here, 24 with an
# earlier one.
SCORES = 0.1
UNCERTAIN = 0.05
# All that each package brought, the largest first.
SIZES = """
import importlib.metadata, json
bytes_of = {}
for found in importlib.metadata.distributions():
    paths = map(found.locate_file, found.files or ())
    bytes_of[found.metadata["Name"]] = sum(path.stat().st_size for path in paths if path.exists())
print(json.dumps(dict(sorted(bytes_of.items(), key=lambda item: -item[1]))))
"""
# The most memory that a command had, in kB, behind all that it writes.
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
def board(suite, userland, say):
    """The service installed on arm64."""
    return installed(userland("arm64 beside x86-64", suite, "arm64", ()), say)


@pytest.fixture(scope="module")
def desktop(suite, userland, say, board):
    """The same on x86-64."""
    return installed(userland("arm64 beside x86-64", suite, "amd64", ()), say)


def installed(guest, say):
    """A guest after `make install-device`, from a wheel and a folder of those that it needs."""
    say("make install-device")
    options = "--no-apt --wheels /payload/wheels /payload/emotiny-*.whl"
    done = run(guest, f"cd /payload/tree && make install-device SYSTEMCTL=true ARGS='{options}'", limit_s=900)
    started, checked = done.splitlines()[-2:]
    assert started.startswith("emotiny: started: systemctl status emotiny")
    assert checked.startswith("emotiny: check: something is wrong"), "no camera is here, nor systemd"
    put(guest, "/usr/local/lib/sizes.py", SIZES)
    put(guest, "/usr/local/lib/peak.py", PEAK)
    return guest


def installed_bytes(guest):
    """{package: bytes}, largest first."""
    found: dict[str, int] = json.loads(run(guest, f"{PYTHON} /usr/local/lib/sizes.py"))
    return found


def versions(guest):
    freeze = f"{PYTHON} -m pip list --format=json --disable-pip-version-check"
    listed = json.loads(run(guest, f"{freeze} 2>/dev/null", limit_s=300))
    return {one["name"]: one["version"] for one in listed if one["name"] not in {"pip", "setuptools"}}


def clips(guest):
    """What is read: clips of people, in gray pictures without a loss, else the demo."""
    return run(guest, "ls /payload/*.avi 2>/dev/null || echo demo").split()


def read(guest, clip, runtime=""):
    """The readings of a clip's first frames, and the most memory that the loop had, in MB."""
    loop = f"{EMOTINY} run --source {clip} --fast --max-frames {FRAMES} --output jsonl"
    set_runtime = f"EMOTINY_RUNTIME={runtime} " if runtime else ""
    out = run(guest, f"{set_runtime}python3 /usr/local/lib/peak.py {loop} 2>/dev/null", limit_s=600)
    *lines, peak = out.splitlines()
    frames = [json.loads(line) for line in lines]
    assert [frame["frame"] for frame in frames] == list(range(len(frames)))
    assert len(frames) >= 40
    faces = [[Face.of(face) for face in frame["faces"]] for frame in frames]
    assert sum(map(len, faces)) > len(frames) / 2, "hardly a face was found: nothing is compared"
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


def differ(one, other):
    """How two readings of the same pictures differ, in words; who is there, and where, must be equal.

    Evidence that is just enough for a label here may be just not enough there, which makes it `uncertain`.
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
    shown = f"{count} faces, equal boxes; {uncertain} labels uncertain in one only; scores {largest:.3f} off"
    assert uncertain <= UNCERTAIN * count, shown
    assert largest <= SCORES, shown
    return shown


def alike(one, other):
    """{what: share of the faces}, of all that either found."""
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
                for what, so in zip(shares, same, strict=True):
                    shares[what] += so
    found = max(sum(map(len, one)), sum(map(len, other)))
    return {what: count / found for what, count in shares.items()}


def test_it_is_installed_and_of_this_processor(board, suite, note):
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
    note(f"{suite}, installed", f"{machine}: {shown}")
    note(f"{suite}, du -sm /opt/emotiny", run(board, "du -sm /opt/emotiny | cut -f1") + " MB")
    bytes_of = installed_bytes(board)
    assert "emotiny" in bytes_of and "tensorflow" not in bytes_of
    parts = ", ".join(f"{name} {size / 1e6:.0f}" for name, size in bytes_of.items() if size >= 5e5)
    note(f"{suite}, MB of each package", f"{parts}; of all {sum(bytes_of.values()) / 1e6:.0f}")


def test_check_finds_all_well(board, suite, note):
    lines = run(board, f"{EMOTINY} check --source demo 2>/dev/null", limit_s=300).splitlines()
    found = [line.removeprefix("ok ").strip() for line in lines if line.startswith("ok ")]
    assert len(found) == len(lines), lines
    said = dict(line.split(": ", 1) for line in found)
    assert "aarch64" in said["system"] and suite in said["system"]
    assert said["runtime"] == "litert"
    assert said["emotion model"].startswith("emotion_sepnet_48_int8")
    assert said["gender model"].startswith("gender_sepnet_48_int8")
    assert said["cascade"].startswith("/opt/emotiny/lib/")
    assert said["source"].startswith("demo, 640x480")
    note(f"{suite}, emotiny check", f"{len(said)} lines, all ok")


def test_the_loop_reads_what_it_reads_on_x86(board, desktop, suite, note):
    assert versions(board) == versions(desktop)
    for clip in clips(board):
        read_here, peak_mb = read(board, clip)
        read_there, peak_there_mb = read(desktop, clip)
        difference = differ(read_here, read_there)
        what = f"{suite}, {clip.rpartition('/')[2]}, {len(read_here)} frames"
        note(f"{what}: beside x86-64", difference)
        note(f"{what}: memory", f"{peak_mb:.0f} MB with QEMU's own; x86-64: {peak_there_mb:.0f} MB")


def test_a_clip_that_each_decodes_itself_is_read_alike(board, desktop, suite, note):
    """FFmpeg makes other grays of a clip on each processor: 1 or 2 of 255 off in half of all pixels."""
    films = run(board, "ls /payload/*.mp4 2>/dev/null", code=None).split()
    if not films:
        pytest.skip("no clip of people: EMOTINY_DATA names no folder with any")
    for clip in films:
        shares = alike(read(board, clip)[0], read(desktop, clip)[0])
        shown = ", ".join(f"{what} {share:.0%}" for what, share in shares.items())
        note(f"{suite}, {clip.rpartition('/')[2]}: beside x86-64", f"of all faces: {shown}")
        assert shares["both find"] > 0.8


def test_both_runtimes_read_the_same(board, suite, note):
    if suite != "bookworm":
        pytest.skip("tflite-runtime has no wheel for Python 3.12 and later")
    offline = (
        f"{PYTHON} -m pip install --quiet --disable-pip-version-check --no-index --find-links /payload/wheels"
    )
    run(board, f'{offline} "$(echo /payload/emotiny-*.whl)[tflite]"', limit_s=600)
    for clip in clips(board):
        read_by_litert, _ = read(board, clip, "litert")
        read_by_tflite, peak_mb = read(board, clip, "tflite")
        difference = differ(read_by_litert, read_by_tflite)
        what = f"{suite}, {clip.rpartition('/')[2]}, {len(read_by_tflite)} frames"
        note(f"{what}: both runtimes", difference)
        note(f"{what}: memory, tflite-runtime", f"{peak_mb:.0f} MB with QEMU's own")
    bytes_of = installed_bytes(board)
    sizes = ", ".join(
        f"{name} {bytes_of[name] / 1e6:.0f} MB" for name in ("ai-edge-litert", "tflite-runtime")
    )
    note(f"{suite}, both runtimes", sizes)
