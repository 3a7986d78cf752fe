import errno
import resource
import shutil
import subprocess
import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edge.errors import ConfigError, OutputError
from edge.output.drawing import draw_faces
from edge.output.video import open_annotation
from edge.types import Box

BOX = Box(100, 100, 60, 60)


def frames_of(path):
    video = cv2.VideoCapture(str(path))
    fps = video.get(cv2.CAP_PROP_FPS)
    images = []
    while (read := video.read())[0]:
        images.append(read[1])
    video.release()
    return fps, images


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("seen.jpg", r"expected a file name ending in \.mp4, \.avi or \.png"),
        ("seen", "expected a file name ending"),
        ("old.mp4", "exists; remove it or choose another name"),
        ("nowhere/seen.mp4", "there is no folder .*nowhere"),
        (f"{300 * 'a'}.mp4", "File name too long"),
        (f"{300 * 'a'}/seen.mp4", "File name too long"),
        ("a\udcff.avi", "expected a file name in UTF-8"),  # which would end OpenCV and this process
        (f"{250 * 'a'}.mp4", "File name too long"),  # the file's name until it is finished
    ],
)
def test_a_file_that_cannot_be_written_is_refused_at_once(tmp_path, name, message):
    (tmp_path / "old.mp4").write_text("mine")
    with pytest.raises(ConfigError, match=message) as caught:
        open_annotation(tmp_path / name)
    assert caught.value.exit_code == 2
    assert (tmp_path / "old.mp4").read_text() == "mine"


def test_an_image_is_the_last_frame_and_appears_at_the_end(tmp_path, frame_and_report):
    path = tmp_path / "seen.png"
    sink = open_annotation(path)
    sink.send(*frame_and_report(0))
    frame, report = frame_and_report(1, BOX)
    sink.send(frame, report)
    expected = draw_faces(frame.gray, report.faces)
    frame.gray[:] = 0  # the camera overwrites its buffer
    assert not path.exists()
    sink.close()
    np.testing.assert_array_equal(cv2.imread(str(path)), expected)
    assert [entry.name for entry in tmp_path.iterdir()] == ["seen.png"]


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 20])
def test_a_video_has_every_frame_at_the_recorded_rate(tmp_path, frame_and_report, suffix, count):
    path = tmp_path / f"seen{suffix}"
    sink = open_annotation(path)
    for number in range(count):
        sink.send(*frame_and_report(number, BOX))
        assert not path.exists()
    sink.close()
    fps, images = frames_of(path)
    assert len(images) == count
    assert fps == pytest.approx(12 if count > 1 else 10)
    assert images[0].shape == (240, 320, 3)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_frames_of_another_size_are_resized(tmp_path, frame_and_report):
    sink = open_annotation(tmp_path / "seen.avi")
    for number in range(12):
        sink.send(*frame_and_report(number, BOX, size_wh=(320, 240) if number % 2 else (161, 163)))
    sink.close()
    assert len(frames_of(tmp_path / "seen.avi")[1]) == 12


@pytest.mark.parametrize("name", ["seen.png", "seen.avi"])
def test_a_file_that_appeared_meanwhile_is_left_alone(tmp_path, frame_and_report, name):
    path = tmp_path / name
    sink = open_annotation(path)
    sink.send(*frame_and_report(0, BOX))
    path.write_text("somebody else's")
    with pytest.raises(OutputError, match="appeared meanwhile") as caught:
        sink.close()
    assert caught.value.exit_code == 4
    assert path.read_text() == "somebody else's"
    (ours,) = (entry for entry in tmp_path.iterdir() if entry != path)
    assert str(ours) in str(caught.value)
    assert len(frames_of(ours)[1]) == 1


@pytest.mark.parametrize("name", ["seen.png", "seen.mp4", "seen.avi"])
def test_a_full_disk_leaves_nothing_behind_that_cannot_be_played(tmp_path, name):
    code = f"""
import numpy as np
from pathlib import Path
from edge.output.video import open_annotation
from edge.errors import OutputError
from edge.types import Frame, Rates, Report
sink = open_annotation(Path({str(tmp_path / name)!r}))
noise = np.random.default_rng(0)
try:
    for number in range(30):
        gray = noise.integers(0, 256, (240, 320)).astype(np.uint8)
        sink.send(Frame(number, number / 12, gray), Report(number, number / 12, Rates(0, 0, 0), ()))
    sink.close()
except OutputError as error:
    print(error)
"""
    # A limit on the size of files is the nearest thing to a full disk that needs no rights.
    done = subprocess.run(
        [sys.executable, "-c", code],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000)),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.startswith(f"cannot write {tmp_path / name}: ")
    if name == "seen.avi":  # each of its frames can be read without what follows
        frames = len(frames_of(tmp_path / name)[1])
        assert 1 <= frames < 30
        assert done.stdout.endswith(f": {frames} of 30 frames are in it; disk full?\n")
        (tmp_path / name).unlink()
    assert list(tmp_path.iterdir()) == []


RECORD_AND_FILL = """
import sys
import numpy as np
from pathlib import Path
import edge.output.reserved_space as reserved_space
from edge.output.video import open_annotation
from edge.errors import OutputError
from edge.types import Frame, Rates, Report
path, reserves = Path(sys.argv[1]), sys.argv[2] == "reserves"
if not reserves:
    def refuse(*_):
        raise OSError(95, "Operation not supported")
    reserved_space.ReservedSpace._allocate = refuse
sink = open_annotation(path)
noise = np.random.default_rng(0)
sent = 0
try:
    for sent in range(3000):
        gray = noise.integers(0, 256, (240, 320)).astype(np.uint8)
        sink.send(Frame(sent, sent / 12, gray), Report(sent, sent / 12, Rates(0, 0, 0), ()))
        if sent == 40:
            with open(path.parent / "of another program", "wb", buffering=0) as file:
                try:
                    while file.write(bytes(4096)):
                        pass
                except OSError as error:
                    print(error.strerror)
except OutputError as error:
    print(error)
try:
    sink.close()
except OutputError as error:
    print(error)
import cv2
video = cv2.VideoCapture(str(path))
frames = 0
while video.read()[0]:
    frames += 1
print(sent, frames)
print(sorted(entry.name for entry in path.parent.iterdir()))
"""


@pytest.fixture
def record_while_another_program_fills_the_disk(tmp_path):
    """Records on a disk of 14 MB; returns the numbers of frames sent and left, and the program's lines."""
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], check=False).returncode:
        pytest.skip("mounting a small disk needs user namespaces")

    def record(name, *, reserves):
        done = subprocess.run(
            [
                *(*alone, "sh", "-c", 'mount -t tmpfs -o size=14m none "$1" && shift && exec "$@"', "sh"),
                *(tmp_path, sys.executable, "-c", RECORD_AND_FILL, tmp_path / name),
                "reserves" if reserves else "does not",
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        lines = done.stdout.splitlines()
        return (*map(int, lines[-2].split()), lines)

    return record


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_recording_can_be_played_after_another_program_filled_the_disk(
    record_while_another_program_fills_the_disk, suffix
):
    sent, frames, lines = record_while_another_program_fills_the_disk(f"seen{suffix}", reserves=True)
    assert lines[0] == "No space left on device"
    assert lines[1].endswith(": no space left; what was recorded until then is in it")
    assert len(lines) == 4
    assert 40 < sent == frames < 2999  # all that were taken
    assert lines[-1] == f"['of another program', 'seen{suffix}']"


def test_what_can_be_played_stays_where_no_room_can_be_reserved(record_while_another_program_fills_the_disk):
    sent, frames, lines = record_while_another_program_fills_the_disk("seen.avi", reserves=False)
    assert lines[0] == "No space left on device"
    assert 30 < frames <= sent  # the last ones were still on their way
    assert lines[-1] == "['of another program', 'seen.avi']"


def test_a_recording_takes_no_more_room_than_it_needs(tmp_path, frame_and_report):
    """What was reserved is given back, and does not count as content."""
    path = tmp_path / "seen.mp4"
    sink = open_annotation(path)
    for number in range(9):
        sink.send(*frame_and_report(number, BOX))
    (partial,) = tmp_path.iterdir()
    assert partial.stat().st_blocks * 512 >= 1 << 20
    sink.close()
    assert path.stat().st_blocks * 512 <= path.stat().st_size + (1 << 16)
    assert len(frames_of(path)[1]) == 9


@pytest.fixture
def disk(monkeypatch):
    """Simulates a disk that reserves nothing and has, at each check, room for so many uncompressed frames."""

    def refuse(*_):
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    def make(frames):
        monkeypatch.setattr("edge.output.reserved_space.ReservedSpace._allocate", refuse)
        free_bytes = iter([each * 320 * 240 * 3 for each in frames])
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=next(free_bytes)))

    return make


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_video_that_a_full_disk_cut_short_can_be_played(tmp_path, frame_and_report, disk, suffix):
    path = tmp_path / f"seen{suffix}"
    disk([20, *(20 - number for number in range(30))])
    sink = open_annotation(path)
    written = 0
    with pytest.raises(OutputError, match=r"no space left; what was recorded until then is in it") as caught:
        for number in range(30):
            sink.send(*frame_and_report(number, BOX))
            written = number + 1
    assert caught.value.exit_code == 4
    sink.close()
    assert written == 19
    assert len(frames_of(path)[1]) == written
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("count", [3, 8])
def test_a_disk_that_is_full_from_the_start_leaves_no_file(tmp_path, frame_and_report, disk, count):
    """Whether the run ends before the frame rate is known or after."""
    disk([1])
    sink = open_annotation(tmp_path / "seen.avi")
    with pytest.raises(OutputError, match=r"cannot write .*seen\.avi: no space left$"):
        for number in range(count):
            sink.send(*frame_and_report(number, BOX))
        sink.close()
    sink.close()
    assert list(tmp_path.iterdir()) == []


def test_a_short_video_that_a_full_disk_cuts_short_is_kept(tmp_path, frame_and_report, disk):
    disk([3, 3, 2, 1])
    sink = open_annotation(tmp_path / "seen.avi")
    for number in range(4):
        sink.send(*frame_and_report(number, BOX))
    with pytest.raises(OutputError, match="no space left; what was recorded"):
        sink.close()
    assert len(frames_of(tmp_path / "seen.avi")[1]) == 2
